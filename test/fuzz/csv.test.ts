import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { findColumns } from '../../src/lib/core/columns.js';
import { type CsvSource, openCsv } from '../../src/lib/csv/csv-source.js';
import { createDecoder, utf8Bytes } from '../../src/lib/csv/encoding.js';
import { MAX_RECORD_LENGTH } from '../../src/lib/csv/record-cutter.js';
import { type FileRow, readRows } from '../../src/lib/csv/row-reader.js';
import { UsageError } from '../../src/lib/errors.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { testIn } from '../support/suite.js';

jest.setTimeout(FUZZ_TIMEOUT_MS);

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'zia-fuzz-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

interface ReadFile {
  readonly source: Omit<CsvSource, 'batches' | 'close'>;
  readonly rows: readonly FileRow[];
}

/** Reads a file as enqueue does, whatever its headers; a file that is refused must be refused in one sentence. */
async function readFile(content: string | Buffer): Promise<ReadFile | UsageError> {
  const path = join(scratch, 'input.csv');
  await writeFile(path, content);
  let source: CsvSource;
  try {
    source = await openCsv(path);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.message).not.toMatch(/[\n\r]/);
    return error;
  }
  try {
    const found = findColumns(source.headers, {});
    const columns = found.ok ? found.columns : { name: 0 };
    const rows: FileRow[] = [];
    for await (const batch of readRows(source, { columns, module: 'Accounts' })) rows.push(...batch);
    return { source, rows };
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  } finally {
    await source.close();
  }
}

/** What must hold for every file that is read at all. */
function expectNothingLost({ source, rows }: ReadFile, text: string): void {
  expect(rows).toHaveLength(source.rowCount);
  let at = text.indexOf(source.headerRaw) + source.headerRaw.length;
  let line = 1;
  const newline = source.lineEnd === '\r' ? '\r' : '\n';
  let start = 0;
  for (const { raw, lineNumber, parsed, key, damaged } of rows) {
    expect(lineNumber).toBeGreaterThan(line);
    for (; line < lineNumber; line += 1) start = text.indexOf(newline, start) + 1;
    expect(text.startsWith(raw, start)).toBe(true);
    // Between two records there are line ends and blank lines, and nothing else.
    expect(blank(text.slice(at, start), source.delimiter)).toBe('');
    at = start + raw.length;
    // Either a row with a key or a reject with a reason; what cannot be read is never a row.
    expect(key !== undefined).toBe(parsed.ok);
    if (damaged) expect(parsed).toMatchObject({ ok: false, code: 'UNREADABLE' });
    if (!parsed.ok) expect(parsed.reason).not.toBe('');
  }
  expect(blank(text.slice(at), source.delimiter)).toBe('');
}

/** What is left of a text without blanks, delimiters and empty quotes. */
function blank(text: string, delimiter: string): string {
  return text.replace(/"\s*"/g, '').replaceAll(delimiter, '').trim();
}

function decode(content: Buffer, encoding: CsvSource['encoding'], bom: boolean): string {
  const bytes = content.subarray(bom ? (encoding === 'utf-8' ? 3 : 2) : 0);
  // Bytes that are no UTF-8 are kept as halves of characters; that they come back is a property of its own.
  if (encoding === 'utf-8') return createDecoder('utf-8').decode(bytes, true);
  return iconv.decode(bytes, encoding, { stripBOM: false });
}

const MARKS = [Buffer.alloc(0), Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];
const mark = fc.constantFrom(...MARKS);
const HOSTILE = [
  '"',
  '"',
  '""',
  ',',
  ',',
  ';',
  '\t',
  '|',
  '\n',
  '\r\n',
  '\r',
  '\0',
  ' ',
  '\u2028',
  '\uFEFF',
  'Ä',
  '🚀',
];
const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...HOSTILE),
      fc.constantFrom('Acme', 'info@acme.example', 'acme.example'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 80 },
  )
  .map((parts) => parts.join(''));

testIn.short('bytes that are no UTF-8 come back as they were, however they are cut', () => {
  const bytes = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    ),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 9 }), (parts, size) => {
      const whole = Buffer.concat(parts);
      const decoder = createDecoder('utf-8');
      let text = '';
      for (let at = 0; at < whole.length; at += size) text += decoder.decode(whole.subarray(at, at + size), false);
      text += decoder.decode(Buffer.alloc(0), true);
      expect(utf8Bytes(text)).toEqual(whole);
      expect(text).toBe(createDecoder('utf-8').decode(whole, true));
    }),
    fuzz(),
  );
});

describe('any file', () => {
  test('of random bytes is read whole or refused in one sentence', async () => {
    await fc.assert(
      fc.asyncProperty(mark, fc.uint8Array({ maxLength: 400 }), async (bom, bytes) => {
        const content = Buffer.concat([bom, bytes]);
        const read = await readFile(content);
        if (!(read instanceof UsageError)) expectWholeBytes(read, content);
      }),
      fuzz(2),
    );
  });

  test('of text made to hurt is read whole or refused in one sentence, in every encoding', async () => {
    const encodings = fc.constantFrom<readonly [string, Buffer]>(
      ['utf8', MARKS[0] as Buffer],
      ['utf8', MARKS[1] as Buffer],
      ['utf16-le', MARKS[2] as Buffer],
      ['utf16-be', MARKS[3] as Buffer],
      ['win1252', MARKS[0] as Buffer],
    );
    await fc.assert(
      fc.asyncProperty(encodings, hostileText, fc.nat({ max: 3 }), async ([encoding, bom], text, cut) => {
        const whole = Buffer.concat([bom, iconv.encode(`Company,Email,Website\n${text}`, encoding)]);
        // Copies and downloads end early: also in the middle of a character.
        const content = whole.subarray(0, Math.max(whole.length - cut, 0));
        const read = await readFile(content);
        if (!(read instanceof UsageError)) expectWholeBytes(read, content);
      }),
      fuzz(),
    );
  });

  function expectWholeBytes(read: ReadFile, content: Buffer): void {
    const { encoding, bom } = read.source;
    const text = decode(content, encoding, bom);
    const oddByte = encoding.startsWith('utf-16') && content.length % 2 === 1;
    expectNothingLost(read, oddByte ? `${text.replace(/\uFFFD$/, '')}\uFFFD` : text);
  }
});

describe('a well-formed file', () => {
  const cell = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('', 'Acme', 'a@b.example', 'b.example', ' x ', '0', '=1+1') },
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc
      .array(fc.constantFrom('"', ',', ';', '\t', '\n', '\r\n', 'Ä', ' '), { maxLength: 6 })
      .map((parts) => parts.join('')),
  );
  const table = fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 12 });
  const form = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    record_delimiter: fc.constantFrom('\n', '\r\n', '\r'),
    bom: fc.boolean(),
    quoted: fc.boolean(),
  });

  test('comes back cell by cell, in order, whatever its dialect', async () => {
    await fc.assert(
      fc.asyncProperty(table, form, async (cells, { bom, ...dialect }) => {
        // Old Mac files cannot hold another system's line ends; and a mark of order inside a file is a character.
        const kept = cells
          .map((row) => row.map((text) => (dialect.record_delimiter === '\r' ? text.replaceAll('\n', ' ') : text)))
          .filter((row) => row.some((text) => text.trim() !== ''));
        fc.pre(kept.length > 0 && kept.flat().every((text) => text.isWellFormed()));
        const text = stringify([['Company', 'Email', 'Website'], ...kept], { ...dialect, quoted_match: /[\r\n]/ });
        const read = await readFile(`${bom ? '\uFEFF' : ''}${text}`);
        if (read instanceof UsageError) throw read;
        expect(read.source.delimiter).toBe(dialect.delimiter);
        expect(read.rows.map((row) => row.cells)).toEqual(kept);
        expect(read.rows.every((row) => !row.damaged)).toBe(true);
      }),
      fuzz(),
    );
  });

  test('with line ends of several kinds loses no row', async () => {
    const names = fc.array(fc.stringMatching(/^[A-Za-z ]{3,8}x$/), { minLength: 1, maxLength: 20 });
    const ends = fc.array(fc.constantFrom('\n', '\r\n'), { minLength: 21, maxLength: 21 });
    await fc.assert(
      fc.asyncProperty(names, ends, fc.boolean(), async (companies, lineEnds, last) => {
        const lines = ['Company', ...companies];
        const text = lines.map((line, at) => line + (at < lines.length - 1 || last ? lineEnds[at] : '')).join('');
        const read = await readFile(text);
        if (read instanceof UsageError) throw read;
        expect(read.rows.map(({ cells }) => cells[0])).toEqual(companies);
      }),
      fuzz(2),
    );
  });
});

describe('an enormous file', () => {
  const HEAD = 'Company,Email,Website\n';
  const LAST = 'Last Company,last@last.example,last.example\n';

  testIn.short.each<[string, string, readonly (string | undefined)[]]>([
    ['a blank line of a million commas', `${HEAD}${','.repeat(1_000_000)}\n${LAST}`, [undefined]],
    ['a name after a million commas', `${HEAD}${','.repeat(1_000_000)}Acme\n${LAST}`, ['TOO_MANY_CELLS', undefined]],
    ['a field of a million letters', `${HEAD}${'a'.repeat(1_000_000)},,\n${LAST}`, ['NO_USABLE_FIELD', undefined]],
    ['a field of half a million quotes', `${HEAD}"${'""'.repeat(500_000)}",,\n${LAST}`, ['NO_USABLE_FIELD', undefined]],
    ['a hundred thousand blank lines', `${HEAD}${'\n'.repeat(100_000)}${LAST}`, [undefined]],
    [
      'a line of NULs',
      `${HEAD}${'Acme,,\n'.repeat(100)}${'\0'.repeat(50)},,\n${LAST}`,
      [...Array(100).fill(undefined), 'NO_USABLE_FIELD', undefined],
    ],
  ])('with %s', async (_case, text, codes) => {
    const read = await readFile(text);
    if (read instanceof UsageError) throw read;
    expect(read.rows.map(({ parsed }) => (parsed.ok ? undefined : parsed.code))).toEqual(codes);
  });

  testIn.short('with a hundred thousand unclosed quotes refuses each of them and keeps the rest', async () => {
    const read = await readFile(`${HEAD}${`"Acme,a@a.example,a.example\n${LAST}`.repeat(20_000)}`);
    if (read instanceof UsageError) throw read;
    expect(read.rows).toHaveLength(40_000);
  });

  testIn.short.each([
    ['an unclosed quote before more than a record may hold', `${HEAD}"${LAST.repeat(40_000)}`],
    ['a record longer than one may be', `${HEAD}${'a'.repeat(MAX_RECORD_LENGTH + 1)}`],
  ])('with %s refuses that line', async (_case, text) => {
    const read = await readFile(text);
    if (read instanceof UsageError) throw read;
    expect(read.rows[0]).toMatchObject({ lineNumber: 2, parsed: { ok: false, code: 'UNREADABLE' } });
  });

  testIn.short('with a million headers is refused or read, and never printed whole', async () => {
    const headers = Array.from({ length: 150_000 }, (_, at) => `h${at}`);
    expect(findColumns(headers, {})).toMatchObject({ ok: false, code: 'NO_USABLE_COLUMN' });
    const found = findColumns(headers, {});
    expect(found.ok ? 0 : found.message.length).toBeLessThan(5_000);
    expect(findColumns([...headers, 'Company'], {})).toMatchObject({ ok: true, columns: { name: 150_000 } });
  });
});
