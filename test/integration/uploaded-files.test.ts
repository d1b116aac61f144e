import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FileActions, MappedFile } from '../../src/dashboard/file-actions.js';
import { type FilePreview, mappingText } from '../../src/dashboard/file-preview.js';
import type { Upload } from '../../src/dashboard/upload-store.js';
import type { UploadedFile } from '../../src/dashboard/uploaded-file.js';
import { UploadedFiles } from '../../src/dashboard/uploaded-files.js';
import type { InputCheck } from '../../src/lib/core/input-check.js';
import { UsageError } from '../../src/lib/errors.js';
import type { NotedFile } from '../../src/lib/store/files.js';
import type { Plan } from '../../src/producers/plan-within.js';
import { FileRows } from '../../src/reports/file-rows.js';
import { quietLog } from '../support/engines.js';
import { waitFor } from '../support/wait.js';

const INPUT: InputCheck = {
  encoding: 'utf-8',
  delimiter: ',',
  headerLine: 1,
  columns: { name: { header: 'Company', index: 0, from: 'header' }, email: null, website: null, recordId: null },
  unused: [],
  findings: [],
};
const PLAN: Plan = {
  input: INPUT,
  file: 'a.csv',
  rows: 1,
  enqueued: 1,
  replaced: 0,
  duplicates: 0,
  known: 0,
  knownUnderOtherColumns: 0,
  rejected: 0,
  fieldsLeftOut: 0,
  rejects: {},
  withRecordId: 0,
  covered: null,
  endsAtLine: null,
  ahead: 0,
  allowance: null,
  keep: 0,
  budget: null,
  calls: { posts: 1, polls: 2 },
  seconds: 1,
};
const REPORT = { rows: 1, enqueued: 1, duplicates: 0, known: 0, rejected: 0 };

const noted = ({ upload, preview }: UploadedFile): NotedFile => ({
  id: upload.id,
  name: upload.name,
  path: null,
  bytes: upload.bytes,
  atMs: 1,
  by: 'dashboard',
  module: 'Accounts',
  columns: preview.columns ?? {},
  headers: {},
  counts: null,
});

/** A promise that the test settles. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe('open files', () => {
  let removed: string[];
  let planned: { readonly file: MappedFile; readonly signal: AbortSignal }[];
  let enqueued: MappedFile[];
  let previewed: Promise<void>;
  let planning: Promise<void>;
  let queueing: Promise<void>;
  let exporting: Promise<void>;
  let openFiles: UploadedFiles;
  let logged: (readonly [string, unknown])[];

  /** Column 0 is the name unless `--map name=<header>` says otherwise; headers are single digits. */
  async function preview({ path, mapFlags }: { path: string; mapFlags: readonly string[] }): Promise<FilePreview> {
    await previewed;
    if (path.includes('wrong')) throw new UsageError('CSV_EMPTY', `${path} is empty.`);
    const name = Number(mapFlags[0]?.split('=')[1] ?? 0);
    return {
      headers: ['0', '1', '2'],
      headerLine: 1,
      rowCount: 1,
      encoding: 'utf-8',
      delimiter: ',',
      columns: { name },
      problem: null,
      rows: [],
      samples: {},
    };
  }

  const actions: FileActions = {
    plan: async (file, signal) => {
      planned.push({ file, signal });
      await planning;
      signal.throwIfAborted();
      return PLAN;
    },
    enqueue: async (file) => {
      enqueued.push(file);
      await queueing;
      const none = { replaced: 0, knownUnderOtherColumns: 0, fieldsLeftOut: 0, rejectsFile: null };
      return { ...REPORT, ...none, input: INPUT, file: 'a.csv' };
    },
    rows: async () => new FileRows(),
    cancel: async () => ({ file: 'a.csv', rows: 1, cancelled: 0, left: 0 }),
    forget: async () => ({ rows: 1, forgotten: 0, left: 0, kept: 0, orphans: 0 }),
    exportTo: async (_file, _out, signal) => {
      await exporting;
      signal.throwIfAborted();
    },
    rejectsTo: async () => false,
  };

  beforeEach(() => {
    removed = [];
    logged = [];
    planned = [];
    enqueued = [];
    previewed = planning = queueing = exporting = Promise.resolve();
    const log = { ...quietLog, info: (event: string, fields: unknown) => void logged.push([event, fields]) };
    const uploads = { remove: async ({ id }: Upload) => void removed.push(id), keep: async (kept: Upload) => kept };
    const note = async (file: UploadedFile) => noted(file);
    openFiles = new UploadedFiles({ actions, uploads, preview, note, log });
  });
  afterEach(() => openFiles.close());

  const upload = (id: string): Upload => ({
    id,
    name: `${id}.csv`,
    path: `/tmp/${id}/upload.csv`,
    folder: `/tmp/${id}`,
    bytes: 1,
  });
  const stageOf = (id: string) => openFiles.find(id)?.stage.kind;
  const isAt = (id: string, kind: string) => waitFor(() => stageOf(id) === kind, { what: `${id} to be ${kind}` });
  const columnsOf = (id: string) => openFiles.find(id)?.preview.columns ?? {};

  test('start no queueing while other columns are being looked at', async () => {
    await openFiles.add(upload('a'));
    await isAt('a', 'planned');
    const looking = gate();
    previewed = looking.passed;
    const mapping = openFiles.map('a', ['name=1']);
    expect(openFiles.enqueue('a', mappingText(columnsOf('a')))).not.toBe('started');
    looking.open();
    expect(await mapping).toBe(true);
    await isAt('a', 'planned');
    expect(enqueued).toEqual([]);
    expect(planned.at(-1)?.file.columns).toEqual({ name: 1 });
  });

  test('queue by the columns that were agreed on, and by no other', async () => {
    await openFiles.add(upload('a'));
    await isAt('a', 'planned');
    expect(openFiles.enqueue('a', mappingText({ name: 2 }))).toBe('other-columns');
    expect(openFiles.enqueue('a', mappingText({ name: 0, email: 1 }))).toBe('other-columns');
    expect(openFiles.enqueue('a', mappingText({ name: 0 }))).toBe('started');
    await isAt('a', 'enqueued');
    expect(enqueued).toMatchObject([{ columns: { name: 0 }, mapFlags: [] }]);
    expect(logged).toEqual([['dashboard.enqueued', REPORT]]);
  });

  test('plan by the last of several choices, and end the plans of the others', async () => {
    await openFiles.add(upload('a'));
    await Promise.all([openFiles.map('a', ['name=1']), openFiles.map('a', ['name=2'])]);
    await isAt('a', 'planned');
    expect(columnsOf('a')).toEqual({ name: 2 });
    const last = planned.at(-1);
    expect(last?.file.columns).toEqual({ name: 2 });
    expect(planned.slice(0, -1).every(({ signal }) => signal.aborted)).toBe(true);
    expect(planned.filter(({ file }) => file.columns.name === 1)).toEqual([]);
  });

  test('let columns be chosen for a file whose plan waits behind others', async () => {
    const busy = gate();
    planning = busy.passed;
    for (const id of ['a', 'b', 'c']) await openFiles.add(upload(id));
    expect(
      await Promise.race([
        openFiles.map('c', ['name=1']),
        waitFor(() => false, { timeoutMs: 300 }).catch(() => 'late'),
      ]),
    ).toBe(true);
    expect(columnsOf('c')).toEqual({ name: 1 });
    busy.open();
    await isAt('c', 'planned');
  });

  test('make room only for a file that can be used', async () => {
    for (let at = 0; at < 20; at += 1) await openFiles.add(upload(`file-${at}`));
    await expect(openFiles.add(upload('wrong'))).rejects.toThrow('wrong.csv is empty.');
    expect(removed).toEqual(['wrong']);
    await openFiles.add(upload('right'));
    expect(removed).toEqual(['wrong', 'file-0']);
    expect(openFiles.list()).toHaveLength(20);
  });

  test('go on planning and queueing while exports take their time', async () => {
    const busy = gate();
    exporting = busy.passed;
    await openFiles.add(upload('a'));
    await isAt('a', 'planned');
    const never = new AbortController().signal;
    const exports = [1, 2, 3].map((at) => openFiles.exportTo('a', `/tmp/${at}`, never));
    await openFiles.add(upload('b'));
    await isAt('b', 'planned');
    busy.open();
    await Promise.all(exports);
  });

  test('end an export whose reader left, also one that has not begun', async () => {
    const busy = gate();
    exporting = busy.passed;
    await openFiles.add(upload('a'));
    const leaving = new AbortController();
    const never = new AbortController().signal;
    const others = [1, 2].map((at) => openFiles.exportTo('a', `/tmp/${at}`, never));
    const left = openFiles.exportTo('a', '/tmp/3', leaving.signal);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    busy.open();
    await Promise.all(others);
  });

  test('plan again after a failure when asked to', async () => {
    planning = Promise.reject(new UsageError('STORE', 'It failed.'));
    planning.catch(() => undefined);
    await openFiles.add(upload('a'));
    await isAt('a', 'failed');
    planning = Promise.resolve();
    expect(openFiles.replan('a')).toBe(true);
    await isAt('a', 'planned');
    expect(openFiles.replan('a')).toBe(false);
  });
});
