import type { IdentityKey } from '../lib/core/ids.js';
import { filledCells, resultCells } from '../lib/core/result-columns.js';
import type { Input } from '../lib/csv/with-input.js';
import { type Bought, createBoughtTally } from './bought.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createTally, type FileCounts } from './file-counts.js';
import type { RowOutcome, RowStatus } from './row-outcome.js';

/** Rows that share a status and the code of its reason. */
export interface ReasonCount {
  readonly status: RowStatus;
  readonly code: string;
  readonly rows: number;
}

/** What a file's rows came to. */
export interface FileReport {
  readonly counts: FileCounts;
  /** Why rows failed, were rejected or are uncertain; most rows first. */
  readonly reasons: readonly ReasonCount[];
  readonly bought: Bought;
}

export interface ReportTally {
  /** `key` is the row's own, absent for a reject; `cells` are the outcome's `resultCells`. */
  add(key: IdentityKey | undefined, outcome: RowOutcome, cells: readonly string[]): void;
  report(): FileReport;
}

export function createReportTally(): ReportTally {
  const tally = createTally();
  const boughtTally = createBoughtTally();
  const reasons = new Map<string, { status: RowStatus; code: string; rows: number }>();
  return {
    add: (key, outcome, cells) => {
      const { status, error, sentAs = key } = outcome;
      tally.add(status);
      if (sentAs !== undefined) boughtTally.add(sentAs, outcome, status === 'enriched' ? filledCells(cells) : 0);
      if (error === undefined) return;
      const shared = `${status} ${error.code}`;
      const reason = reasons.get(shared);
      if (reason === undefined) reasons.set(shared, { status, code: error.code, rows: 1 });
      else reason.rows += 1;
    },
    report: () => ({
      counts: tally.counts(),
      reasons: [...reasons.values()].map((reason) => ({ ...reason })).sort((one, other) => other.rows - one.rows),
      bought: boughtTally.bought(),
    }),
  };
}

/** What a file's rows came to: reads the file once, three round trips per batch of rows. Changes nothing. */
export async function fileReport(input: Input): Promise<FileReport> {
  const tally = createReportTally();
  for await (const { rows, outcomes } of withOutcomes(input, { withData: true })) {
    for (const [at, outcome] of outcomes.entries()) tally.add(rows[at]?.key, outcome, resultCells(outcome.data));
  }
  return tally.report();
}
