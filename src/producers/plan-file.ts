import type { Readable } from 'node:stream';
import type { RejectCode } from '../lib/core/row.js';
import { openCsv } from '../lib/csv/csv-source.js';
import { chooseColumns, rememberColumns } from '../lib/csv/resolve-columns.js';
import type { Engine } from '../lib/engine/engine.js';
import { type SortedRow, type SortOptions, type SortReport, sortRows } from './sorted-rows.js';

export interface PlanRowsOptions extends SortOptions {
  /** New rows that the allowance is good for; null when that is not known. */
  readonly covers: number | null;
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
}

export interface PlanOptions extends Omit<PlanRowsOptions, 'source' | 'columns'> {
  /** The CSV file; `-` for standard input. */
  readonly path: string;
  /** Values of `--map`, such as `name=Firm`. */
  readonly mapFlags: readonly string[];
  readonly engine: Engine;
  /** Standard input when absent. */
  readonly stdin?: Readable | undefined;
}

/** What enqueueing a file would do; the counts are those of an `EnqueueReport`. */
export interface FilePlan extends SortReport {
  readonly file: string;
  /** Rejected records by reason. */
  readonly rejects: Partial<Record<RejectCode, number>>;
  /** New rows with a record id: Zoho may write to those records. */
  readonly withRecordId: number;
  /** New rows that the allowance covers; null when it is not known. */
  readonly covered: number | null;
  /** Line of the first new row that it does not cover; null when there is none. */
  readonly endsAtLine: number | null;
}

/** Reads and checks a file as `enqueueFile` does, and queues nothing. Throws UsageError when the file cannot be used. */
export async function planFile(options: PlanOptions): Promise<FilePlan> {
  const { path, mapFlags, engine, stdin } = options;
  const source = await openCsv(path, stdin === undefined ? {} : { stdin });
  try {
    const choice = await chooseColumns(source, mapFlags, engine.store);
    await rememberColumns(source, mapFlags, engine.store);
    return await planRows({ ...options, source, choice, columns: choice.columns });
  } finally {
    await source.close();
  }
}

/** Reads and checks the rows of an open file as `enqueueRows` does, and queues nothing. */
export async function planRows(options: PlanRowsOptions): Promise<FilePlan> {
  const { source, covers, onProgress } = options;
  const tally = createTally(covers);
  const counts = await sortRows(options, async (rows, soFar) => {
    for (const row of rows) tally.add(row);
    onProgress?.({ rows: soFar.rows, total: source.rowCount });
  });
  return { file: source.path, ...counts, ...tally.result() };
}

interface PlanTally {
  add(row: SortedRow): void;
  result(): Pick<FilePlan, 'rejects' | 'withRecordId' | 'covered' | 'endsAtLine'>;
}

function createTally(covers: number | null): PlanTally {
  const rejects: Partial<Record<RejectCode, number>> = {};
  let isNew = 0;
  let withRecordId = 0;
  let endsAtLine: number | null = null;
  return {
    add: ({ row, kind }) => {
      if (!row.parsed.ok) rejects[row.parsed.code] = (rejects[row.parsed.code] ?? 0) + 1;
      if (!row.parsed.ok || kind !== 'new') return;
      if (isNew === covers) endsAtLine = row.lineNumber;
      isNew += 1;
      if (row.parsed.row.recordId !== undefined) withRecordId += 1;
    },
    result: () => ({
      rejects,
      withRecordId,
      covered: covers === null ? null : Math.min(covers, isNew),
      endsAtLine,
    }),
  };
}
