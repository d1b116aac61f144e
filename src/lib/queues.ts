import type { Job, JobsOptions, Queue, Worker } from 'bullmq';
import * as z from 'zod';
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
  /** A result from before this time, store clock in milliseconds, does not count: the row is sent again. */
  readonly refreshBeforeMs?: number;
  /**
   * When its queueing began, store clock in milliseconds: rows of another queueing that were sent may stand for it under other
   * columns. Absent where they may not.
   */
  readonly queuedAtMs?: number;
}

const text = z.string().optional();
const payloadV1 = z.object({
  v: z.literal(1),
  line: z.number().int().positive().optional(),
  refreshBeforeMs: z.number().optional(),
  queuedAtMs: z.number().optional(),
  module: z.string().min(1),
  recordId: text,
  name: text,
  email: text,
  website: text,
});

export type ParsedPayload =
  | { readonly ok: true; readonly value: EnrichPayload }
  | { readonly ok: false; readonly code: 'UNREADABLE_JOB'; readonly message: string };

/** The payload of a job, parsed: other producers, and newer versions of this one, may write to the queue. */
export function parsePayload(data: unknown): ParsedPayload {
  const parsed = payloadV1.safeParse(data);
  if (!parsed.success) {
    return {
      ok: false,
      code: 'UNREADABLE_JOB',
      message: 'The job has a payload this version cannot read; upgrade the workers, then retry the row.',
    };
  }
  // zod's optional keys are `undefined` or present, never `undefined` and present, after a JSON round trip.
  return { ok: true, value: parsed.data as EnrichPayload };
}

/** What a completed job keeps. */
export interface EnrichReturn {
  readonly id: string;
}

export type EnrichJob = Job<EnrichPayload, EnrichReturn>;
export type EnrichQueue = Queue<EnrichPayload, EnrichReturn>;
export type EnrichWorker = Worker<EnrichPayload, EnrichReturn>;

export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/**
 * `normal` rows have no BullMQ priority: a prioritized job takes about 100 bytes more in Redis, and BullMQ takes it after
 * all jobs without one. So only `low` has a priority, and `high` rows go to the front of the line instead.
 */
const PRIORITY_OPTIONS: Readonly<Record<Priority, JobsOptions>> = {
  high: { lifo: true },
  normal: {},
  low: { priority: 10 },
};

/**
 * Options of a row's job: the job id is the identity key, so a row is one job however often its file is read. The backoff
 * is the worker's to add.
 */
export function jobOptions(key: IdentityKey, maxAttempts: number, priority: Priority = 'normal'): JobsOptions {
  return { jobId: key, attempts: maxAttempts, ...PRIORITY_OPTIONS[priority] };
}
