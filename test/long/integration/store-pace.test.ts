import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IdentityKey } from '../../../src/lib/core/ids.js';
import { openEngine } from '../../../src/lib/engine/open-engine.js';
import type { Limits, Store } from '../../../src/lib/store/store.js';
import { ENGINE_KINDS, openTestEngine, quietLog } from '../../support/engines.js';
import { mostInASecond, watchLateness } from '../../support/lateness.js';
import { setup, type TestScope } from '../../support/setup.js';

/** A caller this late still gets its slot. */
const SURELY_IN_TIME_MS = 10;

const limitsOf = (callsPerSecond: number): Limits => ({ callsPerSecond, maxInFlight: 1_000, permitTtlMs: 60_000 });

describe.each(ENGINE_KINDS)('the pace on %s', (kind) => {
  let t: TestScope;
  let stores: readonly Store[];

  beforeEach(async () => {
    t = setup();
    const first = t.closing(await openTestEngine(kind), (e) => e.close());
    const second = t.closing(await openEngine(first.settings, quietLog), (e) => e.close());
    stores = [first.engine.store, second.store];
  });
  afterEach(() => t.close());

  /** Asks for admission until it is granted, as a worker does; returns when it was, and how often a slot was missed. */
  async function callAll(rate: number, loops: number, forMs: number) {
    const limits = limitsOf(rate);
    const times: number[] = [];
    let missed = 0;
    const end = performance.now() + forMs;
    await Promise.all(
      Array.from({ length: loops }, async (_, loop) => {
        const store = stores[loop % stores.length] as Store;
        for (let call = 0; performance.now() < end; call++) {
          const name = `${loop}.${call}`;
          const request = { key: `r1${name}` as IdentityKey, callId: name, limits, sent: { module: 'A' } };
          let answer = await store.admit({ ...request, claimLostAfterMs: 60_000 });
          while (answer.kind === 'not-yet') {
            const slotAt = performance.now() + answer.waitMs;
            await sleep(answer.waitMs);
            answer = await store.admit({ ...request, slotMs: answer.slotMs, claimLostAfterMs: 60_000 });
            if (answer.kind === 'not-yet' || performance.now() - slotAt > SURELY_IN_TIME_MS) missed += 1;
          }
          if (answer.kind !== 'go') throw new Error(`Not admitted: ${answer.kind}`);
          times.push(performance.now());
        }
      }),
    );
    return { times: times.sort((a, b) => a - b), missed };
  }

  test('evenly spaced slots: within the limit in any sliding second, and at least 97% of it reached', async () => {
    const limit = 50;
    const lateness = watchLateness();
    const { times, missed } = await callAll(limit, 30, 4_000);
    let most = 0;
    for (const [index, from] of times.entries()) {
      most = Math.max(most, times.filter((at, other) => other >= index && at < from + 1_000).length);
    }
    const reached = ((times.length - 1) * 1_000) / ((times.at(-1) ?? 0) - (times[0] ?? 0));
    expect(most).toBeLessThanOrEqual(mostInASecond(limit, lateness()));
    // A slot whose caller was not there in time is lost: on a busy machine some are.
    expect(reached).toBeGreaterThanOrEqual(0.97 * limit * (1 - missed / times.length));
  });

  test('reserves one slot a caller, each a spacing after the one before, and keeps them when asked again', async () => {
    const [store] = stores as [Store];
    const limits = limitsOf(10);
    expect(await store.admitCall({ callId: 'c0', limits })).toEqual({ kind: 'go' });
    const [first, second] = [
      await store.admitCall({ callId: 'c1', limits }),
      await store.admitCall({ callId: 'c2', limits }),
    ];
    if (first.kind !== 'not-yet' || second.kind !== 'not-yet') throw new Error('Both should wait.');
    expect(second.slotMs - first.slotMs).toBeCloseTo(1_000 / 9.8, 1);
    expect(await store.admitCall({ callId: 'c1', limits, slotMs: first.slotMs })).toMatchObject({
      kind: 'not-yet',
      slotMs: first.slotMs,
    });
  });

  test('a caller much too late for its slot takes a new one', async () => {
    const [store] = stores as [Store];
    // So far apart that a busy machine does not let the next slot come meanwhile.
    const limits = limitsOf(1);
    const { nowMs } = await store.control.read();
    await store.admitCall({ callId: 'c0', limits });
    const late = await store.admitCall({ callId: 'c1', limits, slotMs: nowMs - 500 });
    expect(late).toMatchObject({ kind: 'not-yet' });
  });

  test('gives the slot back when no permit is free', async () => {
    const [store] = stores as [Store];
    const limits = { ...limitsOf(1), maxInFlight: 0 };
    expect(await store.admitCall({ callId: 'c0', limits })).toEqual({ kind: 'no-permit' });
    expect(await store.admitCall({ callId: 'c1', limits: limitsOf(1) })).toEqual({ kind: 'go' });
    expect(await store.admitCall({ callId: 'c2', limits: limitsOf(1) })).toMatchObject({ kind: 'not-yet' });
  });
});
