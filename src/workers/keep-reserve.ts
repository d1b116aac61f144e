import { setTimeout as sleep } from 'node:timers/promises';
import { ALLOWANCE_GOOD_MS, type Reserve, reserveAfter, reserveLeft, type SpentSoFar } from '../lib/core/budget.js';
import { CLOCK_TOLERANCE_MS, type Control, INITIAL_CONTROL } from '../lib/core/control.js';
import { reserveTold, reserveUnknown } from '../lib/core/spent-out.js';
import type { Logger } from '../lib/logger.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Document, Store } from '../lib/store/store.js';
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

/** Where nothing was submitted since the latest answer, another program's use alone can have changed it. */
const IDLE_ASKS_MS = 300_000;

/** The ceiling that a worker keeps by asking Zoho what is left. */
export class ReserveKeeper {
  readonly keep: number;
  readonly #askZoho: ReserveSettings['ask'];
  readonly #store: KeepReserveDeps['store'];
  readonly #timing: KeepReserveDeps['timing'];
  readonly #log: Logger;
  readonly #remembered: Document<RememberedAllowance>;
  #hurried = true;
  #wake = new AbortController();
  #refusal = '';

  constructor(deps: KeepReserveDeps) {
    this.keep = deps.keep;
    this.#askZoho = deps.ask;
    this.#store = deps.store;
    this.#timing = deps.timing;
    this.#log = deps.log;
    this.#remembered = deps.store.document('allowance');
  }

  /** A row found nothing left by the latest answer, or has none. */
  askSoon(): void {
    this.#hurried = true;
    this.#wake.abort();
  }

  /** Asks for all workers now and then, for as long as rows are sent, until `signal` is aborted. Never rejects. */
  async keepAsking(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    while (!signal.aborted) {
      try {
        await this.#look(isFirst);
        isFirst = false;
      } catch (error) {
        this.#log.debug('reserve.not-looked', { message: error instanceof Error ? error.message : String(error) });
      }
      this.#wake = new AbortController();
      const nap = AbortSignal.any([signal, this.#wake.signal]);
      // Not oftener than rows that wait ask again.
      await sleep(this.#timing.shortWaitMs, undefined, { signal }).catch(() => undefined);
      if (!this.#hurried)
        await sleep(this.#timing.unattendedEveryMs, undefined, { signal: nap }).catch(() => undefined);
    }
  }

  /** Asks Zoho now; true when rows may be sent by its answer. */
  async isMoreLeft(): Promise<boolean> {
    if (!(await this.#takesTurn())) return false;
    const answer = await this.#ask();
    return answer !== null && reserveLeft(answer, this.keep, answer.spent) > 0;
  }

  async #look(isFirst: boolean): Promise<void> {
    const wasHurried = this.#hurried;
    this.#hurried = false;
    const [{ value }, spending] = [await this.#store.control.read(), await this.#store.spending()];
    const control = value ?? INITIAL_CONTROL;
    if (!this.#isDue(control, spending, wasHurried, isFirst)) return;
    // A worker that has just asked may not have been answered yet; the row asks again.
    if (await this.#takesTurn()) await this.#ask();
  }

  #isDue(
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
    return ageMs >= this.#timing.reserveEveryMs && (!isSame || ageMs >= IDLE_ASKS_MS);
  }

  #takesTurn(): Promise<boolean> {
    return takesTurnToAsk(this.#remembered, ({ askedAtMs = 0 }) => askedAtMs, this.#timing.shortWaitMs);
  }

  /** Zoho's answer, as a ceiling; null when it gave none. Counts what is under way before it asks: see `reserveAfter`. */
  async #ask(): Promise<Reserve | null> {
    const before = await this.#store.spending();
    const answer = await this.#askZoho();
    if (answer.kind !== 'told') {
      if (this.#refusal !== answer.code) this.#log.warn('reserve.not-told', { code: answer.code });
      this.#refusal = answer.code;
      if (answer.kind === 'untold' && answer.isFinal) await this.#stopUntold(answer.code);
      return null;
    }
    this.#refusal = '';
    const { allowance } = answer;
    const reserve = reserveAfter(allowance.left, before, before.nowMs);
    await this.#remembered.change(() => ({ atMs: before.nowMs, askedAtMs: before.nowMs, allowance }));
    this.#log.debug('reserve.told', { left: allowance.left, maySend: reserveLeft(reserve, this.keep, before.spent) });
    await changeControl(this.#store.control, (control, nowMs) => reserveTold(control, reserve, nowMs));
    return reserve;
  }

  /** By an answer that is still good the rest of it may be sent. */
  async #stopUntold(code: string): Promise<void> {
    const { changed } = await changeControl(this.#store.control, (control, nowMs) => {
      const isGood = control.reserve !== undefined && nowMs - control.reserve.askedAtMs < ALLOWANCE_GOOD_MS;
      return isGood ? control : reserveUnknown(control, code, nowMs);
    });
    if (changed) this.#log.error('reserve.unknown', { code, keep: this.keep });
  }
}
