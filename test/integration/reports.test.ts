import { linkSync, symlinkSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UnrecoverableError } from 'bullmq';
import { parse } from 'csv-parse/sync';
import { ADDED_COLUMNS } from '../../src/lib/core/added-columns.js';
import { findColumns } from '../../src/lib/core/columns.js';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import { openCsv } from '../../src/lib/csv/csv-source.js';
import { type FileRow, readRows } from '../../src/lib/csv/row-reader.js';
import type { Input } from '../../src/lib/csv/with-input.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { jobOptions } from '../../src/lib/queues.js';
import { type ExportReport, exportFile, exportPathOf } from '../../src/reports/export-file.js';
import { fileStatus } from '../../src/reports/file-status.js';
import { queueStatus } from '../../src/reports/queue-status.js';
import { ENGINE_KINDS, ENGINES_IN_TURN, openTestEngine } from '../support/engines.js';
import { withScratch } from '../support/scratch.js';
import { waitFor } from '../support/wait.js';

const LIMITS = { callsPerSecond: 0, maxInFlight: 100, permitTtlMs: 60_000 };
const CLAIM_LOST_AFTER_MS = 60_000;
const ID = '5843000000000000123' as EnrichmentId;

/** What can have happened to a row, done for real on the store and the queue of one engine. */
function fates(engine: Engine) {
  const claim = async ({ key, parsed }: FileRow): Promise<{ key: IdentityKey; callId: string }> => {
    if (key === undefined || !parsed.ok) throw new Error('only a row can be claimed');
    const callId = `call-${key}`;
    const admission = await engine.store.admit({
      key,
      callId,
      sent: parsed.row,
      limits: LIMITS,
      claimLostAfterMs: CLAIM_LOST_AFTER_MS,
    });
    expect(admission.kind).toBe('go');
    return { key, callId };
  };
  return {
    sending: claim,
    submitted: async (row: FileRow, notes: readonly string[] = []) => {
      const { key, callId } = await claim(row);
      await engine.store.settle(key, callId, ID, notes);
    },
    uncertain: async (row: FileRow) => {
      const { key, callId } = await claim(row);
      await engine.store.markUncertain(key, callId, 'ETIMEDOUT');
    },
    held: async (row: FileRow) => {
      const { key, callId } = await claim(row);
      await engine.store.markUncertain(key, callId, 'ECONNRESET');
      await engine.store.hold(key, callId, 'ECHO_UNKNOWN');
    },
    cleared: async (row: FileRow) => {
      const { key, callId } = await claim(row);
      await engine.store.markUncertain(key, callId, 'ECONNRESET');
      await engine.store.clear(key, callId);
    },
  };
}

describe.each(ENGINES_IN_TURN)('reports on the %s engine', (kind) => {
  let engine: Engine;
  let close: () => Promise<void>;
  beforeEach(async () => {
    ({ engine, close } = await openTestEngine(kind));
  });
  afterEach(() => close());

  async function enqueue(...rows: readonly FileRow[]): Promise<void> {
    const queue = engine.openQueue();
    for (const { key, parsed, lineNumber } of rows) {
      if (key === undefined || !parsed.ok) throw new Error('only a row can be enqueued');
      await queue.add('enrich', { v: 1, ...parsed.row, line: lineNumber }, jobOptions(key, 5));
    }
    await queue.close();
  }

  /** Works every waiting job off, each ending with this message for good. */
  async function failWaiting(message: string): Promise<void> {
    const { waiting, failed } = await engine.counts();
    const worker = engine.openWorker(
      () => {
        throw new UnrecoverableError(message);
      },
      { autorun: true },
    );
    await waitFor(async () => (await engine.counts()).failed === failed + waiting, { what: 'the jobs to fail' });
    await worker.close();
  }

  /** A file on disk, opened as the commands open it. */
  async function withFile<T>(
    content: string | Buffer,
    work: (file: Input, rows: readonly FileRow[], folder: string) => Promise<T>,
  ): Promise<T> {
    return withScratch(async (folder) => {
      const path = join(folder, 'accounts.csv');
      await writeFile(path, content);
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

  async function exported(file: Input): Promise<ExportReport & { text: string; records: Record<string, string>[] }> {
    const report = await exportFile(file);
    const text = await readFile(report.out, 'utf8');
    const records = parse(text, { columns: true, bom: true, delimiter: file.source.delimiter }) as Record<
      string,
      string
    >[];
    return { ...report, text, records };
  }

  /** One row for each thing that can have happened. */
  const EVERY_FATE = `Company,Website
Not Queued Ltd,nq.example.com
Waiting Ltd,waiting.example.com
Submitted Ltd,submitted.example.com
Uncertain Ltd,uncertain.example.com
Held Ltd,held.example.com
Sending Ltd,sending.example.com
Cleared Ltd,cleared.example.com
Cleared And Queued Ltd,cq.example.com
x,
Submitted Ltd,submitted.example.com
Failed Ltd,failed.example.com
`;

  async function makeEveryFate(rows: readonly FileRow[]): Promise<void> {
    const row = (at: number) => {
      const found = rows[at];
      if (found === undefined) throw new Error(`no row ${at}`);
      return found;
    };
    const make = fates(engine);
    await enqueue(row(10));
    await failWaiting('INVALID_DATA: Zoho does not accept this name.');
    await enqueue(row(1), row(7));
    await make.submitted(row(2), ['email refused by Zoho (INVALID_DATA), sent without it']);
    await make.uncertain(row(3));
    await make.held(row(4));
    await make.sending(row(5));
    await make.cleared(row(6));
    await make.cleared(row(7));
  }

  test('counts each row of a file once, a repeated row with the outcome of its first', async () => {
    await withFile(EVERY_FATE, async (file, rows) => {
      await makeEveryFate(rows);
      expect(await fileStatus(file)).toEqual({
        rows: 11,
        submitted: 2,
        enriched: 0,
        notFound: 0,
        waiting: 3,
        failed: 1,
        rejected: 1,
        notEnqueued: 2,
        uncertain: 2,
      });
    });
  });

  test('exports what happened to each row, in input order', async () => {
    await withFile(EVERY_FATE, async (file, rows, folder) => {
      await makeEveryFate(rows);
      const { out, counts, records } = await exported(file);
      expect(out).toBe(join(folder, 'accounts.zia.csv'));
      expect(counts).toEqual(await fileStatus(file));
      expect(records.map((record) => `${record.Company} ${record.zia_status} ${record.zia_error_code}`)).toEqual([
        'Not Queued Ltd not_enqueued ',
        'Waiting Ltd waiting ',
        'Submitted Ltd submitted ',
        'Uncertain Ltd uncertain ETIMEDOUT',
        'Held Ltd uncertain ECHO_UNKNOWN',
        'Sending Ltd waiting ',
        'Cleared Ltd not_enqueued ',
        'Cleared And Queued Ltd waiting ',
        'x rejected NO_USABLE_FIELD',
        'Submitted Ltd submitted ',
        'Failed Ltd failed INVALID_DATA',
      ]);
      const submitted = records[2] ?? {};
      expect(submitted.zia_enrichment_id).toBe(ID);
      expect(Date.parse(submitted.zia_submitted_at ?? '')).toBeGreaterThan(Date.now() - 60_000);
      expect(submitted.zia_notes).toBe('email refused by Zoho (INVALID_DATA), sent without it');
      expect(records[9]).toEqual({ ...submitted, zia_notes: `repeats line 4; ${submitted.zia_notes}` });
      expect(records[10]?.zia_error).toBe('Zoho does not accept this name.');
    });
  });

  test('keeps a row submitted whatever became of its job', async () => {
    await withFile('Company\nAcme Ltd\n', async (file, rows) => {
      await enqueue(...rows);
      await failWaiting('INTERNAL: something broke after the answer');
      if (rows[0]) await fates(engine).submitted(rows[0]);
      expect(await fileStatus(file)).toMatchObject({ submitted: 1, failed: 0 });
    });
  });

  test('makes a message harmless that a spreadsheet would run, and leaves the input alone', async () => {
    await withFile('Company,Remark\nAcme Ltd,=1+1\n', async (file, rows) => {
      await enqueue(...rows);
      await failWaiting('INVALID_DATA: =HYPERLINK("http://example.com")');
      const { records } = await exported(file);
      expect(records[0]).toMatchObject({ Remark: '=1+1', zia_error: '\'=HYPERLINK("http://example.com")' });
    });
  });

  test('passes on a failure that names no code', async () => {
    await withFile('Company\nAcme Ltd\n', async (file, rows) => {
      await enqueue(...rows);
      await failWaiting('something unexpected: a bug');
      const { records } = await exported(file);
      expect(records[0]).toMatchObject({ zia_error_code: 'JOB_FAILED', zia_error: 'something unexpected: a bug' });
    });
  });

  test('reports more rows than one chunk holds', async () => {
    const lines = Array.from({ length: 2_500 }, (_, at) => `Company Number ${at},`);
    await withFile(`Company,Website\n${lines.join('\n')}\n`, async (file, rows) => {
      await enqueue(...rows.slice(1_990, 2_010));
      const { counts, records } = await exported(file);
      expect(counts).toMatchObject({ rows: 2_500, waiting: 20, notEnqueued: 2_480 });
      expect(records.flatMap((record, at) => (record.zia_status === 'waiting' ? [at] : []))).toEqual(
        Array.from({ length: 20 }, (_, at) => 1_990 + at),
      );
    });
  });

  test('counts a row once that is settled and whose job has not ended yet', async () => {
    await withFile('Company\nAcme Ltd\nEmber Ltd\n', async (_file, rows) => {
      await enqueue(...rows);
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const worker = engine.openWorker(
        async () => {
          await gate;
          return { id: ID };
        },
        { autorun: true, concurrency: 2 },
      );
      try {
        await waitFor(async () => (await engine.counts()).active === 2, { what: 'the jobs to be active' });
        expect((await queueStatus(engine)).queue).toMatchObject({ waiting: 0, active: 2, completed: 0 });
        const [first] = rows;
        if (first === undefined) throw new Error('the file has rows');
        await fates(engine).submitted(first);
        expect((await queueStatus(engine)).queue).toMatchObject({ waiting: 0, active: 1, completed: 1 });
      } finally {
        release();
        await worker.close();
      }
    });
  });

  test('tells queue, stop, uncertain and held rows as status --json has them', async () => {
    await withFile(EVERY_FATE, async (_file, rows) => {
      await makeEveryFate(rows);
      const running = await queueStatus(engine);
      expect(running).toEqual({
        engine: kind,
        queue: { waiting: 2, active: 0, delayed: 0, completed: 1, failed: 1 },
        stop: null,
        allowance: null,
        budget: null,
        uncertain: 1,
        held: 1,
        pending: 1,
      });
      const stop = {
        code: 'LIMIT_EXCEEDED',
        message: 'The quota is spent.',
        sinceMs: 1_750_000_000_000,
        key: null,
        line: 3,
      };
      await engine.store.control.change(() => stopped(INITIAL_CONTROL, stop));
      expect(await queueStatus(engine)).toEqual({
        ...running,
        stop: { code: 'LIMIT_EXCEEDED', message: 'The quota is spent.', since: '2025-06-15T15:06:40.000Z', epoch: 1 },
      });
    });
  });
});

// What the engine says does not matter to what follows, so the first one will do.
const [KIND] = ENGINE_KINDS;

describe('export of what the input holds', () => {
  let engine: Engine;
  let close: () => Promise<void>;
  beforeEach(async () => {
    ({ engine, close } = await openTestEngine(KIND));
  });
  afterEach(() => close());

  async function exportOf(
    content: string | Buffer,
    options: { out?: (folder: string) => string } = {},
  ): Promise<{ bytes: Buffer; text: string; folder: string[] }> {
    return withScratch(async (folder) => {
      const path = join(folder, 'accounts.csv');
      await writeFile(path, content);
      const source = await openCsv(path);
      try {
        const found = findColumns(source.headers, {});
        if (!found.ok) throw new Error(found.message);
        const { out } = await exportFile({
          source,
          columns: found.columns,
          module: 'Accounts',
          engine,
          out: options.out?.(folder),
        });
        const bytes = await readFile(out);
        return { bytes, text: bytes.toString('utf8'), folder: await readdir(folder) };
      } finally {
        await source.close();
      }
    });
  }

  const ADDED = ADDED_COLUMNS.join(',');
  const NOT_ENQUEUED = `not_enqueued${','.repeat(ADDED_COLUMNS.length - 1)}`;

  test('leaves every cell as it is written, quotes and line ends included', async () => {
    const rows = ['"Acme, Inc.", padded ,"line\r\nbreak"', '"Quoted ""name""",5" disk,', 'Émile & Søn,"plain",x'];
    const { text } = await exportOf(`Company,Size,Remark\r\n${rows.join('\r\n')}\r\n`);
    expect(text).toBe(
      [`Company,Size,Remark,${ADDED}`, ...rows.map((row) => `${row},${NOT_ENQUEUED}`), ''].join('\r\n'),
    );
  });

  test('ends the last row with a line end even if the input does not', async () => {
    const { text } = await exportOf('Company\nAcme Ltd');
    expect(text).toBe(`Company,${ADDED}\nAcme Ltd,${NOT_ENQUEUED}\n`);
  });

  test('lines the added columns up when rows are ragged', async () => {
    const { text } = await exportOf('Company,Website\nShort Ltd\nLong Ltd,long.example.com,extra,more\n');
    expect(parse(text)).toEqual([
      ['Company', 'Website', '', '', ...ADDED.split(',')],
      ['Short Ltd', '', '', '', ...NOT_ENQUEUED.split(',')],
      [
        'Long Ltd',
        'long.example.com',
        'extra',
        'more',
        'rejected',
        '',
        '',
        'TOO_MANY_CELLS',
        expect.any(String),
        ...NOT_ENQUEUED.split(',').slice(5),
      ],
    ]);
  });

  test.each([
    [';', 'Company;Website'],
    ['\t', 'Company\tWebsite'],
    ['|', 'Company|Website'],
  ])('uses the delimiter of the input: %j', async (delimiter, header) => {
    const { text } = await exportOf(`${header}\nAcme Ltd${delimiter}acme.example.com\n`);
    expect(text.split('\n')[1]).toBe(['Acme Ltd', 'acme.example.com', ...NOT_ENQUEUED.split(',')].join(delimiter));
  });

  test('replaces the columns of an earlier export and keeps all others byte for byte', async () => {
    const original = 'Company,Website,Remark\n"Acme, Inc.",acme.example.com,"as is"\nOther Ltd,,"a ""b"""\n';
    const first = await exportOf(original);
    const second = await exportOf(first.bytes);
    expect(second.text).toBe(first.text);
    const inTheMiddle = await exportOf(
      'Company,zia_status,Website\n"Acme, Inc.",submitted,"acme.example.com"\nShort Ltd,submitted\n',
    );
    expect(inTheMiddle.text).toBe(
      `Company,Website,${ADDED}\n"Acme, Inc.","acme.example.com",${NOT_ENQUEUED}\nShort Ltd,,${NOT_ENQUEUED}\n`,
    );
  });

  test('keeps a record with a quote of its own apart from the rows after it', async () => {
    const { text } = await exportOf('Company,Website\n"Broken Ltd,broken.example.com\nFine Ltd,fine.example.com\n');
    const records = parse(text) as string[][];
    expect(records.map((record) => [record[0], record[2], record[5]])).toEqual([
      ['Company', 'zia_status', 'zia_error_code'],
      ['"Broken Ltd', 'rejected', 'UNREADABLE'],
      ['Fine Ltd', 'not_enqueued', ''],
    ]);
  });

  test('begins with a byte order mark when the input had one', async () => {
    const { bytes } = await exportOf('\uFEFFCompany\nAcmé Ltd\n');
    expect(bytes.toString('utf8')).toBe(`\uFEFFCompany,${ADDED}\nAcmé Ltd,${NOT_ENQUEUED}\n`);
  });

  test('turns other encodings into UTF-8 with a mark', async () => {
    const expected = `\uFEFFCompany,${ADDED}\nAcmé Ltd,${NOT_ENQUEUED}\n`;
    const latin = await exportOf(Buffer.from('Company\nAcmé Ltd\n', 'latin1'));
    const wide = await exportOf(Buffer.from('\uFEFFCompany\nAcmé Ltd\n', 'utf16le'));
    expect([latin.text, wide.text]).toEqual([expected, expected]);
  });

  test('leaves nothing but the export behind, and replaces an earlier one', async () => {
    const out = (folder: string) => join(folder, 'out.csv');
    const { folder } = await exportOf('Company\nAcme Ltd\n', { out });
    expect(folder.sort()).toEqual(['accounts.csv', 'out.csv']);
  });

  test.each([
    ['its own name', (folder: string) => join(folder, 'accounts.csv'), 'OUT_IS_INPUT'],
    [
      'a hard link',
      (folder: string) => {
        linkSync(join(folder, 'accounts.csv'), join(folder, 'hard.csv'));
        return join(folder, 'hard.csv');
      },
      'OUT_IS_INPUT',
    ],
    [
      'a symbolic link',
      (folder: string) => {
        symlinkSync(join(folder, 'accounts.csv'), join(folder, 'soft.csv'));
        return join(folder, 'soft.csv');
      },
      'OUT_IS_INPUT',
    ],
    ['a folder', (folder: string) => folder, 'OUT_IS_FOLDER'],
    ['a missing folder', (folder: string) => join(folder, 'no', 'out.csv'), 'OUT_NO_FOLDER'],
  ])('refuses to write to %s', async (_name, out, code) => {
    await withScratch(async (folder) => {
      const path = join(folder, 'accounts.csv');
      await writeFile(path, 'Company\nAcme Ltd\n');
      const source = await openCsv(path);
      const file = { source, columns: { name: 0 }, module: 'Accounts', engine, out: out(folder) };
      await expect(exportFile(file)).rejects.toMatchObject({ code, exitCode: 2 });
      await source.close();
      expect(await readFile(path, 'utf8')).toBe('Company\nAcme Ltd\n');
    });
  });

  test('leaves an earlier export as it was when it ends early', async () => {
    await withScratch(async (folder) => {
      const path = join(folder, 'accounts.csv');
      await writeFile(path, 'Company\nAcme Ltd\n');
      await writeFile(join(folder, 'accounts.zia.csv'), 'earlier');
      const source = await openCsv(path);
      const ended = new AbortController();
      ended.abort();
      const file = { source, columns: { name: 0 }, module: 'Accounts', engine, signal: ended.signal };
      await expect(exportFile(file)).rejects.toThrow();
      await source.close();
      expect(await readFile(join(folder, 'accounts.zia.csv'), 'utf8')).toBe('earlier');
      expect((await readdir(folder)).sort()).toEqual(['accounts.csv', 'accounts.zia.csv']);
    });
  });
});

test.each([
  ['accounts.csv', 'accounts.zia.csv'],
  ['/data/accounts.csv', '/data/accounts.zia.csv'],
  ['/accounts.tsv', '/accounts.zia.tsv'],
  ['../in/accounts', '../in/accounts.zia.csv'],
  ['-', '-'],
])('puts the export of %s beside it, at %s', (input, output) => {
  expect(exportPathOf(input)).toBe(output);
});
