import type { Store } from '../lib/store/store.js';

/** In an outage every row that is risked may end up uncertain: so many in this time, and no more. */
const MAX_UNCERTAIN = 3;
const UNCERTAIN_WINDOW_MS = 600_000;
/** More are never read: an outage that made so many was risked with them long ago. */
const UNCERTAIN_READ = 10_000;

/**
 * Whether the uncertain rows have to be looked up before an outage's canary risks another one. Never before this account has
 * accepted a row: nothing else proves that a look-up works, and waiting for the look-up would have no end.
 */
export async function mustReconcileFirst(store: Pick<Store, 'control' | 'counts' | 'uncertain'>): Promise<boolean> {
  const { uncertain, scheduled } = await store.counts();
  if (uncertain < MAX_UNCERTAIN || scheduled === 0) return false;
  const [rows, { nowMs }] = await Promise.all([
    store.uncertain({ held: false, limit: UNCERTAIN_READ }),
    store.control.read(),
  ]);
  const recent = [...rows.values()].filter(({ sentAtMs }) => sentAtMs > nowMs - UNCERTAIN_WINDOW_MS);
  return recent.length >= MAX_UNCERTAIN;
}
