import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq';
import { assertNever } from '../lib/core/assert-never.js';
import { type BackoffPolicy, backoffMs } from '../lib/core/backoff.js';
import { failureText } from '../lib/core/failure.js';
import type { Outcome } from '../lib/core/outcome.js';
import type { Engine } from '../lib/engine/engine.js';
import { StoreUnavailableError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichJob, EnrichReturn, EnrichWorker } from '../lib/queues.js';
import type { Heartbeat } from './heartbeat.js';
import type { Timing } from './timing.js';

export interface SubmitWorkerSettings {
  readonly concurrency: number;
  readonly backoff: BackoffPolicy;
}

export interface SubmitWorkerDeps {
  readonly engine: Engine;
  readonly heartbeat: Pick<Heartbeat, 'pauseFetching'>;
  readonly timing: Timing;
  readonly log: Logger;
  readonly random: () => number;
  readonly submit: (data: unknown) => Promise<Outcome>;
  /** Called each time the worker has asked the engine for a row, with the reason where it refused. */
  readonly onFetch: (refusal?: Error) => void;
}

/** The ledger bounds repeats; BullMQ's own bound would fail a row because its workers died often. */
const NO_STALLED_LIMIT = 1_000_000;
/** BullMQ counts finished jobs by the minute, and in all, only when asked to. */
const MINUTES_COUNTED = 1_440;
/** For a look at single ones. The ledger has what became of every row, so that a million jobs need not be kept for it. */
const COMPLETED_KEPT = 1_000;
/** The same for every job, so it is not kept with each: that would be 40 bytes a row in Redis. */
const BACKOFF = { type: 'custom' };

/** BullMQ wiring of the submit step: concurrency, locks, events, what becomes of the job; no business rules. Not running until `run()`. */
export function createSubmitWorker(settings: SubmitWorkerSettings, deps: SubmitWorkerDeps): EnrichWorker {
  const { heartbeat, timing, log, random } = deps;
  const worker = deps.engine.openWorker(
    (job, token) => process(job, token ?? ''),
    {
      autorun: false,
      concurrency: settings.concurrency,
      lockDuration: timing.lockDurationMs,
      stalledInterval: timing.stalledCheckMs,
      maxStalledCount: NO_STALLED_LIMIT,
      runRetryDelay: timing.shortWaitMs,
      metrics: { maxDataPoints: MINUTES_COUNTED },
      removeOnComplete: { count: COMPLETED_KEPT },
      settings: { backoffStrategy: (attempt) => backoffMs(attempt, settings.backoff, random()) },
    },
    deps.onFetch,
  );

  async function process(job: EnrichJob, token: string): Promise<EnrichReturn> {
    const startedAt = performance.now();
    job.opts.backoff ??= BACKOFF;
    const outcome = await attempt(job);
    log.debug('attempt.finished', {
      jobId: job.id,
      line: lineOf(job),
      attempt: job.attemptsMade + 1,
      outcome: outcome.kind,
      code: 'code' in outcome ? outcome.code : undefined,
      durationMs: Math.round(performance.now() - startedAt),
    });
    if (outcome.kind === 'requeue') heartbeat.pauseFetching(outcome.waitMs, outcome.code);
    return settleJob(outcome, job, token, Date.now());
  }

  async function attempt(job: EnrichJob): Promise<Outcome> {
    try {
      return await deps.submit(job.data);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      log.warn('store.unavailable', { jobId: job.id, message: error.message });
      // The job waits a little instead of spending an attempt.
      return { kind: 'requeue', code: error.code, waitMs: timing.shortWaitMs };
    }
  }

  worker.on('failed', (job, error) => {
    log.warn('row.failed', {
      jobId: job?.id,
      line: job && lineOf(job),
      reason: error.message,
      attempts: job?.attemptsMade,
    });
  });
  return worker;
}

/** Other programs may write to the queue, and data that is no object is none of the row's. */
function lineOf({ data }: { readonly data: Partial<EnrichJob['data']> | null }): number | undefined {
  return data?.line;
}

/**
 * The only place where an outcome becomes a BullMQ action. Returns the job's result or throws what tells BullMQ that the
 * job was put back (no attempt spent) or is a dead letter. `nowMs` is the machine's clock, as BullMQ's delays are.
 */
async function settleJob(outcome: Outcome, job: EnrichJob, token: string, nowMs: number): Promise<EnrichReturn> {
  switch (outcome.kind) {
    case 'done':
      return { id: outcome.enrichmentId };
    case 'discard':
      throw new UnrecoverableError(failureText(outcome));
    case 'requeue':
      await job.moveToWait(token);
      throw new WaitingError();
    case 'snooze':
      await job.moveToDelayed(nowMs + outcome.waitMs, token);
      throw new DelayedError();
    default:
      return assertNever(outcome);
  }
}
