import type { RowStatus } from './row-outcome.js';

/** Rows of one file by outcome, as `status --json` has them: disjoint, and summing to `rows`. */
export interface FileCounts {
  readonly rows: number;
  readonly submitted: number;
  readonly enriched: number;
  readonly notFound: number;
  readonly waiting: number;
  readonly failed: number;
  readonly rejected: number;
  readonly notEnqueued: number;
  readonly uncertain: number;
}

export interface OutcomeTally {
  add(status: RowStatus): void;
  counts(): FileCounts;
}

const COUNTED_AS: Readonly<Record<RowStatus, Exclude<keyof FileCounts, 'rows'>>> = {
  submitted: 'submitted',
  enriched: 'enriched',
  not_found: 'notFound',
  waiting: 'waiting',
  failed: 'failed',
  rejected: 'rejected',
  not_enqueued: 'notEnqueued',
  uncertain: 'uncertain',
};

export function createTally(): OutcomeTally {
  const counts = {
    rows: 0,
    submitted: 0,
    enriched: 0,
    notFound: 0,
    waiting: 0,
    failed: 0,
    rejected: 0,
    notEnqueued: 0,
    uncertain: 0,
  };
  return {
    add: (status) => {
      counts.rows += 1;
      counts[COUNTED_AS[status]] += 1;
    },
    counts: () => ({ ...counts }),
  };
}
