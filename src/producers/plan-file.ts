import type { RejectCode } from '../lib/core/row.js';
import { type InputOptions, withInput } from '../lib/csv/with-input.js';
import {
  type ClassifiedRow,
  type ClassifyOptions,
  type ClassifyReport,
  checkOf,
  classifyRows,
  NO_ROWS,
} from './classify-rows.js';

export interface PlanRowsOptions extends ClassifyOptions {
  /** New rows that the allowance is good for; null when that is not known. */
  readonly covers: number | null;
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
}

export interface PlanOptions
  extends InputOptions,
    Pick<PlanRowsOptions, 'limit' | 'again' | 'refreshAfterMs' | 'onePer' | 'signal' | 'covers' | 'onProgress'> {}

/** What enqueueing a file would do; the counts are those of an `EnqueueReport`. */
export interface FilePlan extends ClassifyReport {
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
export function planFile(options: PlanOptions): Promise<FilePlan> {
  return withInput(options, (input) => planRows({ ...options, ...input }));
}

/** Reads and checks the rows of an open file as `enqueueRows` does, and queues nothing. */
export async function planRows(options: PlanRowsOptions): Promise<FilePlan> {
  const { source, covers, onProgress } = options;
  const tally = createTally(covers);
  let counts = NO_ROWS;
  const check = checkOf(options);
  for await (const { rows, soFar } of classifyRows(options, check)) {
    counts = soFar;
    for (const row of rows) tally.add(row);
    onProgress?.({ rows: soFar.rows, total: source.rowCount });
  }
  return { file: source.path, ...counts, input: check.result(), ...tally.result() };
}

interface PlanTally {
  add(row: ClassifiedRow): void;
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
