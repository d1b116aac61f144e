import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { identityKey } from '../../src/lib/core/identity.js';
import { type Candidate, type FieldProblem, type InputField, MAX_LENGTHS, parseRow } from '../../src/lib/core/row.js';

const candidate = (fields: Partial<Candidate>): Candidate => ({ module: 'Accounts', ...fields });

const repeat = (text: string, times: number) => text.repeat(times);

describe('parseRow', () => {
  test('keeps values as written, only trimmed', () => {
    expect(
      parseRow(
        candidate({ name: '  Acme   INC ', email: ' Info@Acme.example', website: 'https://www.acme.example/ ' }),
      ),
    ).toEqual({
      ok: true,
      row: { module: 'Accounts', name: 'Acme   INC', email: 'Info@Acme.example', website: 'https://www.acme.example/' },
      notes: [],
    });
  });

  test.each<[InputField, string]>([
    ['name', 'Foo;Bar & Co.'],
    ['name', 'Foo,Co.Ltd'],
    ['name', 'Amazon,Amazon.com'],
    ['name', 'The "Old" , "New" Co'],
    ['name', 'IBM'],
    ['name', '123 Ltd'],
    ['name', 'Café Olé & Söhne'],
    ['name', 'Łódź Żółć s.r.o.'],
    ['name', 'O\u02bbahu Surf'],
    ['name', repeat('a', 255)],
    ['name', 'Rocket 🚀 Labs'],
    ['email', "o'neil+sales@mail.acme-group.example"],
    ['email', 'büro@müller.example'],
    ['website', 'acme.example'],
    ['website', 'WWW.Acme.Example'],
    ['website', 'http://acme.example:8080/path?q=1#x'],
    ['website', 'xn--mller-kva.example'],
    ['website', 'acme.co.uk/'],
    ['website', `acme.example/${repeat('a', MAX_LENGTHS.website - 13)}`],
  ])('accepts the %s %j', (field, value) => {
    expect(parseRow(candidate({ [field]: value }))).toEqual({
      ok: true,
      row: { module: 'Accounts', [field]: value },
      notes: [],
    });
  });

  test('sends an international host in its ASCII form', () => {
    const parsed = parseRow(candidate({ website: 'https://Müller.example:8080/Über-uns?ä=ß' }));
    expect(parsed).toMatchObject({ row: { website: 'https://xn--mller-kva.example:8080/Über-uns?ä=ß' } });
  });

  test.each<[InputField, string, string]>([
    ['name', '="Fernhill Press"', 'Fernhill Press'],
    ['name', '="Fernhill ""The"" Press"', 'Fernhill "The" Press'],
    ['name', "'Quarry Lane", 'Quarry Lane'],
    ['name', "'Quarry Lane'", 'Quarry Lane'],
    ['name', "'t Hart Bloemen", "'t Hart Bloemen"],
    ['name', "'s-Gravenzande BV", "'s-Gravenzande BV"],
    ['name', "O'Neil Foods", "O'Neil Foods"],
    ['name', '"Quarry \\"Lane\\""', 'Quarry "Lane"'],
    ['name', 'Smith &amp; Jones', 'Smith & Jones'],
    ['name', 'O&#039;Neil Foods', "O'Neil Foods"],
    ['name', 'L&amp;#039;agap&amp;eacute;', "L'agapé"],
    ['name', 'AT&T Labs', 'AT&T Labs'],
    ['name', 'R&D; Labs', 'R&D; Labs'],
    ['name', '[x+1]', '[x+1]'],
    ['name', '[24]7.ai', '[24]7.ai'],
    ['name', '{Code} <Studio>', '{Code} <Studio>'],
    ['name', '\u200bAcme\u202e.txt\u00ad Ltd\ufeff', 'Acme.txt Ltd'],
    ['website', '="acme.example"', 'acme.example'],
    ['website', 'acme.example/a&amp;b?x=1&copy;=2', 'acme.example/a&b?x=1&copy;=2'],
    ['email', 'mailto:ann@acme.example', 'ann@acme.example'],
    ['email', '<ann@acme.example>', 'ann@acme.example'],
    ['email', 'ann@acme.example.', 'ann@acme.example'],
  ])('cleans the %s %j', (field, value, clean) => {
    expect(parseRow(candidate({ [field]: value }))).toMatchObject({ ok: true, row: { [field]: clean } });
  });

  test.each<[InputField, string, FieldProblem]>([
    ['name', '123', 'NO_LETTER'],
    ['name', '2024-01-01', 'NO_LETTER'],
    ['name', '€€€', 'NO_LETTER'],
    ['name', '1.23E+11', 'NO_LETTER'],
    ['name', 'info@acme.example', 'MALFORMED'],
    ['name', 'https://www.acme.example/en', 'MALFORMED'],
    ['name', 'www.acme.example', 'MALFORMED'],
    ['name', '=VLOOKUP(A1;B:C;2)', 'MALFORMED'],
    ['name', '=HYPERLINK("https://acme.example","Acme")', 'MALFORMED'],
    ['name', '{"name":"Acme"}', 'MALFORMED'],
    ['name', '["Acme"]', 'MALFORMED'],
    ['name', '<b>Acme</b>', 'MALFORMED'],
    ['name', 'Acme Ltd;acme.example', 'MALFORMED'],
    ['name', 'Acme Ltd;info@acme.example;Bonn', 'MALFORMED'],
    ['name', 'Acme Ltd;https://www.acme.example/en', 'MALFORMED'],
    ['name', '"Acme Ltd";"Bonn"', 'MALFORMED'],
    ['name', '"Acme Ltd","acme.example"', 'MALFORMED'],
    ['name', 'MÃ¼ller GmbH', 'GARBLED'],
    ['name', 'SociÃ©tÃ© Fernhill', 'GARBLED'],
    ['name', 'Oâ€™Neil Foods', 'GARBLED'],
    ['name', '— –', 'NO_LETTER'],
    ['name', '#REF!', 'PLACEHOLDER'],
    ['email', 'n/a@n/a.com', 'PLACEHOLDER'],
    ['email', 'a@a.com', 'PLACEHOLDER'],
    ['email', 'email_not_unlocked@domain.com', 'PLACEHOLDER'],
    ['email', 'ann.able@gmail.com', 'SHARED_HOST'],
    ['website', 'http://none.com', 'PLACEHOLDER'],
    ['website', 'https://www.linkedin.com/company/acme', 'SHARED_HOST'],
    ['website', 'www.na', 'MALFORMED'],
    ['website', 'http://www.unknown/', 'MALFORMED'],
    ['website', 'www.com', 'MALFORMED'],
    ['name', 'HP', 'TOO_SHORT'],
    ['name', '  a  ', 'TOO_SHORT'],
    ['name', '🚀🚀', 'TOO_SHORT'],
    ['name', repeat('a', 256), 'TOO_LONG'],
    ['name', '株式会社サンプル', 'NOT_ENGLISH'],
    ['name', 'ООО Ромашка', 'NOT_ENGLISH'],
    ['name', 'Acme Ελλάς', 'NOT_ENGLISH'],
    ['name', 'شركة المثال', 'NOT_ENGLISH'],
    ['name', 'Acme\nInc', 'CONTROL_CHARACTER'],
    ['name', 'Acme\u0000Inc', 'CONTROL_CHARACTER'],
    ['name', 'Acme\u0085Inc', 'CONTROL_CHARACTER'],
    ['name', 'Acme \ud800 Inc', 'CONTROL_CHARACTER'],
    ['name', 'Caf\ufffd Ltd', 'CONTROL_CHARACTER'],
    ['email', 'info', 'MALFORMED'],
    ['email', 'info@acme', 'MALFORMED'],
    ['email', 'info@@acme.example', 'MALFORMED'],
    ['email', 'info@acme..example', 'MALFORMED'],
    ['email', '.info@acme.example', 'MALFORMED'],
    ['email', 'a b@acme.example', 'MALFORMED'],
    ['email', 'Acme <info@acme.example>', 'MALFORMED'],
    ['email', 'a@acme.example, b@acme.example', 'MALFORMED'],
    ['email', 'info@-acme.example', 'MALFORMED'],
    ['email', `${repeat('a', 90)}@acme.example`, 'TOO_LONG'],
    ['email', 'инфо@acme.example', 'NOT_ENGLISH'],
    ['website', 'n/a', 'PLACEHOLDER'],
    ['website', 'none', 'PLACEHOLDER'],
    ['website', 'n.a.', 'PLACEHOLDER'],
    ['website', 'Acme Inc.', 'MALFORMED'],
    ['website', 'acme. example', 'MALFORMED'],
    ['website', 'info@acme.example', 'MALFORMED'],
    ['website', 'http://info:pw@acme.example', 'MALFORMED'],
    ['website', 'mailto:info@acme.example', 'MALFORMED'],
    ['website', 'ftp://acme.example', 'MALFORMED'],
    ['website', 'javascript:alert(1)', 'MALFORMED'],
    ['website', 'http://', 'MALFORMED'],
    ['website', 'http//acme.example', 'MALFORMED'],
    ['website', 'http://192.168.0.1/', 'MALFORMED'],
    ['website', '1.234.567', 'MALFORMED'],
    ['website', 'acme.example:99999', 'MALFORMED'],
    ['website', `acme.example/${repeat('a', MAX_LENGTHS.website)}`, 'TOO_LONG'],
    ['website', 'пример.рф', 'NOT_ENGLISH'],
  ])('leaves out the %s %j: %s', (field, value, problem) => {
    const other = field === 'email' ? { website: 'good.example' } : { email: 'info@good.example' };
    expect(parseRow(candidate({ ...other, [field]: value }))).toEqual({
      ok: true,
      row: { module: 'Accounts', ...other },
      notes: [{ field, problem }],
    });
  });

  test('rejects a record without a usable field and says what is wrong with each', () => {
    expect(parseRow(candidate({ name: 'HP', email: 'hp', website: 'none' }))).toEqual({
      ok: false,
      code: 'NO_USABLE_FIELD',
      reason:
        'No usable field: the name is shorter than 3 characters; the email is shorter than 3 characters; ' +
        'the website is a placeholder.',
      notes: [
        { field: 'name', problem: 'TOO_SHORT' },
        { field: 'email', problem: 'TOO_SHORT' },
        { field: 'website', problem: 'PLACEHOLDER' },
      ],
    });
  });

  test('rejects a record whose fields are all empty', () => {
    expect(parseRow(candidate({ name: ' ', email: '', website: '\u00a0' }))).toMatchObject({
      ok: false,
      code: 'NO_USABLE_FIELD',
      reason: 'No usable field: name, email and website are empty.',
    });
  });

  test.each([
    ['5725767000000524157', '5725767000000524157'],
    [' zcrm_5725767000000524157 ', '5725767000000524157'],
    ['ZCRM_5725767000000524157', '5725767000000524157'],
    ['1234567890123', '1234567890123'],
    ['\u200e5725767000000524157\u00a0', '5725767000000524157'],
    ['="5725767000000524157"', '5725767000000524157'],
    ["'5725767000000524157", '5725767000000524157'],
  ])('takes the record id %j as %s', (written, recordId) => {
    expect(parseRow(candidate({ name: 'Acme', recordId: written }))).toMatchObject({ ok: true, row: { recordId } });
  });

  test.each([
    '5.7E+18',
    '0',
    '42',
    '123456789012',
    '5,725,767,000,000,410,069',
    '5725767000000410069.0',
    '0015g00000XyZabAAB',
    '\u22125725767000000410069',
    '5,7E+18',
    '12345678901234567890',
    'zcrm_',
    'zcrm_zcrm_1',
    '12 34',
    '-5',
    '1.0',
    'abc',
    '٣٤٥',
  ])('rejects the record id %j', (recordId) => {
    expect(parseRow(candidate({ name: 'Acme', recordId }))).toMatchObject({ ok: false, code: 'BAD_RECORD_ID' });
  });

  test('tells how to avoid a record id that a spreadsheet rounded', () => {
    const parsed = parseRow(candidate({ name: 'Acme', recordId: '5.72577E+18' }));
    expect(parsed).toMatchObject({ reason: expect.stringContaining('format the column as text') });
  });

  test('uses placeholders and shared hosts when told to', () => {
    const fields = { name: 'unknown', email: 'ann@gmail.com', website: 'test.com' };
    expect(parseRow(candidate(fields))).toMatchObject({ ok: false, code: 'NO_USABLE_FIELD' });
    expect(parseRow(candidate(fields), { keep: ['placeholders'] })).toMatchObject({
      row: { name: 'unknown', website: 'test.com' },
      notes: [{ field: 'email', problem: 'SHARED_HOST' }],
    });
    expect(parseRow(candidate(fields), { keep: ['placeholders', 'shared-hosts'] })).toMatchObject({ row: fields });
  });

  test('takes an empty record id as none', () => {
    expect(parseRow(candidate({ name: 'Acme', recordId: ' ' }))).toEqual({
      ok: true,
      row: { module: 'Accounts', name: 'Acme' },
      notes: [],
    });
  });

  test.each([[{ name: 5 }], [{ name: ['Acme'] }], [{ module: 7, name: 'Acme' }], [{ recordId: 57, name: 'Acme' }]])(
    'refuses values of a wrong type from other producers: %j',
    (wrong) => {
      // A job written by somebody else holds anything; the types cannot stop it.
      expect(parseRow({ module: 'Accounts', ...wrong } as unknown as Candidate).ok).toBe(false);
    },
  );

  test('never throws, never shows content in a reason, and parses its own row to the same row and key', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
      fc.emailAddress(),
      fc.string({ unit: 'grapheme' }),
    );
    fc.assert(
      fc.property(
        fc.record({ recordId: fc.oneof(fc.constant(''), text), name: text, email: text, website: text }),
        (fields) => {
          const parsed = parseRow(candidate(fields));
          if (!parsed.ok) {
            const shown = Object.values(fields).filter((value) => value.length > 40 && parsed.reason.includes(value));
            expect(shown).toEqual([]);
            return;
          }
          const again = parseRow(parsed.row);
          expect(again).toEqual({ ok: true, row: parsed.row, notes: [] });
          expect(again.ok && identityKey(again.row)).toBe(identityKey(parsed.row));
        },
      ),
    );
  });

  test('decides quickly on values made to slow a pattern down', () => {
    const started = process.hrtime.bigint();
    for (const value of [
      `${repeat('a.', 220)}!`,
      `${repeat('a-', 49)}@`,
      `a@${repeat('a-', 48)}`,
      repeat('www.', 112),
    ]) {
      parseRow(candidate({ name: value, email: value, website: value }));
    }
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(500);
  });
});
