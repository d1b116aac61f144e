import { setTimeout as sleep } from 'node:timers/promises';
import { type CollectorState, INITIAL_COLLECTOR, walkDueAtMs } from '../lib/core/collecting.js';
import { type Control, INITIAL_CONTROL, type StopReason } from '../lib/core/control.js';
import type { Engine, QueueCounts } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { LedgerCounts } from '../lib/store/store.js';

export interface WorkerProgress {
  readonly queue: QueueCounts;
  readonly ledger: LedgerCounts;
  readonly control: Control;
  /** Store clock. */
  readonly nowMs: number;
  /** When the results of what was sent are next asked for, store clock; null while rows are still to be sent. */
  readonly nextLookAtMs: number | null;
}

export type RowCounts = Pick<WorkerProgress, 'queue' | 'ledger'>;

export interface WorkerReport {
  /** Why it ended: nothing left, the fleet stopped with rows left, or told to. */
  readonly ended: 'idle' | 'stopped' | 'signal';
  /** Rows that this fleet submitted, failed (here or at Zoho) and held since the worker started. */
  readonly submitted: number;
  readonly failed: number;
  readonly held: number;
  /** Rows still uncertain at the end. */
  readonly uncertain: number;
  readonly stop: StopReason | null;
  /** Rows whose result this fleet collected, or gave up, since the worker started. */
  readonly finished: number;
  /** Submitted rows still without a result at the end. */
  readonly pending: number;
}

export interface WatchOptions {
  readonly untilIdle: boolean;
  readonly stopSignal: AbortSignal;
  readonly log: Logger;
  readonly onProgress?: (progress: WorkerProgress) => void;
  readonly waitForResults?: boolean;
  readonly resultPollMs: number;
  /** Results are waited for until none has come for so long. */
  readonly patienceMs?: number | undefined;
  /** How often queue and ledger are looked at. */
  readonly watchEveryMs: number;
}

export interface QueueWatch {
  /** Resolves when the worker should end, and why. */
  untilDone(options: WatchOptions): Promise<WorkerReport['ended']>;
  /** What happened since the watch began. */
  report(ended: WorkerReport['ended']): Promise<WorkerReport>;
}

/** Watches queue and ledger from now on. */
export async function watchQueue(engine: Engine): Promise<QueueWatch> {
  const atStart = await countRows(engine);
  return {
    untilDone: async ({
      untilIdle,
      stopSignal,
      onProgress,
      log,
      waitForResults = false,
      resultPollMs,
      patienceMs = Math.max(LEAST_PATIENCE_MS, PATIENCE * resultPollMs),
      watchEveryMs,
    }) => {
      if (!untilIdle && onProgress === undefined) {
        await aborted(stopSignal);
        return 'signal';
      }
      const results = waitForResults ? await watchResults(engine, patienceMs) : null;
      while (!stopSignal.aborted) {
        const seen = await observe(engine, resultPollMs).catch((error: unknown) => {
          log.warn('queue.unreadable', { message: error instanceof Error ? error.message : String(error) });
          return null;
        });
        if (seen !== null) {
          onProgress?.(seen);
          const ended = untilIdle ? endOf(seen) : null;
          // A row may have gone from the queue to the ledger since.
          if (ended !== null && !(await results?.mayCome(await engine.store.counts()))) return ended;
        }
        await sleep(watchEveryMs, undefined, { signal: stopSignal }).catch(() => undefined);
      }
      return 'signal';
    },
    report: async (ended) => {
      const now = await countRows(engine);
      const { value } = await engine.store.control.read();
      return {
        ended,
        submitted: now.ledger.scheduled - atStart.ledger.scheduled,
        failed: Math.max(0, failedRows(now) - failedRows(atStart)),
        held: Math.max(0, now.ledger.held - atStart.ledger.held),
        uncertain: now.ledger.uncertain,
        stop: value?.mode === 'stopped' ? value.stop : null,
        finished: finishedRows(now) - finishedRows(atStart),
        pending: now.ledger.pending,
      };
    },
  };
}

function endOf(seen: WorkerProgress): 'idle' | 'stopped' | null {
  if (isIdle(seen)) return 'idle';
  return seen.control.mode === 'stopped' ? 'stopped' : null;
}

/** Rows submitted longer ago than this before the worker started are asked for once, and not waited for any longer. */
const LATELY_MS = 3_600_000;
/** Nothing has come in for so many of the shortest waits between two looks: by then the waits have grown. */
const PATIENCE = 20;
/** An outage of Zoho's alone is no reason to end. */
const LEAST_PATIENCE_MS = 60_000;
/** What a look found is collected within this time, or brings the next result. */
const COLLECTING_MS = 5_000;

/** Tells whether waiting for results is worth while. */
async function watchResults(engine: Engine, patienceMs: number) {
  const { nowMs: startedAtMs } = await engine.store.control.read();
  let pending = -1;
  let changedAtMs = performance.now();
  return {
    mayCome: async (ledger: LedgerCounts): Promise<boolean> => {
      if (ledger.pending !== pending) changedAtMs = performance.now();
      pending = ledger.pending;
      const quietMs = performance.now() - changedAtMs;
      if (pending === 0 || quietMs > patienceMs) return false;
      const { value } = await engine.store.document<CollectorState>('collector').read();
      const hasLooked = value !== null && value.lookedAtMs >= startedAtMs;
      if (hasLooked && value.refused !== null) return false;
      if ((await engine.store.pending({ sinceMs: startedAtMs - LATELY_MS, limit: 1 })).size > 0) return true;
      return !hasLooked || quietMs < COLLECTING_MS;
    },
  };
}

function finishedRows({ ledger }: RowCounts): number {
  return ledger.scheduled - ledger.pending;
}

function failedRows({ queue, ledger }: RowCounts): number {
  return queue.failed + ledger.failed;
}

/** The ledger first: a row on its way from one to the other is in neither rather than in both. */
export async function countRows(engine: Engine): Promise<RowCounts> {
  const ledger = await engine.store.counts();
  return { ledger, queue: await engine.counts() };
}

async function observe(engine: Engine, resultPollMs: number): Promise<WorkerProgress> {
  const { queue, ledger } = await countRows(engine);
  const { value, nowMs } = await engine.store.control.read();
  const isWaiting = isIdle({ queue, ledger }) && ledger.pending > 0;
  const nextLookAtMs = isWaiting ? await nextLook(engine, ledger, nowMs, resultPollMs) : null;
  return { queue, ledger, control: value ?? INITIAL_CONTROL, nowMs, nextLookAtMs };
}

/** Null when a look is under way. */
async function nextLook(
  engine: Engine,
  { scheduled }: LedgerCounts,
  nowMs: number,
  resultPollMs: number,
): Promise<number | null> {
  const [{ value }, oldest] = await Promise.all([
    engine.store.document<CollectorState>('collector').read(),
    engine.store.pending({ sinceMs: 0, limit: 1 }),
  ]);
  const state = value ?? INITIAL_COLLECTOR;
  if (state.page !== null) return null;
  const oldestScheduledAtMs = [...oldest.values()][0]?.scheduledAtMs ?? nowMs;
  return walkDueAtMs(state, { nowMs, scheduled, oldestScheduledAtMs }, resultPollMs);
}

function isIdle({ queue, ledger }: RowCounts): boolean {
  return queue.waiting + queue.active + queue.delayed === 0 && ledger.uncertain === 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
