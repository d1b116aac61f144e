import { setTimeout as sleep } from 'node:timers/promises';
import { type Control, resumed } from '../lib/core/control.js';
import { nextTryMs } from '../lib/core/next-try.js';
import type { Notices } from '../lib/core/notices.js';
import type { Logger } from '../lib/logger.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Store } from '../lib/store/store.js';
import type { ReserveKeeper } from './keep-reserve.js';

export interface ResumeByItselfDeps {
  readonly store: Pick<Store, 'control' | 'document'>;
  /** After LIMIT_EXCEEDED the fleet resumes after so long, and again after each try in vain. 0 is never. */
  readonly afterLimitMs: number;
  /** Asks what is left after RESERVE_REACHED; absent: this worker keeps nothing back, and lifts no such stop. */
  readonly reserve?: Pick<ReserveKeeper, 'isMoreLeft'> | undefined;
  readonly everyMs: number;
  readonly log: Logger;
}

/** Zoho does not answer: it is asked again after so long, or after the configured time when that is shorter. */
const ASK_AGAIN_MS = 60_000;

/**
 * Lifts a stop for a spent allowance each time it has lasted long enough, until `signal` is aborted: one row goes first, as
 * after every resume. A stop for the reserve is lifted only when Zoho says that more is left. Every worker runs it; the
 * store's clock and the stop's epoch see to it that one of them acts. No other stop is lifted. Never rejects.
 */
export async function resumeByItself(deps: ResumeByItselfDeps, signal: AbortSignal): Promise<void> {
  if (deps.afterLimitMs <= 0) return;
  let notBefore = 0;
  while (!signal.aborted) {
    try {
      if (performance.now() >= notBefore && (await resumeWhenDue(deps)) === 'in-vain') {
        notBefore = performance.now() + Math.min(deps.afterLimitMs, ASK_AGAIN_MS);
      }
    } catch (error) {
      deps.log.debug('resume.not-tried', { message: error instanceof Error ? error.message : String(error) });
    }
    await sleep(deps.everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function resumeWhenDue(deps: ResumeByItselfDeps): Promise<'not-due' | 'resumed' | 'in-vain'> {
  const { store, afterLimitMs, reserve, log } = deps;
  const { value, nowMs } = await store.control.read();
  if (value === null || !isDue(value, nowMs, afterLimitMs)) return 'not-due';
  const code = value.stop?.code ?? '';
  if (code === 'RESERVE_REACHED' && !(await reserve?.isMoreLeft())) return 'in-vain';
  // Noted first: a stop that comes back before this is written would be told as a new one.
  await store
    .document<Notices>('notices')
    .change((notices) => (notices === null ? undefined : { ...notices, renewingEpoch: value.epoch + 2 }));
  const { changed } = await changeControl(store.control, (control) =>
    control.epoch === value.epoch && control.stop?.code === code ? resumed(control) : control,
  );
  if (changed) log.info('fleet.resumed-by-itself', { code, afterMs: afterLimitMs });
  return 'resumed';
}

function isDue(control: Control, nowMs: number, afterLimitMs: number): boolean {
  const dueMs = nextTryMs(control, afterLimitMs);
  return dueMs !== null && nowMs >= dueMs;
}
