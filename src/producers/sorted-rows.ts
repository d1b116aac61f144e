import pLimit from 'p-limit';
import type { ColumnMapping } from '../lib/core/columns.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { ColumnChoice, InputCheck } from '../lib/core/input-check.js';
import { checkInput, type InputChecker } from '../lib/csv/check-input.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { createFirstLines, type FirstLines } from '../lib/csv/first-lines.js';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import type { Engine } from '../lib/engine/engine.js';

export interface SortOptions {
  readonly source: CsvSource;
  readonly columns: ColumnMapping;
  /** Why these columns, for the check of the file; without it they count as chosen by a person. */
  readonly choice?: ColumnChoice | undefined;
  readonly module: string;
  readonly engine: { readonly store: Pick<Engine['store'], 'entries'> } & Pick<Engine, 'keysWithJob'>;
  /** Take the first so many new rows, at least 1; reading ends there. All rows when absent. */
  readonly limit?: number | undefined;
  /** Ends the reading between two chunks. */
  readonly signal?: AbortSignal | undefined;
}

/** `known`: queued or in the ledger already. `duplicate`: repeats an earlier row of the file. */
export type RowKind = 'new' | 'duplicate' | 'known' | 'rejected';

export interface SortedRow {
  readonly row: FileRow;
  readonly kind: RowKind;
}

/** `rows = enqueued + duplicates + known + rejected`. */
export interface RowCounts {
  /** Rows read: all of the file, or with a limit those up to the row that reached it. */
  readonly rows: number;
  /** New rows. */
  readonly enqueued: number;
  /** Rows that repeat an earlier row of the file. */
  readonly duplicates: number;
  /** Rows that are queued or in the ledger already. */
  readonly known: number;
  readonly rejected: number;
  /** Unusable fields of accepted rows; these rows go on without them. */
  readonly fieldsLeftOut: number;
}

/** The counts of a whole run, and the check of the file, as far as it was read. */
export interface SortReport extends RowCounts {
  readonly input: InputCheck;
}

/** Chunks whose rows are being looked up while an earlier one is taken: bounds memory and keeps both sides busy. */
const CHUNKS_AHEAD = 3;

/**
 * Reads a file and says of each row whether it is new. `take` gets the rows in file order, one chunk at a time; `soFar`
 * counts them in. Enqueue and plan both read through it, so that they agree. Rejects with the signal's reason when
 * aborted, and with the first error otherwise.
 */
export async function sortRows(
  options: SortOptions,
  take: (rows: readonly SortedRow[], soFar: RowCounts) => Promise<void>,
): Promise<SortReport> {
  const run = new Sorting(options, take);
  await run.readAll();
  return { ...run.counts(), input: run.check.result() };
}

class Sorting {
  readonly #options: SortOptions;
  readonly #taker: (rows: readonly SortedRow[], soFar: RowCounts) => Promise<void>;
  readonly #firstLines: FirstLines;
  readonly check: InputChecker;
  readonly #lookUps = pLimit(CHUNKS_AHEAD);
  /** One at a time: rows are taken in the file's order. */
  readonly #turns = pLimit(1);
  readonly #tally: Record<RowKind, number> = { new: 0, duplicate: 0, known: 0, rejected: 0 };
  #fieldsLeftOut = 0;
  #ended = false;

  constructor(options: SortOptions, take: (rows: readonly SortedRow[], soFar: RowCounts) => Promise<void>) {
    this.#options = options;
    this.#taker = take;
    const { source, columns, choice = { columns, origins: {}, findings: [] } } = options;
    this.#firstLines = createFirstLines(source.rowCount);
    this.check = checkInput(source, choice);
  }

  async readAll(): Promise<void> {
    const { source, columns, module, signal } = this.#options;
    const underWay: Promise<void>[] = [];
    try {
      for await (const rows of readRows(source, { columns, module })) {
        signal?.throwIfAborted();
        if (this.#ended) break;
        underWay.push(this.#lookUp(rows));
        if (underWay.length >= CHUNKS_AHEAD) await underWay.shift();
      }
      await Promise.all(underWay);
    } finally {
      this.#ended = true;
      await Promise.allSettled(underWay);
    }
  }

  counts(): RowCounts {
    const { new: enqueued, duplicate: duplicates, known, rejected } = this.#tally;
    return {
      rows: enqueued + duplicates + known + rejected,
      enqueued,
      duplicates,
      known,
      rejected,
      fieldsLeftOut: this.#fieldsLeftOut,
    };
  }

  /** Starts looking up a chunk now and takes it when its turn comes. */
  #lookUp(rows: readonly FileRow[]): Promise<void> {
    const repeated = rows.map((row) => row.key !== undefined && this.#isRepeated(row.key, row.lineNumber));
    const keys = rows.flatMap((row, at) => (row.key === undefined || repeated[at] ? [] : [row.key]));
    const known = this.#lookUps(() => knownKeys(keys, this.#options.engine));
    const taken = this.#turns(async () => {
      const isKnown = await known;
      await this.#take(rows.map((row, at) => ({ row, kind: kindOf(row, repeated[at] === true, isKnown) })));
    });
    // Whoever awaits them learns of a failure; until then Node must not take them for unhandled.
    known.catch(() => undefined);
    taken.catch(() => {
      this.#ended = true;
    });
    return taken;
  }

  async #take(rows: readonly SortedRow[]): Promise<void> {
    if (this.#ended) return;
    const taken = rows.slice(0, this.#rowsUpToLimit(rows));
    this.#ended = taken.length < rows.length;
    for (const { row, kind } of taken) {
      this.#tally[kind] += 1;
      this.check.add(row, kind === 'duplicate');
      if (row.parsed.ok) this.#fieldsLeftOut += row.parsed.notes.length;
    }
    await this.#taker(taken, this.counts());
  }

  /** How many of the rows are read before the limit of new rows is full. */
  #rowsUpToLimit(rows: readonly SortedRow[]): number {
    let left = (this.#options.limit ?? Number.POSITIVE_INFINITY) - this.#tally.new;
    if (left <= 0) return 0;
    const last = rows.findIndex(({ kind }) => kind === 'new' && --left === 0);
    return last === -1 ? rows.length : last + 1;
  }

  #isRepeated(key: IdentityKey, lineNumber: number): boolean {
    return this.#firstLines.seenOn(key, lineNumber) !== null;
  }
}

function kindOf(row: FileRow, repeated: boolean, known: ReadonlySet<IdentityKey>): RowKind {
  if (row.key === undefined) return 'rejected';
  if (repeated) return 'duplicate';
  return known.has(row.key) ? 'known' : 'new';
}

/** Keys that have a job or a place in the ledger. A `cleared` entry without a job is as good as never sent. */
async function knownKeys(
  keys: readonly IdentityKey[],
  engine: SortOptions['engine'],
): Promise<ReadonlySet<IdentityKey>> {
  const [entries, withJob] = await Promise.all([engine.store.entries(keys), engine.keysWithJob(keys)]);
  return new Set(
    keys.filter((key) => {
      const entry = entries.get(key);
      return (entry !== undefined && entry.state !== 'cleared') || withJob.has(key);
    }),
  );
}
