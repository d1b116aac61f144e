import { type Control, INITIAL_CONTROL } from '../lib/core/control.js';
import { type History, historyBegun, lookBegun, type Moment, signOf, workerBack } from '../lib/core/history.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import type { Logger } from '../lib/logger.js';
import type { Heartbeat, Refusal, Store } from '../lib/store/store.js';

/** What this worker remembers of what it wrote, for a store that forgets it. */
export interface WorkerMemory {
  /** The store, with every claim, settlement and heartbeat of this worker remembered and compared. */
  readonly store: Store;
}

export interface WorkerMemoryDeps {
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
 * Compares the store with what this worker wrote, at each heartbeat: a look is due when something is missing, and what this
 * worker knows is written back first. A row is admitted only over a connection on which the store was found whole.
 */
export function createWorkerMemory({ store, workerId, zohoNowMs, log }: WorkerMemoryDeps): WorkerMemory {
  const document = store.document<History>('history');
  /** The latest state of rows this worker claimed. */
  const written = new Map<IdentityKey, LedgerEntry>();
  let number = 0;
  /** What the store said was spent, at this worker's latest claim. */
  let spent = 0;
  let wholeOn = NOT_WHOLE;
  let joined = false;
  let born: Moment | null = null;
  let control: Control = INITIAL_CONTROL;

  return {
    store: {
      ...store,
      heartbeat,
      admit: async (request) => {
        const connection = store.connections();
        if (connection !== wholeOn) return notWhole();
        const admission = await store.admit({ ...request, worker: { id: workerId, number } });
        if (admission.kind !== 'go') return admission;
        if (store.connections() !== connection) {
          await store.release(request.key, request.callId);
          return notWhole();
        }
        number = Math.max(number, admission.number);
        ({ spent } = admission);
        const { sentAtMs, sends } = admission;
        const { key, callId, sent, queuedAtMs } = request;
        const queued = queuedAtMs === undefined ? {} : { queuedAtMs };
        remember(key, { state: 'sending', callId, sentAtMs, sends, sent, ...queued });
        return admission;
      },
      settle: async (key, callId, enrichmentId, notes = []) => {
        const scheduled = { state: 'scheduled', enrichmentId, ...(notes.length > 0 && { notes }) } as const;
        // True whether the store takes it now or refuses: a look that comes first finds the owner all the same.
        const before = written.get(key);
        if (before) change(key, callId, { ...scheduled, scheduledAtMs: Math.floor(before.sentAtMs) });
        const settled = await store.settle(key, callId, enrichmentId, notes, workerId);
        if (settled.kind === 'conflict') {
          if (before) remember(key, before);
          return settled;
        }
        number = Math.max(number, settled.number);
        change(key, callId, { ...scheduled, scheduledAtMs: Math.floor(settled.nowMs) });
        return settled;
      },
      markUncertain: async (key, callId, reason) => {
        const reported = await store.markUncertain(key, callId, reason);
        change(key, callId, { state: 'uncertain', reason });
        return reported;
      },
      release: async (key, callId) => {
        const reported = await store.release(key, callId);
        if (written.get(key)?.callId === callId) written.delete(key);
        return reported;
      },
      leave: async (id) => {
        const left = await store.leave(id);
        const isClean = left.workers + left.claims === 0 && store.connections() === wholeOn;
        if (isClean) await changeHistory((history) => (history.look ? history : { ...history, cleanEnd: true }));
        return left;
      },
    },
  };

  async function heartbeat(id: string, callIds: readonly string[], leaseMs: number): Promise<Heartbeat> {
    const connection = store.connections();
    const steady = wholeOn === connection;
    const beat = await store.heartbeat(id, callIds, leaseMs, { number, raise: false, steady, zohoNowMs: zohoNowMs() });
    let history = await judge(beat);
    if (history.look !== null && !history.look.back.includes(workerId)) history = await writeBack(leaseMs);
    born ??= { storeMs: history.bornMs, zohoMs: null };
    const zohoMs = zohoNowMs();
    if (born.zohoMs === null && zohoMs !== null) born = { ...born, zohoMs: zohoMs - (beat.nowMs - born.storeMs) };
    joined = true;
    number = Math.max(number, beat.number);
    wholeOn = history.look === null ? connection : NOT_WHOLE;
    ({ control } = beat);
    return { ...beat, history };
  }

  /** The history after what the heartbeat has shown. */
  async function judge(beat: Heartbeat): Promise<History> {
    const { server, nowMs } = beat;
    // A copy of a database holds the leases of its time, too; where no server tells its name, nobody else can be believed.
    const isFirst = !joined && (beat.workers.length === 1 || server === '');
    const begun = historyBegun(server, nowMs);
    // Nothing was ever here, as far as anybody knows.
    if (beat.history === null && number === 0) return changeHistory((history) => history, begun);
    const history = beat.history ?? begun;
    const bornMs = born?.storeMs ?? null;
    const sign = signOf({ history, server, number: beat.number, remembered: number, isFirst, bornMs });
    if (sign === null) {
      if (!isFirst || !history.cleanEnd) return history;
      return changeHistory((now) => ({ ...now, cleanEnd: false }));
    }
    // A store born anew has no sign of life from before: the list is read back to the birth that this worker remembers.
    const bornAgain = born !== null && history.bornMs !== born.storeMs;
    const backTo = (bornAgain ? born : beat.alive) ?? { storeMs: history.bornMs, zohoMs: null };
    const due = { sign, server, backTo, bornMs: bornMs ?? history.bornMs };
    return changeHistory((now, at) => lookBegun(now, due, at), begun);
  }

  /** Writes back what this worker knows, and its number, so that the look finds owners where there are some. */
  async function writeBack(leaseMs: number): Promise<History> {
    const verdicts = await store.importEntries(written, new Map());
    const lost = [...verdicts.values()].filter((verdict) => verdict === 'added' || verdict === 'stronger').length;
    if (lost > 0) log.warn('history.written-back', { rows: lost });
    // After the import, which counts what it adds.
    await store.spending(spent);
    const mark = { number, raise: true, steady: false, zohoNowMs: null };
    number = (await store.heartbeat(workerId, [], leaseMs, mark)).number;
    return changeHistory((history) => workerBack(history, workerId));
  }

  async function changeHistory(
    next: (history: History, nowMs: number) => History,
    otherwise: History | null = null,
  ): Promise<History> {
    const { value } = await document.change((now, nowMs) => {
      const before = now ?? otherwise;
      const after = before && next(before, nowMs);
      return after === null || after === now ? undefined : after;
    });
    return value ?? historyBegun('', 0);
  }

  function notWhole(): Refusal {
    return { kind: 'held-back', control, waitMs: ASK_AGAIN_MS, reason: 'looking' };
  }

  function change(key: IdentityKey, callId: string, to: Partial<LedgerEntry>): void {
    const entry = written.get(key);
    if (entry?.callId === callId) remember(key, { ...entry, ...to });
  }

  function remember(key: IdentityKey, entry: LedgerEntry): void {
    // Put at the end: the oldest is forgotten first, and never one under way.
    written.delete(key);
    written.set(key, entry);
    if (written.size <= MAX_REMEMBERED) return;
    for (const [oldest, { state }] of written) {
      if (state === 'sending') continue;
      written.delete(oldest);
      return;
    }
  }
}
