import type { Job, JobsOptions, Queue, Worker } from 'bullmq';
import type { IdentityKey } from './core/ids.js';
import type { Row } from './core/row.js';

/** Wire contract: jobs outlive deploys. Add names, never change one. */
export const JOB_NAME = 'enrich';

/**
 * Payload version 1: the row, flat. `line` is the 1-based line of the record in its file, for messages only.
 * Wire contract: add fields, never change or remove one.
 */
export interface EnrichPayload extends Row {
  readonly v: 1;
  readonly line?: number;
}

/** What a completed job keeps. */
export interface EnrichReturn {
  readonly id: string;
}

export type EnrichJob = Job<EnrichPayload, EnrichReturn>;
export type EnrichQueue = Queue<EnrichPayload, EnrichReturn>;
export type EnrichWorker = Worker<EnrichPayload, EnrichReturn>;

/** Options of a row's job: the job id is the identity key, so a row is one job however often its file is read. */
export function jobOptions(key: IdentityKey, maxAttempts: number): JobsOptions {
  return { jobId: key, attempts: maxAttempts, backoff: { type: 'custom' } };
}
