import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ColumnChoice, InputCheck } from '../../src/lib/core/input-check.js';
import type { Row } from '../../src/lib/core/row.js';
import { checkInput } from '../../src/lib/csv/check-input.js';
import { type CsvFlags, openCsv } from '../../src/lib/csv/csv-source.js';
import { utf8Bytes } from '../../src/lib/csv/encoding.js';
import { chooseColumns } from '../../src/lib/csv/resolve-columns.js';
import { type FileRow, readRows } from '../../src/lib/csv/row-reader.js';
import { createMemoryCells } from '../support/memory-cells.js';

const folder = fileURLToPath(new URL('../fixtures/field', import.meta.url));

interface ReadFile {
  readonly choice: ColumnChoice;
  readonly input: InputCheck;
  readonly rows: readonly FileRow[];
  /** What would be sent: the rows that are accepted and repeat no earlier one. */
  readonly sent: readonly Row[];
  readonly rejects: readonly string[];
}

async function read(name: string, mapFlags: readonly string[] = [], flags: CsvFlags = {}): Promise<ReadFile> {
  const source = await openCsv(name.includes('/') ? name : join(folder, `${name}.csv`), flags);
  try {
    const choice = await chooseColumns(source, mapFlags, createMemoryCells());
    const checker = checkInput(source, choice);
    const rows: FileRow[] = [];
    const sent: Row[] = [];
    const keys = new Set<string>();
    for await (const batch of readRows(source, { columns: choice.columns, module: 'Accounts' })) {
      for (const row of batch) {
        const repeated = row.key !== undefined && keys.has(row.key);
        if (row.key !== undefined) keys.add(row.key);
        if (row.parsed.ok && !repeated) sent.push(row.parsed.row);
        checker.add(row, repeated);
        rows.push(row);
      }
    }
    expect(rows).toHaveLength(source.rowCount);
    const rejects = rows.flatMap(({ parsed }) => (parsed.ok ? [] : [parsed.code]));
    return { choice, input: checker.result(), rows, sent, rejects };
  } finally {
    await source.close();
  }
}

const codes = ({ input }: ReadFile) => input.findings.map(({ code }) => code);
const headersOf = ({ input: { columns } }: ReadFile) =>
  Object.fromEntries(Object.entries(columns).flatMap(([field, column]) => (column ? [[field, column.header]] : [])));
const fields = (rows: readonly Row[]) => rows.map(({ module: _module, ...row }) => row);

describe('files as people have them', () => {
  test('every file of the folder has its line here', async () => {
    const tests = await readFile(fileURLToPath(import.meta.url), 'utf8');
    const names = (await readdir(folder)).filter((name) => name.endsWith('.csv')).map((name) => name.slice(0, -4));
    expect(names.length).toBeGreaterThan(35);
    expect(names.filter((name) => !tests.includes(`'${name}'`))).toEqual([]);
  });

  test.each<[string, number, Readonly<Record<string, number>>]>([
    ['punctuation_names', 0, { NO_USABLE_FIELD: 15 }],
    ['placeholder_names', 0, { NO_USABLE_FIELD: 33 }],
    ['www_only', 0, { NO_USABLE_FIELD: 6 }],
    ['unquoted_comma', 1, { TOO_MANY_CELLS: 3 }],
    ['trailing_commas', 1, {}],
    ['salesforce_report_footer', 2, { TOO_FEW_CELLS: 5 }],
    ['repeated_header', 2, { REPEATED_HEADER: 1 }],
    ['null_real_names', 7, {}],
    ['mixed_eol', 2, { UNREADABLE: 1 }],
    ['short_rows', 2, { TOO_FEW_CELLS: 1 }],
    ['delim_ragged', 6, {}],
    ['sep_line', 1, {}],
    ['german_headers', 3, {}],
    ['dedupe_contacts', 8, {}],
    ['dedupe_urls', 8, {}],
    ['social_websites', 21, {}],
    ['freemail', 1, { NO_USABLE_FIELD: 7 }],
    ['rtl-emoji', 6, {}],
    ['record_ids', 5, { BAD_RECORD_ID: 10 }],
  ])('%s: %i rows are sent, and %j', async (name, rows, rejected) => {
    const file = await read(name);
    const counts: Record<string, number> = {};
    for (const code of file.rejects) counts[code] = (counts[code] ?? 0) + 1;
    expect([file.sent.length, counts]).toEqual([rows, rejected]);
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['apollo_people', { name: 'Company', website: 'Website', email: 'Email' }],
    ['customer_yesno', { name: 'Firm Name (legal)', website: 'Website' }],
    ['german_headers', { name: 'Firma', website: 'Webseite', email: 'E-Mail' }],
    ['hubspot_domain', { name: 'Company name', website: 'Company Domain Name' }],
    ['phantombuster_salesnav', { name: 'companyName', website: 'website' }],
    [
      'pipedrive_orgs',
      { name: 'Organization - Name', website: 'Organization - Website', email: 'Person - Email - Work' },
    ],
    ['sap_customers', { name: 'Name 1', website: 'Web', email: 'E-Mail' }],
    ['zoho_contacts', { name: 'Account Name', email: 'Email', recordId: 'Record Id' }],
  ])('%s: columns %j', async (name, headers) => {
    expect(headersOf(await read(name))).toEqual(headers);
  });

  test.each<[string, string]>([
    ['apollo_people', 'ONE_COMPANY'],
    ['apollo_people', 'PLACEHOLDER'],
    ['cp1251', 'LEGACY_ENCODING'],
    ['dedupe_urls', 'NEAR_DUPLICATE'],
    ['dup_headers', 'DUPLICATE_HEADER'],
    ['freemail', 'SHARED_HOST'],
    ['social_websites', 'SHARED_HOST'],
    ['short_rows', 'SHORT_RECORD'],
    ['swapped', 'UNLIKELY_COLUMN'],
  ])('%s: finding %s', async (name, code) => {
    expect(codes(await read(name))).toContain(code);
  });

  test('backslash_quote: no name with half a quote', async () => {
    expect(fields((await read('backslash_quote')).sent).map(({ name }) => name)).toEqual(['Quarry "Lane"']);
  });

  test.each([{}, { encoding: 'windows-1251' }])('cp1251: row 3 goes by its website, with %j', async (flags) => {
    const file = await read('cp1251', [], flags);
    expect(file.input.encoding).toBe('windows-1251');
    expect(fields(file.sent)).toEqual([{ website: 'vektor.example' }]);
    expect(file.rejects).toEqual(['NO_USABLE_FIELD']);
  });

  test('dedupe_contacts: eight rows of one company', async () => {
    const { findings } = (await read('dedupe_contacts')).input;
    expect(findings).toEqual([expect.objectContaining({ code: 'ONE_COMPANY', count: 8, companies: 1, by: 'website' })]);
  });

  test('dup_headers: the filled columns are taken, --map website=#2 the empty one', async () => {
    const { website, email } = (await read('dup_headers')).input.columns;
    expect([website, email]).toMatchObject([
      { index: 2, from: 'values' },
      { index: 4, from: 'values' },
    ]);
    const mapped = await read('dup_headers', ['website=#2']);
    expect(mapped.input.columns.website).toMatchObject({ index: 1, from: 'flag' });
    expect(mapped.sent.every((row) => row.website === undefined)).toBe(true);
  });

  test('excel_text_prefix and html_entities: clean values', async () => {
    expect(fields((await read('excel_text_prefix')).sent)).toEqual([
      { name: 'Fernhill Press', website: 'fernhill-press.example', recordId: '5725767000000410069' },
      { name: 'Quarry Lane', website: 'quarry-lane.example', recordId: '5725767000000410070' },
    ]);
    expect((await read('html_entities')).sent.map(({ name }) => name)).toEqual([
      'Smith & Jones',
      "O'Neil Foods",
      "L'agapé",
    ]);
  });

  test('mixed_encoding: the pasted line alone is a reject, and the keys are those of mixed_encoding_base', async () => {
    const [mixed, base] = [await read('mixed_encoding'), await read('mixed_encoding_base')];
    expect(mixed.rejects).toEqual(['UNREADABLE']);
    expect(mixed.rows.slice(0, 4).map(({ key }) => key)).toEqual(base.rows.map(({ key }) => key));
    const bytes = await readFile(join(folder, 'mixed_encoding.csv'));
    const own = Buffer.concat(mixed.rows.map(({ raw }) => utf8Bytes(`${raw}\n`)));
    expect(bytes.subarray(bytes.length - own.length)).toEqual(own);
  });

  test('multi_emails: no two addresses at once', async () => {
    for (const { email = '' } of (await read('multi_emails')).sent) expect(email.split('@')).toHaveLength(2);
  });

  test('placeholder_websites: at most one passes', async () => {
    expect((await read('placeholder_websites')).sent.map(({ website }) => website)).toEqual(['under.construction']);
  });

  test('record_ids: what a spreadsheet spoiled is rejected', async () => {
    expect((await read('record_ids')).sent.map(({ name }) => name)).toEqual(
      [5, 6, 7, 12, 13].map((number) => `Fernhill ${number}`),
    );
  });

  test('swapped: the columns are named', async () => {
    expect((await read('swapped')).input.findings).toEqual([
      expect.objectContaining({ code: 'UNLIKELY_COLUMN', swapped: true, fields: ['name', 'email', 'website'] }),
    ]);
  });

  test('title_rows: the header is named, and --header-line takes it', async () => {
    await expect(read('title_rows')).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('Line 4') });
    expect(fields((await read('title_rows', [], { headerLine: 4 })).sent)).toEqual([
      { name: 'Fernhill Press', website: 'fernhill-press.example' },
    ]);
  });

  test('no-header: the first line is no header, also for a mapping by position', async () => {
    await expect(read('no-header')).rejects.toMatchObject({ code: 'NO_HEADER', exitCode: 2 });
    await expect(read('no-header', ['name=#1'])).rejects.toMatchObject({ code: 'NO_HEADER' });
  });
});

describe('record ids', () => {
  let scratch = '';
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'zia-field-test-'));
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  test('one id on different companies rejects all of them, on one company it is the same row', async () => {
    const id = (end: string) => `57257670000004100${end}`;
    const path = join(scratch, 'ids.csv');
    const lines = [
      ['Fernhill Press', 'fernhill.example', id('69')],
      ['Quarry Lane', 'quarry.example', id('69')],
      ['Heron Ltd', 'heron.example', id('70')],
      ['Heron Limited', 'www.heron.example/en', id('70')],
      ['Saltmarsh', 'saltmarsh.example', id('71')],
    ];
    await writeFile(path, ['Company,Website,Record Id', ...lines.map((cells) => cells.join())].join('\n'));
    const { rows, rejects, sent } = await read(path);
    expect(rejects).toEqual(['SHARED_RECORD_ID', 'SHARED_RECORD_ID']);
    expect(rows[3]?.key).toBe(rows[2]?.key);
    expect(sent.map(({ name }) => name)).toEqual(['Heron Ltd', 'Saltmarsh']);
  });
});
