import { setTimeout as sleep } from 'node:timers/promises';
import { type Control, INITIAL_CONTROL, resumed } from '../lib/core/control.js';
import { nextTryMs } from '../lib/core/next-try.js';
import type { Notices } from '../lib/core/notices.js';
import type { Logger } from '../lib/logger.js';
import type { Store } from '../lib/store/store.js';

export interface ResumeByItselfDeps {
  readonly store: Pick<Store, 'control' | 'document'>;
  /** After LIMIT_EXCEEDED the fleet resumes after so long, and again after each try in vain. 0 is never. */
  readonly afterLimitMs: number;
  readonly everyMs: number;
  readonly log: Logger;
}

/**
 * Lifts a stop for a spent allowance each time it has lasted long enough, until `signal` is aborted: one row goes first, as
 * after every resume. Every worker runs it; the store's clock and the stop's epoch see to it that one of them acts. No
 * other stop is lifted. Never rejects.
 */
export async function resumeByItself(deps: ResumeByItselfDeps, signal: AbortSignal): Promise<void> {
  if (deps.afterLimitMs <= 0) return;
  while (!signal.aborted) {
    await resumeWhenDue(deps).catch((error: unknown) => {
      deps.log.debug('resume.not-tried', { message: error instanceof Error ? error.message : String(error) });
    });
    await sleep(deps.everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function resumeWhenDue({ store, afterLimitMs, log }: ResumeByItselfDeps): Promise<void> {
  const { value, nowMs } = await store.control.read();
  if (value === null || !isDue(value, nowMs, afterLimitMs)) return;
  // Noted first: a stop that comes back before this is written would be told as a new one.
  await store
    .document<Notices>('notices')
    .change((notices) => (notices === null ? undefined : { ...notices, renewingEpoch: value.epoch + 2 }));
  const { changed } = await store.control.change((control, now) => {
    const before = control ?? INITIAL_CONTROL;
    return before.epoch === value.epoch && isDue(before, now, afterLimitMs) ? resumed(before) : undefined;
  });
  if (changed) log.info('fleet.resumed-by-itself', { code: 'LIMIT_EXCEEDED', afterMs: afterLimitMs });
}

function isDue({ mode, stop }: Control, nowMs: number, afterLimitMs: number): boolean {
  return nextTryMs({ mode, stop }, afterLimitMs) !== null && nowMs >= (stop?.sinceMs ?? 0) + afterLimitMs;
}
