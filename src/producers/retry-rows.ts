import pLimit from 'p-limit';
import type { IdentityKey } from '../lib/core/ids.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichJob, EnrichQueue } from '../lib/queues.js';

export interface RetryOptions {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  /** Only rows that failed with this code; all codes when absent. */
  readonly code?: string;
  /** Release held rows, and only those: they are sent again whether or not Zoho has them. */
  readonly uncertain: boolean;
  /** Only these rows; all rows when absent. */
  readonly keys?: ReadonlySet<IdentityKey>;
  readonly onProgress?: (retried: number) => void;
}

export interface RetryReport {
  readonly retried: number;
  /** Failed rows that the options left alone. */
  readonly left: number;
}

const CHUNK = 500;
const AT_ONCE = 50;
/** The code of a dead letter that waits for a person: see the worker's held rows. */
const HELD_CODE = 'UNCERTAIN_HELD';

/**
 * Puts failed rows back into the queue with fresh attempts, in chunks. Safe to call again and to interrupt: each row is
 * either still failed or waiting. Rows that another process retries meanwhile are not counted.
 */
export async function retryRows(options: RetryOptions): Promise<RetryReport> {
  const limit = pLimit(AT_ONCE);
  let retried = 0;
  let left = 0;
  for (;;) {
    // Retried rows leave the failed set, so the next chunk starts behind those that were left alone.
    const jobs = await options.queue.getFailed(left, left + CHUNK - 1);
    if (jobs.length === 0) return { retried, left };
    const results = await Promise.all(jobs.map((job) => limit(() => retryJob(job, options))));
    const moved = results.filter(Boolean).length;
    retried += moved;
    left += jobs.length - moved;
    options.onProgress?.(retried);
  }
}

async function retryJob(job: EnrichJob, { engine, code, uncertain, keys }: RetryOptions): Promise<boolean> {
  // Job ids of this program are identity keys; a foreign id is simply in nobody's set.
  const key = job.id as IdentityKey;
  const failedWith = job.failedReason?.split(':', 1)[0] ?? '';
  if (keys && !keys.has(key)) return false;
  if (uncertain !== (failedWith === HELD_CODE)) return false;
  if (code !== undefined && failedWith !== code) return false;
  if (uncertain) await releaseHeld(engine, key);
  return job.retry('failed', { resetAttemptsMade: true }).then(
    () => true,
    () => false,
  );
}

async function releaseHeld(engine: Engine, key: IdentityKey): Promise<void> {
  const entry = (await engine.store.entries([key])).get(key);
  if (entry?.state === 'held') await engine.store.clear(key, entry.callId);
}
