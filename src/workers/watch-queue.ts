import { setTimeout as sleep } from 'node:timers/promises';
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
}

export interface WatchOptions {
  readonly untilIdle: boolean;
  readonly stopSignal: AbortSignal;
  readonly log: Logger;
  readonly onProgress?: (progress: WorkerProgress) => void;
}

export interface QueueWatch {
  /** Resolves when the worker should end, and why. */
  untilDone(options: WatchOptions): Promise<WorkerReport['ended']>;
  /** What happened since the watch began. */
  report(ended: WorkerReport['ended']): Promise<WorkerReport>;
}

const LOOK_EVERY_MS = 250;

/** Watches queue and ledger from now on. */
export async function watchQueue(engine: Engine): Promise<QueueWatch> {
  const atStart = await look(engine);
  return {
    untilDone: async ({ untilIdle, stopSignal, onProgress, log }) => {
      if (!untilIdle && onProgress === undefined) {
        await aborted(stopSignal);
        return 'signal';
      }
      while (!stopSignal.aborted) {
        const seen = await look(engine).catch((error: unknown) => {
          log.warn('queue.unreadable', { message: error instanceof Error ? error.message : String(error) });
          return null;
        });
        if (seen !== null) {
          onProgress?.(seen);
          if (untilIdle && isIdle(seen)) return 'idle';
          if (untilIdle && (await isStopped(engine))) return 'stopped';
        }
        await sleep(LOOK_EVERY_MS, undefined, { signal: stopSignal }).catch(() => undefined);
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
      };
    },
  };
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
