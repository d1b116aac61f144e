import type { Engine } from '../lib/engine/engine.js';
import { type EnrichPayload, type EnrichQueue, JOB_NAME, jobOptions, type Priority } from '../lib/queues.js';
import { type RejectWriter, rejectsAmong } from './reject-writer.js';
import { type SortedRow, type SortOptions, type SortReport, sortRows } from './sorted-rows.js';

export interface EnqueueOptions extends SortOptions {
  readonly engine: SortOptions['engine'] & Pick<Engine, 'bulksAtOnce'>;
  readonly queue: Pick<EnrichQueue, 'addBulk'>;
  readonly maxAttempts: number;
  /** Default `normal`. */
  readonly priority?: Priority | undefined;
  readonly rejects: RejectWriter;
  /** Called after each chunk. `total` is the rows of the whole file. */
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
}

export interface EnqueueReport extends SortReport {
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
    const counts = await sortRows(options, async (rows, soFar) => {
      await adding.add(rows.filter(({ kind }) => kind === 'new').map((row) => jobOf(row, maxAttempts, priority)));
      await rejects.write(rejectsAmong(rows.map(({ row }) => row)));
      onProgress?.({ rows: soFar.rows, total: source.rowCount });
    });
    await adding.flush();
    return { file: source.path, ...counts, rejectsFile: await rejects.finish() };
  } catch (error) {
    await adding.settled();
    await rejects.discard();
    throw error;
  }
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
const MOST_HELD_BACK = 50_000;

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
      if (heldBack.length >= MOST_HELD_BACK) await flush();
    },
    flush,
    settled: async () => undefined,
  };
}

function jobOf({ row }: SortedRow, maxAttempts: number, priority: Priority): Job {
  if (!row.parsed.ok || row.key === undefined) throw new Error('A reject was about to become a job.');
  const data: EnrichPayload = { v: 1, ...row.parsed.row, line: row.lineNumber };
  return { name: JOB_NAME, data, opts: jobOptions(row.key, maxAttempts, priority) };
}
