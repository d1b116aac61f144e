import type { IdentityKey } from '../lib/core/ids.js';
import { wasSent } from '../lib/csv/paid-rows.js';
import { noteQueuedAs } from '../lib/csv/queued-as.js';
import { rememberFlags } from '../lib/csv/resolve-columns.js';
import type { Engine } from '../lib/engine/engine.js';
import { UsageError } from '../lib/errors.js';
import { type EnrichPayload, type EnrichQueue, JOB_NAME, jobOptions, type Priority } from '../lib/queues.js';
import {
  type ClassifiedRow,
  type ClassifyOptions,
  type ClassifyReport,
  checkOf,
  classifyRows,
  NO_ROWS,
  type RowCounts,
} from './classify-rows.js';
import { type RejectWriter, rejectsAmong } from './reject-writer.js';

export interface EnqueueOptions extends ClassifyOptions {
  readonly engine: Pick<Engine, 'store' | 'existingJobs' | 'jobStatuses' | 'withdrawJobs' | 'bulksAtOnce'>;
  readonly queue: Pick<EnrichQueue, 'addBulk' | 'remove'>;
  readonly maxAttempts: number;
  /** Default `normal`. */
  readonly priority?: Priority | undefined;
  readonly rejects: RejectWriter;
  /** Values of `--map`: remembered for the header row when rows are queued. */
  readonly mapFlags?: readonly string[] | undefined;
  /** Called after each chunk. `total` is the rows of the whole file. */
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
}

export interface EnqueueReport extends ClassifyReport {
  /** The file as given; `-` for standard input. */
  readonly file: string;
  /** Null when nothing was rejected. */
  readonly rejectsFile: string | null;
}

type Job = Parameters<EnrichQueue['addBulk']>[0][number];

/**
 * Queues every new row of a file, in file order, one job a row whose id is its identity key. Calling it again, also after
 * a crash half-way, adds only what is missing. Rejects with the signal's reason when aborted, and with the first error
 * otherwise; the rejects of such a run are discarded, since the next run finds them again.
 */
export async function enqueueRows(options: EnqueueOptions): Promise<EnqueueReport> {
  const { engine, queue, maxAttempts, priority = 'normal', rejects, source, signal, onProgress } = options;
  const adding = priority === 'high' ? addInFront(queue, signal) : addBehind(queue, engine.bulksAtOnce);
  try {
    let counts = NO_ROWS;
    let late = 0;
    const check = checkOf(options);
    const { nowMs } = await engine.store.control.read();
    // What is sent again was decided on: nothing else stands for it.
    const queuedAtMs = options.again ? undefined : Math.floor(nowMs);
    assertNotSwapped(options);
    for await (const { rows, soFar } of classifyRows(options, check)) {
      const isNew = rows.filter(({ kind }) => kind === 'new');
      if (counts.enqueued === 0 && isNew.length > 0) await remember(options);
      counts = soFar;
      const mayGo = new Set(await withdrawOthers(isNew, engine));
      late += isNew.length - mayGo.size;
      await removeFinished([...mayGo], options);
      const queued = rows.filter((row) => mayGo.has(row) || row.lacksJob);
      await adding.add(queued.map((row) => jobOf(row, { maxAttempts, priority, queuedAtMs })));
      await rejects.write(rejectsAmong(rows.map(({ row }) => row)));
      onProgress?.({ rows: soFar.rows, total: source.rowCount });
    }
    await adding.flush();
    return { file: source.path, ...withLate(counts, late), input: check.result(), rejectsFile: await rejects.finish() };
  } catch (error) {
    await adding.settled();
    await rejects.discard();
    throw error;
  }
}

function assertNotSwapped({ source, choice }: EnqueueOptions): void {
  const swapped = choice?.findings.find((finding) => finding.swapped);
  if (choice === undefined || swapped === undefined || Object.values(choice.origins).includes('flag')) return;
  const fields = (swapped.fields ?? []).join(' and ');
  throw new UsageError(
    'SWAPPED_COLUMNS',
    `The columns of ${fields} in ${source.path} look swapped, so nothing was queued: say which is which with --map, for example --map name="Firm".`,
  );
}

/** Notes how the file is read, before its first row is queued: for the next file with its header row, and for other columns. */
async function remember({ source, columns, module, mapFlags = [], onePer, engine }: EnqueueOptions): Promise<void> {
  await rememberFlags(source, mapFlags, engine.store);
  await noteQueuedAs(source, { columns, module }, onePer, engine.store);
}

/**
 * Takes the jobs that wait for these rows under other columns off the queue, and returns the rows that may be queued: none
 * whose other job a worker has by now. They go before the new ones come: a row that a killed run left without a job is new
 * to the next, while two jobs for one row would pay twice.
 */
async function withdrawOthers(
  rows: readonly ClassifiedRow[],
  engine: EnqueueOptions['engine'],
): Promise<readonly ClassifiedRow[]> {
  const keys = rows.flatMap(otherJobs);
  if (keys.length === 0) return rows;
  const withdrawn = await engine.withdrawJobs(keys, { failed: true });
  const left = keys.filter((key) => !withdrawn.has(key));
  const [withJob, entries] = await Promise.all([engine.existingJobs(left), engine.store.entries(left)]);
  return rows.filter((row) => otherJobs(row).every((key) => !withJob.has(key) && !wasSent(entries.get(key))));
}

/** The finished job of a row that is sent again stands in the way of the new one: its id is the same. */
async function removeFinished(rows: readonly ClassifiedRow[], { engine, queue }: EnqueueOptions): Promise<void> {
  const keys = rows.flatMap(({ row, refreshBeforeMs }) => (refreshBeforeMs === undefined ? [] : (row.key ?? [])));
  if (keys.length === 0) return;
  for (const key of await engine.existingJobs(keys)) await queue.remove(key);
}

function otherJobs({ elsewhere }: ClassifiedRow): readonly IdentityKey[] {
  return elsewhere?.kind === 'queued' ? elsewhere.keys : [];
}

/** Rows that a worker took under other columns before they could be replaced. */
function withLate(counts: RowCounts, late: number): RowCounts {
  const { enqueued, replaced, known, knownUnderOtherColumns } = counts;
  return {
    ...counts,
    enqueued: enqueued - late,
    replaced: replaced - late,
    known: known + late,
    knownUnderOtherColumns: knownUnderOtherColumns + late,
  };
}

interface Adding {
  /** Adds these behind those given before; returns when the next may be given. */
  add(jobs: readonly Job[]): Promise<void>;
  /** Returns when all that was given is added. */
  flush(): Promise<void>;
  /** Returns when nothing is under way any more, whatever became of it. */
  settled(): Promise<void>;
}

/** A bulk is made while Redis still works on the one before it: made in turn, each would keep the other waiting. */
function addBehind(queue: EnqueueOptions['queue'], bulksAtOnce: number): Adding {
  const underWay: Promise<unknown>[] = [];
  return {
    add: async (jobs) => {
      if (jobs.length === 0) return;
      const bulk = queue.addBulk([...jobs]);
      // It is awaited later; until then Node must not take a failure for unhandled.
      bulk.catch(() => undefined);
      underWay.push(bulk);
      if (underWay.length >= bulksAtOnce) await underWay.shift();
    },
    flush: async () => {
      await Promise.all(underWay);
    },
    settled: async () => {
      await Promise.allSettled(underWay);
    },
  };
}

const CHUNK = 1_000;
/** More rows than an org may ever have enriched; beyond it memory counts for more than the order. */
const MAX_HELD_BACK = 50_000;

/**
 * Every job goes to the very front, so the last row of the file has to be added first: rows are held back until the file
 * was read, or there are too many of them.
 */
function addInFront(queue: EnqueueOptions['queue'], signal: AbortSignal | undefined): Adding {
  let heldBack: Job[] = [];
  async function flush(): Promise<void> {
    const jobs = heldBack.reverse();
    heldBack = [];
    for (let at = 0; at < jobs.length; at += CHUNK) {
      signal?.throwIfAborted();
      await queue.addBulk(jobs.slice(at, at + CHUNK));
    }
  }
  return {
    add: async (jobs) => {
      heldBack.push(...jobs);
      if (heldBack.length >= MAX_HELD_BACK) await flush();
    },
    flush,
    settled: async () => undefined,
  };
}

interface JobSettings {
  readonly maxAttempts: number;
  readonly priority: Priority;
  readonly queuedAtMs: number | undefined;
}

function jobOf({ row, refreshBeforeMs, elsewhere }: ClassifiedRow, settings: JobSettings): Job {
  const { maxAttempts, priority, queuedAtMs } = settings;
  if (!row.parsed.ok || row.key === undefined) throw new Error('A reject was about to become a job.');
  const refresh = refreshBeforeMs === undefined ? {} : { refreshBeforeMs: Math.floor(refreshBeforeMs) };
  const mayBeKnown = queuedAtMs !== undefined && (elsewhere === undefined || elsewhere.kind === 'queued');
  const queued = mayBeKnown ? { queuedAtMs } : {};
  const data: EnrichPayload = { v: 1, ...row.parsed.row, line: row.lineNumber, ...refresh, ...queued };
  return { name: JOB_NAME, data, opts: jobOptions(row.key, maxAttempts, priority) };
}
