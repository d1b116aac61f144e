import type { IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import type { Logger } from '../lib/logger.js';
import type { Store } from '../lib/store/store.js';

/** How far the values of finished rows were removed: the store's `retention` document. */
interface Reached {
  readonly enriched: number;
  readonly notfound: number;
}

export interface KeepResultsDeps {
  readonly store: Pick<Store, 'document' | 'finishedBetween' | 'removeValues'>;
  /** Values of rows that finished longer ago go; 0 keeps them for good. */
  readonly keepMs: number;
  readonly log: Logger;
}

export interface ResultKeeper {
  isDue(): boolean;
  /** Removes the values of some rows, for the leader to call; the next call is due at once while there are more. */
  step(): Promise<void>;
}

const ROWS_A_STEP = 200;
const MAX_PAUSE_MS = 3_600_000;
/** A setting of a day looks every quarter of an hour. */
const PAUSE_SHARE = 96;
const FROM_THE_BEGINNING: Reached = { enriched: 0, notfound: 0 };

/** ZIA_KEEP_RESULTS_DAYS: what was sent for finished rows, and what was found, is removed in time, a little at each step. */
export function createResultKeeper({ store, keepMs, log }: KeepResultsDeps): ResultKeeper {
  const reached = store.document<Reached>('retention');
  let notBefore = 0;

  return { isDue: () => keepMs > 0 && performance.now() >= notBefore, step };

  async function step(): Promise<void> {
    const { value, nowMs } = await reached.read();
    let removed = 0;
    let isOver = true;
    for (const index of ['enriched', 'notfound'] as const) {
      const fromMs = (value ?? FROM_THE_BEGINNING)[index];
      const due = await store.finishedBetween(index, { fromMs, beforeMs: nowMs - keepMs, limit: ROWS_A_STEP });
      const withValues = new Map([...due].filter(hasValues));
      if (withValues.size > 0) removed += await store.removeValues(withValues);
      if (due.size === ROWS_A_STEP) isOver = false;
      const lastMs = Math.max(fromMs, ...[...due.values()].map(({ finishedAtMs = 0 }) => finishedAtMs));
      // A full page that ends where it began would come for ever.
      const toMs = due.size === ROWS_A_STEP && lastMs === fromMs ? lastMs + 1 : lastMs;
      // An import, which begins anew, counts more.
      await reached.change((now) =>
        (now ?? FROM_THE_BEGINNING)[index] === fromMs && toMs > fromMs
          ? { ...(now ?? FROM_THE_BEGINNING), [index]: toMs }
          : undefined,
      );
    }
    if (removed > 0) log.info('results.removed', { rows: removed });
    if (isOver) notBefore = performance.now() + Math.min(MAX_PAUSE_MS, keepMs / PAUSE_SHARE);
  }
}

function hasValues([, { traits }]: readonly [IdentityKey, LedgerEntry]): boolean {
  return traits === undefined;
}
