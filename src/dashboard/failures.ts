import { ENRICHMENT_FAILED, parseFailure, type RowFailure } from '../lib/core/failure.js';
import type { EnrichJob, EnrichQueue } from '../lib/queues.js';
import type { Store } from '../lib/store/store.js';

export interface Failure extends RowFailure {
  readonly jobId: string;
  /** Whether there is still a job to look at: those of accepted rows are not kept for good. */
  readonly hasJob: boolean;
  /** Known from the job alone. */
  readonly line: number | null;
  readonly atMs: number | null;
}

const SHOWN = 8;

/** The latest failures, newest first: rows whose job failed, and rows that Zoho accepted and then failed. */
export async function latestFailures(queue: EnrichQueue, store: Store): Promise<readonly Failure[]> {
  const [jobs, entries] = await Promise.all([queue.getFailed(0, SHOWN - 1), store.failed(SHOWN)]);
  const failedByZoho = [...entries].map(async ([key, { finishedAtMs = null }]) => {
    const job = await queue.getJob(key);
    return {
      jobId: key,
      hasJob: job !== undefined,
      line: job?.data.line ?? null,
      ...ENRICHMENT_FAILED,
      atMs: finishedAtMs,
    };
  });
  // BullMQ gives null for a job that went away meanwhile.
  return [...jobs.filter(Boolean).map(ofJob), ...(await Promise.all(failedByZoho))]
    .sort((a, b) => (b.atMs ?? 0) - (a.atMs ?? 0))
    .slice(0, SHOWN);
}

function ofJob({ id, data, failedReason, finishedOn }: EnrichJob): Failure {
  return {
    jobId: id ?? '',
    hasJob: true,
    line: data.line ?? null,
    ...parseFailure(failedReason ?? ''),
    atMs: finishedOn ?? null,
  };
}
