import { describe, expect, test } from '@jest/globals';
import {
  type CollectorState,
  INITIAL_COLLECTOR,
  isWalkDue,
  walkBegun,
  walkEnded,
} from '../../src/lib/core/collecting.js';

const POLL_MS = 30_000;
const HOUR_MS = 3_600_000;

interface World {
  /** Rows Zoho accepts in a second. */
  readonly perSecond: number;
  /** How long that goes on. */
  readonly forMs: number;
  /** How long Zoho takes for a row. */
  readonly takesMs: number;
}

/** Plays a world through in steps of a second; rows come and finish in the same order. */
function play({ perSecond, forMs, takesMs }: World, endMs: number) {
  const rowsAt = (ms: number) => Math.floor((perSecond * Math.max(0, Math.min(ms, forMs))) / 1_000);
  let state: CollectorState = INITIAL_COLLECTOR;
  let collected = 0;
  let calls = 0;
  const looksMs: number[] = [];
  for (let nowMs = 1_000; nowMs <= endMs; nowMs += 1_000) {
    const scheduled = rowsAt(nowMs);
    if (collected === scheduled) continue;
    const oldestScheduledAtMs = ((collected + 1) * 1_000) / perSecond;
    const rows = { nowMs, scheduled, oldestScheduledAtMs };
    if (!isWalkDue(state, rows, POLL_MS)) continue;
    looksMs.push(nowMs);
    const finished = rowsAt(nowMs - takesMs);
    const pages = Math.ceil((scheduled - collected) / 100);
    calls += pages;
    state = walkEnded({ ...walkBegun(state, rows), idleCalls: pages, finished: finished - collected }, nowMs);
    collected = finished;
  }
  return { looksMs, calls, collected, rows: rowsAt(endMs) };
}

describe('looks for results', () => {
  test('begin 30 s after the first row and come more rarely while nothing finishes, up to 16 minutes apart', () => {
    const { looksMs } = play({ perSecond: 1, forMs: 3_000, takesMs: 100 * HOUR_MS }, 2 * HOUR_MS);
    const waits = looksMs.map((at, n) => Math.round((at - (looksMs[n - 1] ?? 1_000)) / 1_000));
    expect(waits.slice(0, 8)).toEqual([30, 60, 120, 240, 480, 960, 960, 960]);
  });

  test('come soon again when rows were submitted meanwhile', () => {
    const quiet: CollectorState = {
      ...INITIAL_COLLECTOR,
      scheduled: 5,
      idleCalls: 1,
      lookedAtMs: HOUR_MS,
      doublings: 5,
    };
    const rows = { nowMs: HOUR_MS + POLL_MS, scheduled: 5, oldestScheduledAtMs: 0 };
    expect(isWalkDue(quiet, rows, POLL_MS)).toBe(false);
    expect(isWalkDue(quiet, { ...rows, scheduled: 6 }, POLL_MS)).toBe(true);
    expect(walkBegun(quiet, { ...rows, scheduled: 6 })).toMatchObject({ page: 1, doublings: 0, scheduled: 6 });
  });

  test.each<[string, World]>([
    ['is quick', { perSecond: 10, forMs: 3 * HOUR_MS, takesMs: 2_000 }],
    ['takes a minute', { perSecond: 10, forMs: 3 * HOUR_MS, takesMs: 60_000 }],
    ['takes an hour', { perSecond: 8, forMs: 28 * HOUR_MS, takesMs: HOUR_MS }],
    ['takes a day', { perSecond: 8, forMs: 28 * HOUR_MS, takesMs: 24 * HOUR_MS }],
  ])('take at most 0.1 calls a row in the long run when Zoho %s', (_name, world) => {
    const { calls, rows, collected } = play(world, world.forMs + world.takesMs + HOUR_MS);
    expect(collected).toBe(rows);
    expect(calls / rows).toBeLessThanOrEqual(0.1);
  });
});
