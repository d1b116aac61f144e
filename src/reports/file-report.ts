import { RESULT_COLUMNS, resultCells } from '../lib/core/result-columns.js';
import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createTally, type FileCounts } from './file-counts.js';
import type { RowOutcome, RowStatus } from './row-outcome.js';

/** Rows that share a status and the code of its reason. */
export interface ReasonCount {
  readonly status: RowStatus;
  readonly code: string;
  readonly rows: number;
}

/** How many of the enriched rows have a value in this column of the export. */
export interface ColumnFill {
  readonly column: string;
  readonly rows: number;
}

/** What a file's rows came to. */
export interface FileReport {
  readonly counts: FileCounts;
  /** Why rows failed, were rejected or are uncertain; most rows first. */
  readonly reasons: readonly ReasonCount[];
  /** Every column of the result, most rows first; columns of equal fill in the export's order. */
  readonly fill: readonly ColumnFill[];
}

export interface ReportTally {
  /** `cells` are the outcome's `resultCells`. */
  add(outcome: RowOutcome, cells: readonly string[]): void;
  report(): FileReport;
}

export function createReportTally(): ReportTally {
  const tally = createTally();
  const filled = new Uint32Array(RESULT_COLUMNS.length);
  const reasons = new Map<string, { status: RowStatus; code: string; rows: number }>();
  return {
    add: ({ status, error }, cells) => {
      tally.add(status);
      if (status === 'enriched') {
        cells.forEach((cell, at) => {
          if (cell !== '') filled[at] = (filled[at] ?? 0) + 1;
        });
      }
      if (error === undefined) return;
      const key = `${status} ${error.code}`;
      const reason = reasons.get(key);
      if (reason === undefined) reasons.set(key, { status, code: error.code, rows: 1 });
      else reason.rows += 1;
    },
    report: () => ({
      counts: tally.counts(),
      reasons: mostFirst([...reasons.values()].map((reason) => ({ ...reason }))),
      fill: mostFirst(RESULT_COLUMNS.map((column, at) => ({ column, rows: filled[at] ?? 0 }))),
    }),
  };
}

/** What a file's rows came to: reads the file once, three round trips per batch of rows, flat memory. Changes nothing. */
export async function fileReport(input: Input): Promise<FileReport> {
  const tally = createReportTally();
  for await (const { outcomes } of withOutcomes(input, { withData: true })) {
    for (const outcome of outcomes) tally.add(outcome, resultCells(outcome.data));
  }
  return tally.report();
}

/** Sorting is stable. */
function mostFirst<T extends { readonly rows: number }>(items: readonly T[]): readonly T[] {
  return items.toSorted((one, other) => other.rows - one.rows);
}
