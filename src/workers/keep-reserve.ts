import { setTimeout as sleep } from 'node:timers/promises';
import { ALLOWANCE_GOOD_MS, type Reserve, reserveAfter, reserveLeft, type SpentSoFar } from '../lib/core/budget.js';
import { type Control, INITIAL_CONTROL } from '../lib/core/control.js';
import { reserveTold, reserveUnknown } from '../lib/core/spent-out.js';
import type { Logger } from '../lib/logger.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Store } from '../lib/store/store.js';
import { type RememberedAllowance, type ToldAllowance, takesTurnToAsk } from '../lib/zoho/allowance.js';
import type { Timing } from './timing.js';

/** How much of the allowance is kept back, and how Zoho is asked for it. */
export interface ReserveSettings {
  /** At least 1. */
  readonly keep: number;
  readonly ask: () => Promise<ToldAllowance>;
}

export interface KeepReserveDeps extends ReserveSettings {
  readonly store: Pick<Store, 'control' | 'document' | 'spending'>;
  readonly timing: Pick<Timing, 'unattendedEveryMs' | 'shortWaitMs' | 'reserveEveryMs'>;
  readonly log: Logger;
}

/** The ceiling that a worker keeps by asking Zoho what is left. */
export interface ReserveKeeper {
  readonly keep: number;
  /** A row found nothing left by the latest answer, or has none. */
  askSoon(): void;
  /** Asks for all workers now and then, for as long as rows are sent, until `signal` is aborted. Never rejects. */
  keepAsking(signal: AbortSignal): Promise<void>;
  /** Asks Zoho now; true when rows may be sent by its answer. */
  isMoreLeft(): Promise<boolean>;
}

/** Where nothing was submitted since the latest answer, another program's use alone can have changed it. */
const IDLE_ASKS_MS = 300_000;
const CLOCK_TOLERANCE_MS = 10_000;

export function createReserveKeeper(deps: KeepReserveDeps): ReserveKeeper {
  const { store, timing, log, keep } = deps;
  const remembered = store.document<RememberedAllowance>('allowance');
  let hurried = true;
  let wake = new AbortController();
  let refusal = '';

  async function look(isFirst: boolean): Promise<void> {
    const wasHurried = hurried;
    hurried = false;
    const [{ value }, spending] = [await store.control.read(), await store.spending()];
    const control = value ?? INITIAL_CONTROL;
    if (!isDue(control, spending, wasHurried, isFirst)) return;
    // A worker that has just asked may not have been answered yet; the row asks again.
    if (await takesTurn()) await ask();
  }

  function isDue(
    { mode, reserve }: Control,
    spending: SpentSoFar & { readonly nowMs: number },
    isHurried: boolean,
    isFirst: boolean,
  ): boolean {
    if (mode === 'stopped') return false;
    const ageMs = spending.nowMs - (reserve?.askedAtMs ?? Number.NEGATIVE_INFINITY);
    if (reserve === undefined || isFirst || ageMs < -CLOCK_TOLERANCE_MS) return true;
    const isSame = reserve.spent === spending.spent;
    if (isHurried && spending.open === 0 && !(reserve.quiet && isSame)) return true;
    return ageMs >= timing.reserveEveryMs && (!isSame || ageMs >= IDLE_ASKS_MS);
  }

  function takesTurn(): Promise<boolean> {
    return takesTurnToAsk(remembered, ({ askedAtMs = 0 }) => askedAtMs, timing.shortWaitMs);
  }

  /** Zoho's answer, as a ceiling; null when it gave none. Counts what is under way before it asks: see `reserveAfter`. */
  async function ask(): Promise<Reserve | null> {
    const before = await store.spending();
    const answer = await deps.ask();
    if (answer.kind !== 'told') {
      if (refusal !== answer.code) log.warn('reserve.not-told', { code: answer.code });
      refusal = answer.code;
      if (answer.kind === 'untold' && answer.isFinal) await stopUntold(answer.code);
      return null;
    }
    refusal = '';
    const { allowance } = answer;
    const reserve = reserveAfter(allowance.left, before, before.nowMs);
    await remembered.change(() => ({ atMs: before.nowMs, askedAtMs: before.nowMs, allowance }));
    log.debug('reserve.told', { left: allowance.left, maySend: reserveLeft(reserve, keep, before.spent) });
    await changeControl(store.control, (control, nowMs) => reserveTold(control, reserve, nowMs));
    return reserve;
  }

  /** By an answer that is still good the rest of it may be sent. */
  async function stopUntold(code: string): Promise<void> {
    const { changed } = await changeControl(store.control, (control, nowMs) => {
      const isGood = control.reserve !== undefined && nowMs - control.reserve.askedAtMs < ALLOWANCE_GOOD_MS;
      return isGood ? control : reserveUnknown(control, code, nowMs);
    });
    if (changed) log.error('reserve.unknown', { code, keep });
  }

  return {
    keep,
    askSoon: () => {
      hurried = true;
      wake.abort();
    },
    keepAsking: async (signal) => {
      let isFirst = true;
      while (!signal.aborted) {
        try {
          await look(isFirst);
          isFirst = false;
        } catch (error) {
          log.debug('reserve.not-looked', { message: error instanceof Error ? error.message : String(error) });
        }
        wake = new AbortController();
        const nap = AbortSignal.any([signal, wake.signal]);
        // Not oftener than rows that wait ask again.
        await sleep(timing.shortWaitMs, undefined, { signal }).catch(() => undefined);
        if (!hurried) await sleep(timing.unattendedEveryMs, undefined, { signal: nap }).catch(() => undefined);
      }
    },
    isMoreLeft: async () => {
      if (!(await takesTurn())) return false;
      const answer = await ask();
      return answer !== null && reserveLeft(answer, keep, answer.spent) > 0;
    },
  };
}
