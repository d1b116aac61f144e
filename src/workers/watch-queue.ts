import { setTimeout as sleep } from 'node:timers/promises';
import type { CollectorState } from '../lib/core/collecting.js';
import { INITIAL_CONTROL, type StopReason } from '../lib/core/control.js';
import type { Engine, QueueCounts } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { LedgerCounts } from '../lib/store/store.js';

export interface WorkerProgress {
  readonly queue: QueueCounts;
  readonly ledger: LedgerCounts;
}

export interface WorkerReport {
  /** Why it ended: nothing left, the fleet stopped with rows left, or told to. */
  readonly ended: 'idle' | 'stopped' | 'signal';
  /** Rows that this fleet submitted, failed and held since the worker started. */
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
  const atStart = await look(engine);
  return {
    untilDone: async ({
      untilIdle,
      stopSignal,
      onProgress,
      log,
      waitForResults = false,
      resultPollMs,
      watchEveryMs,
    }) => {
      if (!untilIdle && onProgress === undefined) {
        await aborted(stopSignal);
        return 'signal';
      }
      const results = waitForResults ? await watchResults(engine, resultPollMs) : null;
      while (!stopSignal.aborted) {
        const seen = await look(engine).catch((error: unknown) => {
          log.warn('queue.unreadable', { message: error instanceof Error ? error.message : String(error) });
          return null;
        });
        if (seen !== null) {
          onProgress?.(seen);
          const ended = untilIdle ? await endOf(seen) : null;
          if (ended !== null && !(await results?.mayCome(seen.ledger))) return ended;
        }
        await sleep(watchEveryMs, undefined, { signal: stopSignal }).catch(() => undefined);
      }
      return 'signal';
    },
    report: async (ended) => {
      const now = await look(engine);
      const { value } = await engine.store.control.read();
      return {
        ended,
        submitted: now.ledger.scheduled - atStart.ledger.scheduled,
        failed: Math.max(0, now.queue.failed - atStart.queue.failed),
        held: Math.max(0, now.ledger.held - atStart.ledger.held),
        uncertain: now.ledger.uncertain,
        stop: value?.mode === 'stopped' ? value.stop : null,
        finished: finishedRows(now) - finishedRows(atStart),
        pending: now.ledger.pending,
      };
    },
  };

  async function endOf(seen: WorkerProgress): Promise<'idle' | 'stopped' | null> {
    if (isIdle(seen)) return 'idle';
    return (await isStopped(engine)) ? 'stopped' : null;
  }
}

/** Rows submitted longer ago than this before the worker started are not waited for. */
const LATELY_MS = 3_600_000;
/** Nothing has come in for so many of the shortest waits between two looks: by then the waits have grown. */
const PATIENCE = 20;
/** An outage of Zoho's alone is no reason to end. */
const LEAST_PATIENCE_MS = 60_000;

/** Tells whether waiting for results is worth while. */
async function watchResults(engine: Engine, resultPollMs: number) {
  const { nowMs } = await engine.store.control.read();
  let pending = -1;
  let changedAtMs = performance.now();
  return {
    mayCome: async (ledger: LedgerCounts): Promise<boolean> => {
      if (ledger.pending !== pending) changedAtMs = performance.now();
      pending = ledger.pending;
      if (pending === 0 || performance.now() - changedAtMs > Math.max(LEAST_PATIENCE_MS, PATIENCE * resultPollMs))
        return false;
      const { value } = await engine.store.cell<CollectorState>('collector').read();
      if (value !== null && value.refused !== null && value.lookedAtMs >= nowMs) return false;
      return (await engine.store.pending({ sinceMs: nowMs - LATELY_MS, limit: 1 })).size > 0;
    },
  };
}

function finishedRows({ ledger }: WorkerProgress): number {
  return ledger.scheduled - ledger.pending;
}

async function look(engine: Engine): Promise<WorkerProgress> {
  const [queue, ledger] = await Promise.all([engine.counts(), engine.store.counts()]);
  return { queue, ledger };
}

function isIdle({ queue, ledger }: WorkerProgress): boolean {
  return queue.waiting + queue.active + queue.delayed === 0 && ledger.uncertain === 0;
}

async function isStopped(engine: Engine): Promise<boolean> {
  const { value } = await engine.store.control.read();
  return (value ?? INITIAL_CONTROL).mode === 'stopped';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
