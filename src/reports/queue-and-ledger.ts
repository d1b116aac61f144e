import type { Engine, QueueCounts } from '../lib/engine/engine.js';
import type { LedgerCounts } from '../lib/store/store.js';

/** What of the rows is in the queue and what in the ledger. */
export interface QueueAndLedger {
  readonly queue: QueueCounts;
  readonly ledger: LedgerCounts;
}

const TRIES = 3;

/**
 * How many rows are where, each once: a row that was settled keeps its active job for a moment. While rows are worked on it
 * reads until none was settled meanwhile, three times at most: a fleet that never stands still may be off by the rows of
 * these milliseconds.
 */
export async function queueAndLedger({ activeKeys, counts, store }: Engine): Promise<QueueAndLedger> {
  let before: LedgerCounts | null = null;
  for (let tries = 1; ; tries += 1) {
    const queue = await counts();
    if (queue.active === 0) return { queue, ledger: await store.counts() };
    const active = await activeKeys();
    const entries = await store.entries(active);
    const ledger = await store.counts();
    const isStill = ledger.scheduled === before?.scheduled && active.length === queue.active;
    if (isStill || tries === TRIES) {
      const settled = [...entries.values()].filter(({ state }) => state === 'scheduled').length;
      return { ledger, queue: { ...queue, active: Math.max(0, queue.active - settled) } };
    }
    before = ledger;
  }
}
