import { ENRICHMENT_FAILED, parseFailure, type RowFailure } from '../lib/core/failure.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { EnrichJob, EnrichQueue } from '../lib/queues.js';
import type { Store } from '../lib/store/store.js';

export interface Failure extends RowFailure {
  readonly jobId: string;
  readonly line: number | null;
  readonly atMs: number | null;
}

const SHOWN = 8;

/** Tells the latest failures, newest first: rows whose job failed, and rows that Zoho accepted and then failed. */
export function createFailureList(queue: EnrichQueue, store: Store): () => Promise<readonly Failure[]> {
  let lines = new Map<IdentityKey, number | null>();

  /** A row's line is in its job alone, and never changes. */
  async function linesOf(keys: readonly IdentityKey[]): Promise<typeof lines> {
    const found = keys.map(async (key) => {
      const line = lines.get(key) ?? (await queue.getJob(key))?.data.line ?? null;
      return [key, line] as const;
    });
    return new Map(await Promise.all(found));
  }

  return async () => {
    const [jobs, entries] = await Promise.all([queue.getFailed(0, SHOWN - 1), store.failed(SHOWN)]);
    lines = await linesOf([...entries.keys()]);
    const failedByZoho = [...entries].map(([key, { finishedAtMs = null }]) => ({
      jobId: key,
      line: lines.get(key) ?? null,
      ...ENRICHMENT_FAILED,
      atMs: finishedAtMs,
    }));
    // BullMQ gives null for a job that went away meanwhile.
    return [...jobs.filter(Boolean).map(ofJob), ...failedByZoho]
      .sort((a, b) => (b.atMs ?? 0) - (a.atMs ?? 0))
      .slice(0, SHOWN);
  };
}

function ofJob({ id, data, failedReason, finishedOn }: EnrichJob): Failure {
  return {
    jobId: id ?? '',
    line: data.line ?? null,
    ...parseFailure(failedReason ?? ''),
    atMs: finishedOn ?? null,
  };
}
