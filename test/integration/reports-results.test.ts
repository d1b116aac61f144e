import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { ADDED_COLUMNS } from '../../src/lib/core/added-columns.js';
import { findColumns } from '../../src/lib/core/columns.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { EnrichedData, FinalStatus, LedgerEntry } from '../../src/lib/core/ledger.js';
import { RESULT_COLUMNS } from '../../src/lib/core/result-columns.js';
import { openCsv } from '../../src/lib/csv/csv-source.js';
import { type FileRow, readRows } from '../../src/lib/csv/row-reader.js';
import type { Input } from '../../src/lib/csv/with-input.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { type ExportChoices, exportFile, exportPathOf } from '../../src/reports/export-file.js';
import { exportLedger } from '../../src/reports/export-ledger.js';
import type { FileCounts } from '../../src/reports/file-counts.js';
import { fileStatus } from '../../src/reports/file-status.js';
import { ENGINES_IN_TURN, openTestEngine } from '../support/engines.js';
import { withScratch } from '../support/scratch.js';

type Records = Record<string, string>[];

/** Everything Zoho documents, with what a spreadsheet would run and what breaks careless quoting. */
const FOUND: EnrichedData = {
  id: 'opaque==',
  name: '=HYPERLINK("http://evil.example","Acme")',
  website: 'https://acme.example',
  ceo: '@SUM(A1)',
  revenue: '$1B',
  no_of_employees: '12000',
  years_in_industry: 12,
  founding_year: '2014',
  org_status: 'Active',
  org_type: 'Private',
  primary_email: 'info@acme.example',
  secondary_email: 'second@acme.example',
  other_emails: ['sales@acme.example', 'info2@acme.example'],
  primary_contact: '+1-555-0100',
  secondary_contact: '555-0101',
  other_contacts: ['555-0102'],
  territory_list: ['EMEA', 'APAC'],
  business_model: ['B2B', 'B2C'],
  address: [
    { country: null, city: null },
    { country: 'Germany', state: 'Bavaria', city: 'Munich', pin_code: '80331', fill_address: '1 "Main" St,\r\nMunich' },
    { country: 'France', city: 'Paris' },
  ],
  head_quarters: [{ country: 'Germany' }],
  description: [
    { title: 'About', description: 'First line\nsecond; "quoted"' },
    { title: 'Only a title', description: null },
  ],
  industries: [{ name: 'Software', description: null }, { name: 'Software' }, { name: 'Games' }],
  social_media: [
    { media_type: 'LINKEDIN', media_url: ['https://linkedin.example/a', 'https://linkedin.example/b'] },
    { media_type: 'Twitter', media_url: ['https://twitter.example/a'] },
    { media_type: 'YOUTUBE', media_url: ['https://youtube.example/a'] },
    'surprise',
  ],
  techno_graphic_data: 'nginx',
  sign_in: 'https://acme.example/in',
  sign_up: { unexpected: true },
};

const CELLS: Record<string, string> = {
  zia_name: '\'=HYPERLINK("http://evil.example","Acme")',
  zia_website: 'https://acme.example',
  zia_industry: 'Software; Games',
  zia_description: 'First line\nsecond; "quoted"; Only a title',
  zia_employees: '12000',
  zia_revenue: '$1B',
  zia_ceo: "'@SUM(A1)",
  zia_founded: '2014',
  zia_years_in_industry: '12',
  zia_org_type: 'Private',
  zia_org_status: 'Active',
  zia_business_model: 'B2B; B2C',
  zia_email: 'info@acme.example',
  zia_other_emails: 'second@acme.example; sales@acme.example; info2@acme.example',
  zia_phone: '+1-555-0100',
  zia_other_phones: '555-0101; 555-0102',
  zia_address: '1 "Main" St,\r\nMunich',
  zia_city: 'Munich',
  zia_state: 'Bavaria',
  zia_postal_code: '80331',
  zia_country: 'Germany',
  zia_headquarters: 'Germany',
  zia_other_addresses: 'Paris, France',
  zia_linkedin: 'https://linkedin.example/a; https://linkedin.example/b',
  zia_twitter: 'https://twitter.example/a',
  zia_facebook: '',
  zia_other_social: 'YOUTUBE https://youtube.example/a',
  zia_territories: 'EMEA; APAC',
  zia_technologies: 'nginx',
  zia_sign_in: 'https://acme.example/in',
  zia_sign_up: '',
};

const FILE = `Company,Remark
Enriched Ltd,=1+1
Not Found Ltd,
Failed Ltd,
Given Up Ltd,
Submitted Ltd,
x,too short
Enriched Ltd,=1+1
New Ltd,
`;

describe.each(ENGINES_IN_TURN)('results in reports on the %s engine', (kind) => {
  let engine: Engine;
  let close: () => Promise<void>;
  beforeEach(async () => {
    ({ engine, close } = await openTestEngine(kind));
  });
  afterEach(() => close());

  let ids = 0;
  async function submit(row: FileRow | undefined, status?: FinalStatus, data: EnrichedData | null = null) {
    if (row?.key === undefined || !row.parsed.ok) throw new Error('only a row can be submitted');
    const limits = { callsPerSecond: 0, maxInFlight: 10_000, permitTtlMs: 60_000 };
    const callId = `call-${row.key}`;
    await engine.store.admit({ key: row.key, callId, sent: row.parsed.row, limits, claimLostAfterMs: 60_000 });
    ids += 1;
    await engine.store.settle(row.key, callId, String(5_000_000 + ids) as EnrichmentId);
    if (status !== undefined) await engine.store.finish(row.key, status, data);
  }

  function notFound({ key, parsed }: FileRow, at: number): [IdentityKey, LedgerEntry] {
    if (key === undefined || !parsed.ok) throw new Error('only a row can be submitted');
    const enrichmentId = String(6_000_000 + at) as EnrichmentId;
    const sent = { callId: `call-${key}`, sentAtMs: 1, sends: 1, sent: parsed.row, enrichmentId, scheduledAtMs: 2 };
    return [key, { state: 'scheduled', ...sent, finalStatus: 'DATA_NOT_FOUND', finishedAtMs: 3 }];
  }

  async function withFile<T>(text: string, work: (file: Input, rows: FileRow[], folder: string) => Promise<T>) {
    return withScratch(async (folder) => {
      const path = join(folder, 'accounts.csv');
      await writeFile(path, text);
      const source = await openCsv(path);
      try {
        const found = findColumns(source.headers, {});
        if (!found.ok) throw new Error(found.message);
        const file = { source, columns: found.columns, module: 'Accounts', engine };
        const rows: FileRow[] = [];
        for await (const batch of readRows(source, file)) rows.push(...batch);
        return await work(file, rows, folder);
      } finally {
        await source.close();
      }
    });
  }

  /** The file with one row for each end, exported. */
  function exported(
    choices: ExportChoices,
    check: (text: string, counts: FileCounts, out: string, written: number) => void | Promise<void>,
  ) {
    return withFile(FILE, async (file, rows) => {
      await submit(rows[0], 'COMPLETED', FOUND);
      await submit(rows[1], 'DATA_NOT_FOUND');
      await submit(rows[2], 'FAILED');
      await submit(rows[3], 'UNFINISHED');
      await submit(rows[4]);
      const { out, counts, written } = await exportFile({ ...file, ...choices });
      expect(counts).toEqual(await fileStatus(file));
      await check(await readFile(out, 'utf8'), counts, out, written);
    });
  }

  test('tell enriched, not found, failed and submitted rows apart, and show what was found in readable columns', () =>
    exported({}, (text, counts) => {
      const records: Records = parse(text, { columns: true });
      expect(records.map(({ zia_status, zia_error_code }) => `${zia_status} ${zia_error_code}`)).toEqual([
        'enriched ',
        'not_found ',
        'failed ENRICHMENT_FAILED',
        'submitted ',
        'submitted ',
        'rejected NO_USABLE_FIELD',
        'enriched ',
        'not_enqueued ',
      ]);
      expect(counts).toMatchObject({ rows: 8, enriched: 2, notFound: 1, failed: 1, submitted: 2, rejected: 1 });
      expect(Object.keys(CELLS)).toEqual(RESULT_COLUMNS);
      expect(records[0]).toMatchObject({ Company: 'Enriched Ltd', Remark: '=1+1', ...CELLS });
      expect(records[6]).toMatchObject({ ...CELLS, zia_notes: 'repeats line 2' });
      for (const at of [1, 2, 3, 4, 5, 7]) {
        expect(RESULT_COLUMNS.filter((column) => records[at]?.[column] !== '')).toEqual([]);
      }
      expect(records[3]?.zia_notes).toBe(
        'Zoho had not finished this row after 0 hours, so its result is no longer asked for',
      );
      expect(records[4]?.zia_notes).toBe('');
    }));

  test('are all there as NDJSON, a line a row', () =>
    exported({ format: 'ndjson' }, (text, _counts, out) => {
      expect(out.endsWith('accounts.zia.ndjson')).toBe(true);
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(rows.map(({ line, status }) => `${line} ${status}`)).toEqual([
        '2 enriched',
        '3 not_found',
        '4 failed',
        '5 submitted',
        '6 submitted',
        '7 rejected',
        '8 enriched',
        '9 not_enqueued',
      ]);
      expect(rows[0]).toEqual({
        line: 2,
        key: expect.stringMatching(/^r1/),
        record: { Company: 'Enriched Ltd', Remark: '=1+1' },
        status: 'enriched',
        enrichmentId: expect.stringMatching(/^\d+$/),
        submittedAt: expect.stringMatching(/^20\d\d-.*Z$/),
        error: null,
        notes: [],
        data: FOUND,
      });
      expect(rows[5]).toMatchObject({ key: null, enrichmentId: null, data: null, error: { code: 'NO_USABLE_FIELD' } });
    }));

  test('can be left out: only some outcomes, for a file to correct and enqueue again', () =>
    exported({ only: ['failed', 'rejected'] }, async (text, counts, out, written) => {
      expect(out.endsWith('accounts.zia.failed-rejected.csv')).toBe(true);
      expect(written).toBe(2);
      expect(counts.rows).toBe(8);
      const records: Records = parse(text, { columns: true });
      expect(records.map(({ Company, zia_status }) => `${Company} ${zia_status}`)).toEqual([
        'Failed Ltd failed',
        'x rejected',
      ]);
      await withFile(text.replace('\nx,', '\nCorrected Ltd,'), async (_file, [failed, corrected]) => {
        expect([failed, corrected].map((row) => (row?.parsed.ok ? row.parsed.row.name : null))).toEqual([
          'Failed Ltd',
          'Corrected Ltd',
        ]);
      });
    }));

  test('of the whole ledger come without a file, each row once, in a form that can be enqueued', () =>
    withFile(FILE, async (_file, rows, folder) => {
      const more = Array.from({ length: 1_200 }, (_, n) => `Number ${n} Ltd,n${n}.example`);
      await submit(rows[0], 'COMPLETED', FOUND);
      await withFile(`Company,Website\n${more.join('\n')}\n`, async (_more, many) => {
        await engine.store.importEntries(new Map(many.map(notFound)), new Map());
      });
      const out = join(folder, 'all.csv');
      const report = await exportLedger({ engine, out });
      expect(report).toMatchObject({ written: 1_201, counts: { rows: 1_201, enriched: 1, notFound: 1_200 } });
      const records: Records = parse(await readFile(out), { columns: true, bom: true });
      expect(new Set(records.map(({ Company }) => Company)).size).toBe(1_201);
      expect(records.find(({ zia_status }) => zia_status === 'enriched')).toMatchObject({
        Company: 'Enriched Ltd',
        Module: 'Accounts',
        ...CELLS,
      });
      await withFile(await readFile(out, 'utf8'), async (_again, again) => {
        const keys = again.flatMap(({ key }): IdentityKey[] => (key === undefined ? [] : [key]));
        expect((await engine.store.entries(keys)).size).toBe(1_201);
      });
      const some = await exportLedger({
        engine,
        out: join(folder, 'some.ndjson'),
        format: 'ndjson',
        only: ['enriched'],
      });
      expect(some.written).toBe(1);
      expect(JSON.parse(await readFile(join(folder, 'some.ndjson'), 'utf8'))).toMatchObject({
        line: null,
        record: { Company: 'Enriched Ltd', Module: 'Accounts' },
        data: FOUND,
      });
    }));
});

test('the documentation names every added column, in order', async () => {
  const text = await readFile('docs/export.md', 'utf8');
  const rows = text.matchAll(/^\| ((?:`zia_\w+`(?:, )?)+) \|/gm);
  expect([...rows].flatMap(([, names]) => names?.match(/zia_\w+/g) ?? [])).toEqual(ADDED_COLUMNS);
});

test.each([
  [{ format: 'ndjson' as const }, '/data/accounts.zia.ndjson'],
  [{ only: ['failed' as const, 'rejected' as const] }, '/data/accounts.zia.failed-rejected.csv'],
  [{}, '/data/accounts.zia.csv'],
])('names an export by what it holds: %j', (choices, name) => {
  expect(exportPathOf('/data/accounts.csv', choices)).toBe(name);
});
