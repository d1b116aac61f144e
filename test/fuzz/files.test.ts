import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { MAPPED_FIELDS } from '../../src/lib/core/columns.js';
import type { InputCheck } from '../../src/lib/core/input-check.js';
import { parseRow, type Row } from '../../src/lib/core/row.js';
import { openCsv } from '../../src/lib/csv/csv-source.js';
import { UsageError } from '../../src/lib/errors.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import type { EnqueueReport } from '../../src/producers/csv-producer.js';
import { enqueueFile } from '../../src/producers/enqueue-file.js';
import { openTestEngine } from '../support/engines.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';

jest.setTimeout(FUZZ_TIMEOUT_MS);

let folder = '';
let opened: Awaited<ReturnType<typeof openTestEngine>>;
let queue: EnrichQueue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zia-fuzz-'));
  opened = await openTestEngine('redis');
  queue = opened.engine.openQueue();
});
afterAll(async () => {
  await queue.close();
  await opened.close();
  await rm(folder, { recursive: true });
});

interface Queued {
  readonly report: EnqueueReport;
  readonly rows: readonly Row[];
  /** What ends its records. */
  readonly lineEnds: string[];
}

/** Queues a file in the one store of all runs, so that later files hold rows that are known; null when it is refused. */
async function queueFile(bytes: Buffer): Promise<Queued | null> {
  const path = join(folder, 'input.csv');
  await writeFile(path, bytes);
  const rows: Row[] = [];
  const addBulk: EnrichQueue['addBulk'] = (jobs) => {
    for (const { data } of jobs) {
      const { v: _version, line: _line, queuedAtMs: _queuedAtMs, ...row } = data;
      rows.push(row);
    }
    return queue.addBulk(jobs);
  };
  try {
    const { engine } = opened;
    const rejectsPath = join(folder, 'rejects.csv');
    const options = {
      path,
      mapFlags: [],
      module: 'Accounts',
      engine,
      queue: { addBulk, remove: queue.remove.bind(queue) },
      maxAttempts: 5,
      rejectsPath,
    };
    const report = await enqueueFile(options);
    const source = await openCsv(path);
    await source.close();
    return { report, rows, lineEnds: source.lineEnd === '\r' ? ['\r'] : ['\r\n', '\n'] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(rows).toEqual([]);
    return null;
  }
}

/** The records below the header as plain csv-parse reads them; null when it refuses the file. */
function plainRecords(bytes: Buffer, { report, lineEnds }: Queued): readonly string[][] | null {
  const { encoding, delimiter, headerLine } = report.input;
  const text = iconv.decode(bytes, encoding);
  try {
    const records: string[][] = parse(text, {
      delimiter,
      record_delimiter: lineEnds,
      relax_column_count: true,
      from_line: headerLine,
    });
    return records.slice(1).filter((cells) => cells.some((cell) => cell.trim() !== ''));
  } catch {
    return null;
  }
}

/** What plain csv-parse's records say, each as often as it is there. */
function plainRows(records: readonly string[][], { columns }: InputCheck): Map<string, number> {
  const rows = new Map<string, number>();
  for (const cells of records) {
    const fields = MAPPED_FIELDS.map((field) => [field, cells[columns[field]?.index ?? -1] ?? '']);
    const parsed = parseRow({ module: 'Accounts', ...Object.fromEntries(fields) });
    if (!parsed.ok) continue;
    const text = JSON.stringify(parsed.row);
    rows.set(text, (rows.get(text) ?? 0) + 1);
  }
  return rows;
}

const ENCODINGS: readonly (readonly [string, string])[] = [
  ['utf8', ''],
  ['utf8', '\uFEFF'],
  ['utf16-le', '\uFEFF'],
  ['utf16-be', '\uFEFF'],
  ['win1252', ''],
];
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('', 'Fernhill Press', 'Müller & Söhne', 'Quarry, Lane', '5" Pipes', 'N/A') },
  { weight: 3, arbitrary: fc.constantFrom('info@fernhill.example', 'fernhill.example', 'https://quarry.example/en') },
  { weight: 1, arbitrary: fc.constantFrom('5725767000000410069', 'Two\nLines', 'a;b|c', '\t', '"', "'x'", 'Total') },
  { weight: 2, arbitrary: fc.stringMatching(/^[A-Za-zäöüéèñß ,;|"'-]{0,12}$/) },
);
const file = fc.record({
  headers: fc.constantFrom(
    ['Company', 'Email', 'Website'],
    ['Website', 'City', 'Company'],
    ['Record Id', 'Account Name', 'Website', 'Phone'],
    ['Firma', 'Webseite'],
  ),
  cells: fc.array(fc.array(value, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 15 }),
  dialect: fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    record_delimiter: fc.constantFrom('\n', '\r\n', '\r'),
    quoted: fc.boolean(),
  }),
  encoding: fc.constantFrom(...ENCODINGS),
  /** What somebody's hand, or a broken program, put in: text at a place in the file. */
  damage: fc.array(
    fc.tuple(fc.nat(), fc.constantFrom('"', '""', ',', ';', '\n', '\r', '\r\n', '\n\n', ',,,\n', '\\"', "'")),
    { maxLength: 3 },
  ),
});

test('what is queued is in the file as plain csv-parse reads it, and every record is counted', async () => {
  await fc.assert(
    fc.asyncProperty(file, async ({ headers, cells, dialect, encoding: [encoding, mark], damage }) => {
      const rows = cells.map((row) => row.slice(0, headers.length));
      let body = stringify(rows, { ...dialect, quoted_match: /[\r\n]/ });
      for (const [at, text] of damage) {
        const place = at % (body.length + 1);
        body = body.slice(0, place) + text + body.slice(place);
      }
      const bytes = iconv.encode(mark + stringify([headers], dialect) + body, encoding);
      const queued = await queueFile(bytes);
      if (queued === null) return;
      const { report } = queued;
      expect(report.enqueued + report.duplicates + report.known + report.rejected).toBe(report.rows);
      expect(queued.rows).toHaveLength(report.enqueued);

      const records = plainRecords(bytes, queued);
      if (records === null) return;
      expect(report.rows).toBe(records.length);
      const known = plainRows(records, report.input);
      for (const row of queued.rows) {
        const left = known.get(JSON.stringify(row)) ?? 0;
        expect([row, left > 0]).toEqual([row, true]);
        known.set(JSON.stringify(row), left - 1);
      }
    }),
    fuzz(2),
  );
});
