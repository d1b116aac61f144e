import pLimit from 'p-limit';
import type { ColumnMapping } from '../lib/core/columns.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { createFirstLines, type FirstLines } from '../lib/csv/first-lines.js';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import type { Engine } from '../lib/engine/engine.js';
import { type EnrichPayload, type EnrichQueue, JOB_NAME, jobOptions } from '../lib/queues.js';
import type { Reject, RejectWriter } from './reject-writer.js';

export interface EnqueueOptions {
  readonly source: CsvSource;
  readonly columns: ColumnMapping;
  readonly module: string;
  readonly queue: Pick<EnrichQueue, 'addBulk'>;
  readonly engine: { readonly store: Pick<Engine['store'], 'entries'> } & Pick<Engine, 'jobFates'>;
  readonly maxAttempts: number;
  /** Take the first so many new rows, at least 1; reading ends there. All rows when absent. */
  readonly limit?: number | undefined;
  readonly rejects: RejectWriter;
  /** Called after each chunk. `total` is the rows of the whole file. */
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
  /** Ends the run between two chunks; what is queued stays queued. */
  readonly signal?: AbortSignal | undefined;
}

/** `rows = enqueued + duplicates + known + rejected`. */
export interface EnqueueReport {
  /** The file as given; `-` for standard input. */
  readonly file: string;
  /** Rows read: all of the file, or with a limit those up to the row that reached it. */
  readonly rows: number;
  readonly enqueued: number;
  /** Rows that repeat an earlier row of the file. */
  readonly duplicates: number;
  /** Rows that are queued or in the ledger already. */
  readonly known: number;
  readonly rejected: number;
  /** Null when nothing was rejected. */
  readonly rejectsFile: string | null;
  /** Unusable fields of accepted rows; these rows go on without them. */
  readonly fieldsLeftOut: number;
}

/** Chunks whose rows are being looked up while an earlier one is added: bounds memory and keeps both sides busy. */
const CHUNKS_AHEAD = 3;

/**
 * Queues every new row of a file, in file order, one job a row whose id is its identity key. Calling it again, also after
 * a crash half-way, adds only what is missing. Rejects with the signal's reason when aborted, and with the first error
 * otherwise; the rejects of such a run are discarded, since the next run finds them again.
 */
export async function enqueueRows(options: EnqueueOptions): Promise<EnqueueReport> {
  const run = new EnqueueRun(options);
  try {
    await run.readAll();
    return { ...run.counts(), rejectsFile: await options.rejects.finish() };
  } catch (error) {
    await options.rejects.discard();
    throw error;
  }
}

type Kind = 'new' | 'duplicate' | 'known' | 'rejected';

class EnqueueRun {
  readonly #options: EnqueueOptions;
  readonly #firstLines: FirstLines;
  readonly #lookUps = pLimit(CHUNKS_AHEAD);
  /** One at a time: the queue keeps the file's order. */
  readonly #adds = pLimit(1);
  readonly #tally: Record<Kind, number> = { new: 0, duplicate: 0, known: 0, rejected: 0 };
  #fieldsLeftOut = 0;
  #ended = false;

  constructor(options: EnqueueOptions) {
    this.#options = options;
    this.#firstLines = createFirstLines(options.source.rowCount);
  }

  async readAll(): Promise<void> {
    const { source, columns, module, signal } = this.#options;
    const underWay: Promise<void>[] = [];
    try {
      for await (const rows of readRows(source, { columns, module })) {
        signal?.throwIfAborted();
        if (this.#ended) break;
        underWay.push(this.#take(rows));
        if (underWay.length >= CHUNKS_AHEAD) await underWay.shift();
      }
      await Promise.all(underWay);
    } finally {
      this.#ended = true;
      await Promise.allSettled(underWay);
    }
  }

  counts(): Omit<EnqueueReport, 'rejectsFile'> {
    const { new: enqueued, duplicate: duplicates, known, rejected } = this.#tally;
    return {
      file: this.#options.source.path,
      rows: enqueued + duplicates + known + rejected,
      enqueued,
      duplicates,
      known,
      rejected,
      fieldsLeftOut: this.#fieldsLeftOut,
    };
  }

  /** Starts looking up a chunk now and adds it when its turn comes. */
  #take(rows: readonly FileRow[]): Promise<void> {
    const repeated = rows.map((row) => row.key !== undefined && this.#isRepeated(row.key, row.lineNumber));
    const keys = rows.flatMap((row, at) => (row.key === undefined || repeated[at] ? [] : [row.key]));
    const known = this.#lookUps(() => knownKeys(keys, this.#options.engine));
    const added = this.#adds(async () => {
      const isKnown = await known;
      const kinds = rows.map((row, at) => kindOf(row, repeated[at] === true, isKnown));
      await this.#add(rows, kinds);
    });
    // Whoever awaits them learns of a failure; until then Node must not take them for unhandled.
    known.catch(() => undefined);
    added.catch(() => {
      this.#ended = true;
    });
    return added;
  }

  async #add(rows: readonly FileRow[], kinds: readonly Kind[]): Promise<void> {
    if (this.#ended) return;
    const { queue, maxAttempts, rejects, source, onProgress } = this.#options;
    const taken = rows.slice(0, this.#rowsUpToLimit(kinds));
    this.#ended = taken.length < rows.length;
    const jobs = taken.flatMap((row, at) => (kinds[at] === 'new' ? [jobOf(row, maxAttempts)] : []));
    if (jobs.length > 0) await queue.addBulk(jobs);
    await rejects.write(taken.flatMap(rejectOf));
    for (const [at, row] of taken.entries()) {
      this.#tally[kinds[at] ?? 'rejected'] += 1;
      if (row.parsed.ok) this.#fieldsLeftOut += row.parsed.notes.length;
    }
    onProgress?.({ rows: this.counts().rows, total: source.rowCount });
  }

  /** How many of the rows are read before the limit of new rows is full. */
  #rowsUpToLimit(kinds: readonly Kind[]): number {
    let left = (this.#options.limit ?? Number.POSITIVE_INFINITY) - this.#tally.new;
    if (left <= 0) return 0;
    const last = kinds.findIndex((kind) => kind === 'new' && --left === 0);
    return last === -1 ? kinds.length : last + 1;
  }

  #isRepeated(key: IdentityKey, lineNumber: number): boolean {
    return this.#firstLines.seenOn(key, lineNumber) !== null;
  }
}

function kindOf(row: FileRow, repeated: boolean, known: ReadonlySet<IdentityKey>): Kind {
  if (row.key === undefined) return 'rejected';
  if (repeated) return 'duplicate';
  return known.has(row.key) ? 'known' : 'new';
}

/** Keys that have a job or a place in the ledger. A `cleared` entry without a job is as good as never sent. */
async function knownKeys(
  keys: readonly IdentityKey[],
  engine: EnqueueOptions['engine'],
): Promise<ReadonlySet<IdentityKey>> {
  const [entries, fates] = await Promise.all([engine.store.entries(keys), engine.jobFates(keys)]);
  return new Set(
    keys.filter((key) => {
      const entry = entries.get(key);
      return (entry !== undefined && entry.state !== 'cleared') || (fates.get(key)?.state ?? 'absent') !== 'absent';
    }),
  );
}

function jobOf(row: FileRow, maxAttempts: number): Parameters<EnrichQueue['addBulk']>[0][number] {
  if (!row.parsed.ok || row.key === undefined) throw new Error('A reject was about to become a job.');
  const data: EnrichPayload = { v: 1, ...row.parsed.row, line: row.lineNumber };
  return { name: JOB_NAME, data, opts: jobOptions(row.key, maxAttempts) };
}

function rejectOf(row: FileRow): Reject[] {
  return row.parsed.ok ? [] : [{ record: row, code: row.parsed.code, reason: row.parsed.reason }];
}
