import { type Control, INITIAL_CONTROL } from '../lib/core/control.js';
import { type History, historyBegun, lookBegun, type Moment, signOf, workerBack } from '../lib/core/history.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import type { Logger } from '../lib/logger.js';
import type {
  Admission,
  AdmitRequest,
  Document,
  Heartbeat,
  Refusal,
  Reported,
  Settlement,
  Store,
} from '../lib/store/store.js';

export interface ClaimsDeps {
  readonly store: Store;
  readonly workerId: string;
  /** Zoho's clock, null while it was not heard. */
  readonly zohoNowMs: () => number | null;
  readonly log: Logger;
}

/** Rows remembered after their answer; what is older is found by the look at Zoho's list. About 400 bytes each. */
const MAX_REMEMBERED = 10_000;
/** `wholeOn` of a worker that has not found the store whole. */
const NOT_WHOLE = -1;
const ASK_AGAIN_MS = 250;

/**
 * The claims of one worker: makes, settles and gives them back, and remembers each. At every heartbeat it compares the store
 * with what it wrote: a look is due when something is missing, and what this worker knows is written back first. A row is
 * admitted only over a connection on which the store was found whole. Every method may be repeated as the store's own.
 */
export class Claims {
  readonly #store: Store;
  readonly #workerId: string;
  readonly #zohoNowMs: () => number | null;
  readonly #log: Logger;
  readonly #document: Document<History>;
  /** The latest state of rows this worker claimed. */
  readonly #written = new Map<IdentityKey, LedgerEntry>();
  #number = 0;
  /** What the store said was spent, at this worker's latest claim. */
  #spent = 0;
  #wholeOn = NOT_WHOLE;
  #joined = false;
  #born: Moment | null = null;
  #control: Control = INITIAL_CONTROL;

  constructor({ store, workerId, zohoNowMs, log }: ClaimsDeps) {
    this.#store = store;
    this.#workerId = workerId;
    this.#zohoNowMs = zohoNowMs;
    this.#log = log;
    this.#document = store.document('history');
  }

  /** As the store's own `admit`; held back where the store was not found whole. */
  async admit(request: AdmitRequest): Promise<Admission> {
    const connection = this.#store.connections();
    if (connection !== this.#wholeOn) return this.#notWhole();
    const admission = await this.#store.admit({ ...request, worker: { id: this.#workerId, number: this.#number } });
    if (admission.kind !== 'go') return admission;
    if (this.#store.connections() !== connection) {
      await this.#store.release(request.key, request.callId);
      return this.#notWhole();
    }
    this.#number = Math.max(this.#number, admission.number);
    this.#spent = admission.spent;
    const { sentAtMs, sends } = admission;
    const { key, callId, sent, queuedAtMs } = request;
    const queued = queuedAtMs === undefined ? {} : { queuedAtMs };
    this.#remember(key, { state: 'sending', callId, sentAtMs, sends, sent, ...queued });
    return admission;
  }

  /** Zoho accepted the row. */
  async settle(
    key: IdentityKey,
    callId: string,
    enrichmentId: EnrichmentId,
    notes: readonly string[] = [],
  ): Promise<Settlement> {
    const scheduled = { state: 'scheduled', enrichmentId, ...(notes.length > 0 && { notes }) } as const;
    // True whether the store takes it now or refuses: a look that comes first finds the owner all the same.
    const before = this.#written.get(key);
    if (before) this.#change(key, callId, { ...scheduled, scheduledAtMs: Math.floor(before.sentAtMs) });
    const settled = await this.#store.settle(key, callId, enrichmentId, notes, this.#workerId);
    if (settled.kind === 'conflict') {
      if (before) this.#remember(key, before);
      return settled;
    }
    this.#number = Math.max(this.#number, settled.number);
    this.#change(key, callId, { ...scheduled, scheduledAtMs: Math.floor(settled.nowMs) });
    return settled;
  }

  /** The answer was lost. */
  async markUncertain(key: IdentityKey, callId: string, reason: string): Promise<Reported> {
    const reported = await this.#store.markUncertain(key, callId, reason);
    this.#change(key, callId, { state: 'uncertain', reason });
    return reported;
  }

  /** Zoho took nothing. */
  async release(key: IdentityKey, callId: string): Promise<Reported> {
    const reported = await this.#store.release(key, callId);
    if (this.#written.get(key)?.callId === callId) this.#written.delete(key);
    return reported;
  }

  /** Takes the worker off the list of the living, and notes a clean end when it was the last one and all is there. */
  async leave(): Promise<void> {
    const left = await this.#store.leave(this.#workerId);
    const isClean = left.workers + left.claims === 0 && this.#store.connections() === this.#wholeOn;
    if (isClean) await this.#changeHistory((history) => (history.look ? history : { ...history, cleanEnd: true }));
  }

  /** Renews the permits of these calls and the worker itself. Answers the history as it is after the comparison. */
  async heartbeat(callIds: readonly string[], leaseMs: number): Promise<Heartbeat> {
    const connection = this.#store.connections();
    const steady = this.#wholeOn === connection;
    const beat = await this.#store.heartbeat(this.#workerId, callIds, leaseMs, {
      number: this.#number,
      raise: false,
      steady,
      zohoNowMs: this.#zohoNowMs(),
    });
    let history = await this.#judge(beat);
    if (history.look !== null && !history.look.back.includes(this.#workerId)) history = await this.#writeBack(leaseMs);
    // Whoever has written back takes the birth that the look is about for its own; else each look would bring on the next.
    if (this.#born?.storeMs !== history.bornMs) this.#born = { storeMs: history.bornMs, zohoMs: null };
    const zohoMs = this.#zohoNowMs();
    if (this.#born.zohoMs === null && zohoMs !== null)
      this.#born = { ...this.#born, zohoMs: zohoMs - (beat.nowMs - this.#born.storeMs) };
    this.#joined = true;
    this.#number = Math.max(this.#number, beat.number);
    this.#wholeOn = history.look === null ? connection : NOT_WHOLE;
    this.#control = beat.control;
    return { ...beat, history };
  }

  /** The history after what the heartbeat has shown. */
  async #judge(beat: Heartbeat): Promise<History> {
    const { server, nowMs } = beat;
    // A copy of a database holds the leases of its time, too; where no server tells its name, nobody else can be believed.
    const isFirst = !this.#joined && (beat.workers.length === 1 || server === '');
    const begun = historyBegun(server, nowMs);
    // Nothing was ever here, as far as anybody knows.
    if (beat.history === null && this.#number === 0) return this.#changeHistory((history) => history, begun);
    const history = beat.history ?? begun;
    const born = this.#born;
    const bornMs = born?.storeMs ?? null;
    const sign = signOf({ history, server, number: beat.number, remembered: this.#number, isFirst, bornMs });
    if (sign === null) {
      if (!isFirst || !history.cleanEnd) return history;
      return this.#changeHistory((now) => ({ ...now, cleanEnd: false }));
    }
    const alive = beat.alive ?? { storeMs: history.bornMs, zohoMs: null };
    // A store born anew has no sign of life from before: the list is read back to the birth that this worker remembers.
    const isEarlier = born !== null && born.storeMs !== history.bornMs && born.storeMs < alive.storeMs;
    const backTo = isEarlier ? born : alive;
    const due = { sign, server, backTo, bornMs: bornMs ?? history.bornMs };
    return this.#changeHistory((now, at) => lookBegun(now, due, at), begun);
  }

  /** Writes back what this worker knows, and its number, so that the look finds owners where there are some. */
  async #writeBack(leaseMs: number): Promise<History> {
    const verdicts = await this.#store.importEntries(this.#written, new Map());
    const lost = [...verdicts.values()].filter((verdict) => verdict === 'added' || verdict === 'stronger').length;
    if (lost > 0) this.#log.warn('history.written-back', { rows: lost });
    // After the import, which counts what it adds.
    await this.#store.spending(this.#spent);
    const mark = { number: this.#number, raise: true, steady: false, zohoNowMs: null };
    this.#number = (await this.#store.heartbeat(this.#workerId, [], leaseMs, mark)).number;
    return this.#changeHistory((history) => workerBack(history, this.#workerId));
  }

  async #changeHistory(
    next: (history: History, nowMs: number) => History,
    otherwise: History | null = null,
  ): Promise<History> {
    const { value } = await this.#document.change((now, nowMs) => {
      const before = now ?? otherwise;
      const after = before && next(before, nowMs);
      return after === null || after === now ? undefined : after;
    });
    return value ?? historyBegun('', 0);
  }

  #notWhole(): Refusal {
    return { kind: 'held-back', control: this.#control, waitMs: ASK_AGAIN_MS, reason: 'looking' };
  }

  #change(key: IdentityKey, callId: string, to: Partial<LedgerEntry>): void {
    const entry = this.#written.get(key);
    if (entry?.callId === callId) this.#remember(key, { ...entry, ...to });
  }

  #remember(key: IdentityKey, entry: LedgerEntry): void {
    // Put at the end: the oldest is forgotten first, and never one under way.
    this.#written.delete(key);
    this.#written.set(key, entry);
    if (this.#written.size <= MAX_REMEMBERED) return;
    for (const [oldest, { state }] of this.#written) {
      if (state === 'sending') continue;
      this.#written.delete(oldest);
      return;
    }
  }
}
