import type { Store } from '../lib/store/store.js';

/** In an outage every row that is risked may end up uncertain: so many in this time, and no more. */
const MOST_IN_DOUBT = 3;
const DOUBT_WINDOW_MS = 600_000;
/** More are never read: an outage that made so many was risked with them long ago. */
const DOUBTS_READ = 10_000;

/**
 * Whether the rows in doubt have to be looked up before an outage's probe risks another one. Never before this account has
 * accepted a row: nothing else proves that a look-up works, and waiting for the look-up would have no end.
 */
export async function hasDoubtsEnough(store: Store): Promise<boolean> {
  const { uncertain, scheduled } = await store.counts();
  if (uncertain < MOST_IN_DOUBT || scheduled === 0) return false;
  const [doubts, { nowMs }] = await Promise.all([
    store.uncertain({ held: false, limit: DOUBTS_READ }),
    store.control.read(),
  ]);
  const recent = [...doubts.values()].filter(({ sentAtMs }) => sentAtMs > nowMs - DOUBT_WINDOW_MS);
  return recent.length >= MOST_IN_DOUBT;
}
