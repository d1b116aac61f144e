import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ColumnOverrides } from '../../src/lib/core/columns.js';
import { identityKey } from '../../src/lib/core/identity.js';
import type { EnrichmentId } from '../../src/lib/core/ids.js';
import type { Row } from '../../src/lib/core/row.js';
import { type CsvRecord, openCsv } from '../../src/lib/csv/csv-source.js';
import { resolveColumns } from '../../src/lib/csv/resolve-columns.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EngineSettings } from '../../src/lib/engine/open-engine.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import type { EnqueueReport } from '../../src/producers/csv-producer.js';
import { type EnqueueFileOptions, enqueueFile } from '../../src/producers/enqueue-file.js';
import { planFile } from '../../src/producers/plan-file.js';
import { ENGINES_IN_TURN, openTestEngine } from '../support/engines.js';

const CHILD = fileURLToPath(new URL('../fixtures/csv/enqueue-child.mjs', import.meta.url));
const LIMITS = { callsPerSecond: 0, maxInFlight: 10, permitTtlMs: 60_000 };

describe.each(ENGINES_IN_TURN)('enqueueFile on the %s engine', (kind) => {
  let folder = '';
  let engine: Engine;
  let settings: EngineSettings;
  let queue: EnrichQueue;
  let closeEngine: () => Promise<void>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'zia-producer-test-'));
    ({ engine, settings, close: closeEngine } = await openTestEngine(kind));
    queue = engine.openQueue();
  });
  afterEach(async () => {
    await queue.close();
    await closeEngine();
    await rm(folder, { recursive: true, force: true });
  });

  async function file(text: string, name = 'accounts.csv'): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  }

  const enqueue = (path: string, options: Partial<EnqueueFileOptions> = {}): Promise<EnqueueReport> =>
    enqueueFile({ path, mapFlags: [], module: 'Accounts', maxAttempts: 5, engine, queue, ...options });

  const waiting = () => queue.getWaiting(0, -1);
  const names = async () => (await waiting()).map((job) => job.data.name);

  const companies = (count: number, from = 0) =>
    Array.from({ length: count }, (_, at) => `Company ${from + at},info@c${from + at}.example`);
  const table = (lines: readonly string[]) => `Company,Email\n${lines.join('\n')}\n`;

  test('makes one job a row: payload, job id, attempts and backoff', async () => {
    const path = await file('Record Id,Company,Email,Website\nzcrm_5725767000000410057,Acme Ltd,HP,www.acme.example\n');
    expect(await enqueue(path, { module: 'Leads' })).toEqual({
      file: path,
      rows: 1,
      enqueued: 1,
      replaced: 0,
      duplicates: 0,
      known: 0,
      knownUnderOtherColumns: 0,
      rejected: 0,
      rejectsFile: null,
      fieldsLeftOut: 1,
      input: expect.objectContaining({
        delimiter: ',',
        encoding: 'utf-8',
        headerLine: 1,
        findings: [{ code: 'UNUSABLE_VALUE', count: 1, lines: [2], fields: ['email'] }],
      }),
    });
    const row: Row = {
      module: 'Leads',
      recordId: '5725767000000410057',
      name: 'Acme Ltd',
      website: 'www.acme.example',
    };
    const [job] = await waiting();
    expect(job).toMatchObject({
      id: identityKey(row),
      name: 'enrich',
      opts: { attempts: 5 },
    });
    expect(job?.data).toEqual({ v: 1, line: 2, queuedAtMs: expect.any(Number), ...row });
  });

  test('keeps the order of the file over many chunks', async () => {
    const path = await file(table(companies(1_800)));
    expect(await enqueue(path)).toMatchObject({ rows: 1_800, enqueued: 1_800 });
    expect(await names()).toEqual(companies(1_800).map((line) => line.split(',')[0]));
  });

  test('counts rows that repeat an earlier one, in the same chunk and in a later one', async () => {
    const lines = [
      ...companies(2_000),
      'COMPANY  1,INFO@c1.example',
      ' Company 1 ,info@c1.example',
      'Company 1,',
      'HP,',
    ];
    expect(await enqueue(await file(table(lines)))).toMatchObject({
      rows: 2_004,
      enqueued: 2_001,
      duplicates: 2,
      known: 0,
      rejected: 1,
    });
  });

  test('queues nothing when the same file comes again, also sorted differently', async () => {
    await enqueue(await file(table(companies(1_500))));
    const all = { rows: 1_500, enqueued: 0, duplicates: 0, known: 1_500 };
    expect(await enqueue(join(folder, 'accounts.csv'))).toMatchObject(all);
    expect(await enqueue(await file(table(companies(1_500).reverse())))).toMatchObject(all);
    expect(await waiting()).toHaveLength(1_500);
  });

  test('queues only what an edited file adds', async () => {
    await enqueue(await file(table(companies(50))));
    const report = await enqueue(await file(table([...companies(5, 100), ...companies(50)])));
    expect(report).toMatchObject({ rows: 55, enqueued: 5, known: 50 });
    expect((await names()).slice(-5)).toEqual(companies(5, 100).map((line) => line.split(',')[0]));
  });

  test('counts a row of the ledger as known when its job is gone, unless it was cleared; one whose fate is open gets a job', async () => {
    const rows: readonly Row[] = [0, 1, 2].map((at) => ({ module: 'Accounts', name: `Company ${at}` }));
    for (const [at, row] of rows.entries()) {
      const key = identityKey(row);
      const callId = `call-${at}`;
      await engine.store.admit({ key, callId, limits: LIMITS, sent: row, claimLostAfterMs: 60_000 });
      if (at === 0) await engine.store.settle(key, callId, '410405000002264025' as EnrichmentId);
      if (at > 0) await engine.store.markUncertain(key, callId, 'LOST');
      if (at === 2) await engine.store.clear(key, callId);
    }
    const report = await enqueue(await file('Company\nCompany 0\nCompany 1\nCompany 2\nCompany 3\n'));
    expect(report).toMatchObject({ rows: 4, enqueued: 2, known: 2 });
    expect(await names()).toEqual(['Company 1', 'Company 2', 'Company 3']);
  });

  test('takes the first new rows up to the limit and reads no further', async () => {
    const path = await file(table(['HP,', ...companies(2_500), 'HP,']));
    expect(await enqueue(path, { limit: 3 })).toMatchObject({ rows: 4, enqueued: 3, known: 0, rejected: 1 });
    expect(await enqueue(path, { limit: 1_200 })).toMatchObject({
      rows: 1_204,
      enqueued: 1_200,
      known: 3,
      rejected: 1,
    });
    expect(await enqueue(path, { limit: 5_000 })).toMatchObject({
      rows: 2_502,
      enqueued: 1_297,
      known: 1_203,
      rejected: 2,
    });
    expect(await names()).toEqual(companies(2_500).map((line) => line.split(',')[0]));
  });

  test('reports progress after each chunk, up to all rows', async () => {
    const seen: { rows: number; total: number }[] = [];
    await enqueue(await file(table(companies(2_200))), { onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual([500, 1_000, 1_500, 2_000, 2_200].map((rows) => ({ rows, total: 2_200 })));
  });

  test('ends between two chunks when aborted, keeps what is queued, and goes on when started again', async () => {
    const path = await file(table(['HP,', ...companies(5_000)]));
    const stop = new AbortController();
    const aborted = enqueue(path, { signal: stop.signal, onProgress: () => stop.abort(new Error('Interrupted.')) });
    await expect(aborted).rejects.toThrow('Interrupted.');
    const queued = (await queue.getJobCounts('waiting')).waiting ?? 0;
    expect(queued).toBeGreaterThanOrEqual(499);
    expect(queued).toBeLessThan(5_000);
    expect(await readdir(folder)).toEqual(['accounts.csv']);
    expect(await enqueue(path)).toMatchObject({ rows: 5_001, enqueued: 5_000 - queued, known: queued, rejected: 1 });
  });

  test('ends with the same jobs in the same order when it is killed midway and started again', async () => {
    const path = await file(table(['HP,', ...companies(2_000)]));
    // It freezes itself after its first chunk, so that it is midway however slow this process is.
    const child = spawn(process.execPath, [CHILD, JSON.stringify(settings), path, 'freeze'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const queued = (await queue.getJobCounts('waiting')).waiting ?? 0;
    expect(queued).toBeGreaterThan(0);
    expect(queued).toBeLessThan(2_000);
    expect(await enqueue(path)).toMatchObject({ rows: 2_001, enqueued: 2_000 - queued, known: queued, rejected: 1 });
    expect(await names()).toEqual(companies(2_000).map((line) => line.split(',')[0]));
    expect(await readdir(folder)).toEqual(['accounts.csv', 'accounts.rejects.csv']);
  }, 60_000);

  test('queues nothing when the mapping is wrong, and keeps the rejects of an earlier run', async () => {
    const path = await file('Town,Phone\nBonn,1234\n');
    await file('kept', 'accounts.rejects.csv');
    await expect(enqueue(path)).rejects.toMatchObject({ code: 'NO_USABLE_COLUMN', exitCode: 2 });
    await expect(enqueue(path, { mapFlags: ['name=Firm'] })).rejects.toMatchObject({ code: 'UNKNOWN_COLUMN' });
    await expect(enqueue(path, { mapFlags: ['firm=Town'] })).rejects.toMatchObject({ code: 'BAD_MAP_FLAG' });
    expect(await waiting()).toEqual([]);
    expect(await readFile(join(folder, 'accounts.rejects.csv'), 'utf8')).toBe('kept');
  });

  test('refuses to put the rejects in the place of the file itself', async () => {
    const path = await file('Company,Email\nAcme Ltd,x\nx,y\n');
    for (const rejectsPath of [path, join(folder, '..', basename(folder), 'accounts.csv')]) {
      await expect(enqueue(path, { rejectsPath })).rejects.toMatchObject({ code: 'REJECTS_ARE_INPUT', exitCode: 2 });
    }
    expect(await waiting()).toEqual([]);
    expect(await readdir(folder)).toEqual(['accounts.csv']);
  });

  test('remembers a mapping for later commands on the same header row', async () => {
    const path = await file('Town,Firm,Email\nBonn,Acme Ltd,info@acme.example\n');
    const columns = async (headers: readonly string[], flags: readonly string[] = []) =>
      resolveColumns({ headers }, flags, engine.store);
    await enqueue(path, { mapFlags: ['name=Town', 'email='] });
    expect(await columns(['Town', 'Firm', 'Email'])).toEqual({ name: 0 });
    expect(await columns(['Town', 'Firm', 'Email', 'Zip'])).toEqual({ name: 1, email: 2 });
    expect(await enqueue(path)).toMatchObject({ enqueued: 0, known: 1 });
    expect(await columns(['Town', 'Firm', 'Email'], ['name=Firm'])).toEqual({ name: 1, email: 2 });
    expect(await columns(['Town', 'Firm', 'Email'])).toEqual({ name: 1, email: 2 });
    const { value } = await engine.store.document<readonly { overrides: ColumnOverrides }[]>('mappings').read();
    expect(value?.map((entry) => entry.overrides)).toEqual([{ name: 'Firm' }]);
  });

  test('remembers what to keep, so that reports read the file as it was sent', async () => {
    const path = await file('Company,Website\nNone,linkedin.com\nAcme Ltd,acme.example\n');
    const plan = (csv?: EnqueueFileOptions['csv']) =>
      planFile({ path, mapFlags: [], module: 'Accounts', engine, covers: null, csv });
    const kept = { keep: ['placeholders' as const] };
    expect(await plan(kept)).toMatchObject({ enqueued: 2, rejected: 0 });
    expect(await plan()).toMatchObject({ enqueued: 1, rejected: 1 });
    await enqueue(path, { csv: kept });
    const { input, ...counts } = await plan();
    expect(counts).toMatchObject({ known: 2, rejected: 0 });
    expect(input.findings).toContainEqual({
      code: 'REMEMBERED_KEEP',
      count: 1,
      lines: [],
      keep: ['placeholders'],
    });
    await file('Company,Website\nNone,linkedin.com\nAcme Ltd,acme.example\nBeta Ltd,\n');
    await enqueue(path, { csv: { keep: [] }, mapFlags: ['name=Company'] });
    const again = await plan();
    expect(again).toMatchObject({ known: 2, rejected: 1 });
    expect(again.input.findings).toContainEqual(expect.objectContaining({ code: 'REMEMBERED_MAPPING' }));
  });

  test('does not remember a mapping that leads nowhere', async () => {
    const source = { headers: ['Town', 'Firm'] };
    await expect(resolveColumns(source, ['name=Street'], engine.store)).rejects.toMatchObject({
      code: 'UNKNOWN_COLUMN',
    });
    expect(await resolveColumns(source, [], engine.store)).toEqual({ name: 1 });
  });

  test('reads standard input, with its rejects where it is told', async () => {
    const stdin = Readable.from([Buffer.from('Company\nAcme Ltd\nHP\n')]);
    const rejectsPath = join(folder, 'mine.csv');
    expect(await enqueue('-', { stdin, rejectsPath })).toMatchObject({
      file: '-',
      enqueued: 1,
      rejectsFile: rejectsPath,
    });
  });

  test('writes rejects with the original columns, and the mended file is a file again', async () => {
    const text =
      '\uFEFFCompany;Note;Record Id\r\n"Acme; Ltd";"two\r\nlines";5.7E+18\r\nHP;x\r\n"Open;y;\r\nBeta Ltd;z;5725767000000410042;\r\n';
    const report = await enqueue(await file(text));
    const rejectsFile = join(folder, 'accounts.rejects.csv');
    expect(report).toMatchObject({ rows: 4, enqueued: 1, rejected: 3, rejectsFile });
    const written = await readFile(rejectsFile, 'utf8');
    expect(written.startsWith('\uFEFFCompany;Note;Record Id;;zia_line;zia_error_code;zia_error\r\n')).toBe(true);
    const rejects = await openCsv(rejectsFile);
    const { value: records } = await rejects.batches()[Symbol.asyncIterator]().next();
    await rejects.close();
    expect(records.map((record: CsvRecord) => record.cells.slice(0, 6))).toEqual([
      ['Acme; Ltd', 'two\r\nlines', '5.7E+18', '', '2', 'BAD_RECORD_ID'],
      ['HP', 'x', '', '', '4', 'NO_USABLE_FIELD'],
      ['"Open', 'y', '', '', '5', 'UNREADABLE'],
    ]);
    await writeFile(rejectsFile, written.replace('5.7E+18', '5725767000000410570'));
    expect(await enqueue(rejectsFile)).toMatchObject({ rows: 3, enqueued: 2, rejected: 1 });
    const again = await readFile(join(folder, 'accounts.rejects.rejects.csv'), 'utf8');
    expect(again.split('\r\n')[0]).toBe('\uFEFFCompany;Note;Record Id;;zia_line;zia_error_code;zia_error');
  });

  test('replaces and removes the rejects of an earlier run, but none that somebody corrected', async () => {
    const rejects = (name: string) => readFile(join(folder, name), 'utf8');
    const path = await file('Company\nHP\n');
    await enqueue(path);
    await file('Company\nHP\nIBM\nx\n');
    expect(await enqueue(path)).toMatchObject({ rejectsFile: join(folder, 'accounts.rejects.csv') });
    expect((await rejects('accounts.rejects.csv')).split('\n')).toHaveLength(4);
    await file('corrected', 'accounts.rejects.csv');
    const second = join(folder, 'accounts.rejects-2.csv');
    expect(await enqueue(path)).toMatchObject({ rejectsFile: second });
    await file('Company\nHP\n');
    expect(await enqueue(path)).toMatchObject({ rejectsFile: second });
    expect((await rejects('accounts.rejects-2.csv')).split('\n')).toHaveLength(3);
    await enqueue(await file('Company\nAcme Ltd\n'));
    expect(await readdir(folder)).toEqual(['accounts.csv', 'accounts.rejects.csv']);
    expect(await rejects('accounts.rejects.csv')).toBe('corrected');
  });

  test('keeps the name of a rejects file with the very same bytes, whoever wrote it', async () => {
    const path = await file('Company,Town\nAcme Ltd,Ulm\nno,Bonn\n');
    const rejectsFile = join(folder, 'accounts.rejects.csv');
    expect(await enqueue(path)).toMatchObject({ rejectsFile });
    const written = await readFile(rejectsFile, 'utf8');
    // What this program wrote where is no longer known.
    await engine.store.document('rejects').change(() => []);
    expect(await enqueue(path)).toMatchObject({ rejectsFile });
    await engine.store.document('rejects').change(() => []);
    await file(`${written}x,y,z,u,v\n`, 'accounts.rejects.csv');
    expect(await enqueue(path)).toMatchObject({ rejectsFile: join(folder, 'accounts.rejects-2.csv') });
  });

  test('removes the rejects of an earlier run when nothing is rejected, and what a killed run left', async () => {
    await enqueue(await file('Company\nHP\n'));
    await file('left', '.accounts.rejects.csv.4194999.tmp');
    expect(await enqueue(await file('Company\nAcme Ltd\n'))).toMatchObject({ rejected: 0, rejectsFile: null });
    expect(await readdir(folder)).toEqual(['accounts.csv']);
  });
});
