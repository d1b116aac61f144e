import { describe, expect, test } from '@jest/globals';
import {
  type ColumnMapping,
  columnName,
  findColumns,
  indexOfHeader,
  parseMapFlags,
} from '../../src/lib/core/columns.js';

const columnsOf = (headers: readonly string[], ...flags: readonly string[]): ColumnMapping | string => {
  const parsed = parseMapFlags(flags);
  if (!parsed.ok) return parsed.code;
  const found = findColumns(headers, parsed.overrides);
  return found.ok ? found.columns : found.code;
};

describe('findColumns', () => {
  test.each<[readonly string[], ColumnMapping]>([
    [['Company'], { name: 0 }],
    [['Company Name', 'E-Mail', 'URL'], { name: 0, email: 1, website: 2 }],
    [['ACCOUNT_NAME', 'email address', 'Domain'], { name: 0, email: 1, website: 2 }],
    [['organization', 'Homepage'], { name: 0, website: 1 }],
    [['Organisation', 'Web-Site'], { name: 0, website: 1 }],
    [[' "Website" ', 'e.mail'], { email: 1, website: 0 }],
    [['Record Id', 'Account Name', 'Website'], { recordId: 0, name: 1, website: 2 }],
    [['City', 'Ｃｏｍｐａｎｙ'], { name: 1 }],
    [['Company', 'Website 1', 'Website 2', 'Email 1'], { name: 0, website: 1, email: 3 }],
    [['Customer full name', 'Primary Website', 'contact_email_address'], { name: 0, website: 1, email: 2 }],
    [['Customer ID', 'First Name', 'Last Name', 'Email', 'Default Address Company'], { name: 4, email: 3 }],
    [['order_id', 'billing_company', 'billing_email', 'shipping_company'], { name: 1, email: 2 }],
    [['Timestamp', 'What is your company’s name?', 'Company website (if any)'], { name: 1, website: 2 }],
  ])('finds the columns of %j', (headers, columns) => {
    expect(columnsOf(headers)).toEqual(columns);
  });

  test('takes the most specific header when several fit, wherever it stands', () => {
    expect(columnsOf(['Name', 'Company', 'Account Name', 'Email', 'Company Email', 'Domain', 'Website'])).toEqual({
      name: 2,
      email: 4,
      website: 6,
    });
  });

  test('takes the leftmost of headers that are equally specific', () => {
    expect(columnsOf(['Email', 'Company', 'company', 'E-Mail'])).toEqual({ name: 1, email: 0 });
  });

  test.each<[readonly string[], ColumnMapping | string]>([
    [['Nom', 'Prénom', 'E-mail'], { email: 2 }],
    [['Name', 'Vorname', 'Website'], { website: 2 }],
    [['Nombre', 'Apellidos', 'Empresa'], { name: 2 }],
    [['Name', 'First Name'], 'NO_USABLE_COLUMN'],
    [['Name', 'Contact First Name'], { name: 0 }],
  ])('takes a name beside a part of a person’s name for a person’s: %j', (headers, columns) => {
    expect(columnsOf(headers)).toEqual(columns);
  });

  test.each<[readonly string[], ColumnMapping]>([
    [['Account: Account Name', 'Account: Website', 'Contact: Email'], { name: 0, website: 1, email: 2 }],
    [['properties.name', 'properties.domain'], { name: 0, website: 1 }],
    [['Organization 1 - Name', 'E-mail 1 - Value', 'Website 1 - Value'], { name: 0, email: 1, website: 2 }],
    [['Lieferant', 'Homepage'], { name: 0, website: 1 }],
  ])('finds the columns of %j whatever is said beside the field', (headers, columns) => {
    expect(columnsOf(headers)).toEqual(columns);
  });

  test('does not take a bare id for a record id', () => {
    expect(columnsOf(['ID', 'Company'])).toEqual({ name: 1 });
  });

  test('follows an override before any header', () => {
    expect(columnsOf(['Company', 'Firm Ltd'], 'name=Firm Ltd')).toEqual({ name: 1 });
  });

  test('finds the column of an override with case and punctuation ignored, an exact one first', () => {
    expect(columnsOf(['the firm', 'THE-FIRM', 'Email'], 'name=The Firm')).toEqual({ name: 0, email: 2 });
    expect(columnsOf(['the firm', 'THE-FIRM', 'Email'], 'name=THE-FIRM')).toEqual({ name: 1, email: 2 });
  });

  test('leaves a field out when its override is empty', () => {
    expect(columnsOf(['Company', 'Email'], 'email=')).toEqual({ name: 0 });
  });

  test('gives a column that an override took to no other field', () => {
    expect(columnsOf(['Domain', 'Email'], 'name=Domain')).toEqual({ name: 0, email: 1 });
  });

  test('names the headers when an override names none of them', () => {
    const found = findColumns(['Company', 'Town'], { name: 'Firm' });
    expect(found).toEqual({
      ok: false,
      code: 'UNKNOWN_COLUMN',
      message: '--map name="Firm" names no column of the file, whose headers are: "Company", "Town".',
    });
  });

  test('names the headers, made safe for a terminal, when no column is usable', () => {
    const found = findColumns(['Town', 'Re\u001b[31md', 'Record Id'], {});
    expect(found).toMatchObject({ ok: false, code: 'NO_USABLE_COLUMN' });
    expect(found).toMatchObject({ message: expect.stringContaining('"Town", "Re?[31md", "Record Id"') });
  });

  test('shortens a long list of long headers', () => {
    const found = findColumns(
      Array.from({ length: 500 }, (_, at) => `column ${at} ${'x'.repeat(500)}`),
      {},
    );
    expect(found.ok ? '' : found.message).toContain('and 460 more');
    expect(found.ok ? '' : found.message.length).toBeLessThan(4_000);
  });

  test('is a problem when overrides leave nothing to enrich from', () => {
    expect(columnsOf(['Company', 'Email'], 'name=', 'email=')).toBe('NO_USABLE_COLUMN');
  });
});

describe('columnName', () => {
  test.each<[readonly string[], readonly string[]]>([
    [
      ['Company', 'Website', 'Website', 'website '],
      ['Company', 'Website', '#3', 'website'],
    ],
    [
      ['', ' Firm '],
      ['#1', 'Firm'],
    ],
    [
      ['#2', 'Firm'],
      ['#2', 'Firm'],
    ],
  ])('names each column of %j so that --map finds it', (headers, names) => {
    expect(headers.map((_, at) => columnName(headers, at))).toEqual(names);
    expect(names.map((name) => indexOfHeader(headers, name))).toEqual([...headers.keys()]);
  });
});

describe('parseMapFlags', () => {
  test('reads headers that contain an equals sign, and trims', () => {
    expect(parseMapFlags(['name= A=B ', 'record_id=Key', 'email='])).toEqual({
      ok: true,
      overrides: { name: 'A=B', recordId: 'Key', email: null },
    });
  });

  test.each([['name'], ['phone=Tel'], ['=Firm'], ['']])('refuses %j', (flag) => {
    expect(parseMapFlags([flag])).toMatchObject({ ok: false, code: 'BAD_MAP_FLAG' });
  });

  test('refuses a field that is mapped twice', () => {
    expect(parseMapFlags(['email=Mail', 'email='])).toMatchObject({ ok: false, code: 'BAD_MAP_FLAG' });
  });
});
