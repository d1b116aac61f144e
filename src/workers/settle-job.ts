import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq';
import { assertNever } from '../lib/core/assert-never.js';
import { failureText } from '../lib/core/failure.js';
import type { Outcome } from '../lib/core/outcome.js';
import type { EnrichJob, EnrichReturn } from '../lib/queues.js';

/**
 * The only place where an outcome becomes a BullMQ action. Returns the job's result or throws what tells BullMQ that the
 * job was put back (no attempt spent) or is a dead letter. `nowMs` is the machine's clock, as BullMQ's delays are.
 */
export async function settleJob(outcome: Outcome, job: EnrichJob, token: string, nowMs: number): Promise<EnrichReturn> {
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
