import { describe, expect } from '@jest/globals';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { summarise } from '../../src/sandbox/effects.js';
import { contradictionIn, timingFor } from '../../src/workers/timing.js';
import { type Scene, withScene } from '../support/cli-scene.js';
import { quietLog } from '../support/engines.js';
import { watchLateness } from '../support/lateness.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const REQUEST_TIMEOUT_MS = 3_000;
const { claimLostAfterMs } = timingFor(REQUEST_TIMEOUT_MS);
/** A new lock, two looks for it, and the look at Zoho. */
const BACK_AFTER_CLAIM_MS = 8_000;

async function withFleet(work: (scene: Scene, engine: Engine) => Promise<void>): Promise<void> {
  await withScene('redis', {}, async (scene) => {
    const { ZIA_PREFIX: prefix = '', REDIS_URL: redisUrl } = scene.env as Record<string, string>;
    const settings = { redisUrl, prefix, dataDir: scene.folder, queueName: 'zia-enrich' };
    const engine = await openEngine(settings, quietLog);
    try {
      await work(scene, engine);
    } finally {
      await engine.close();
    }
  });
}

const env = {
  ZIA_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
  ZIA_MAX_IN_FLIGHT: '2',
  ZIA_WORKER_CONCURRENCY: '2',
  ZIA_RATE_LIMIT_PER_SECOND: '50',
};

/** Kills a worker whose two calls, all there may be, are under way, beside another. Zoho has accepted both. */
async function killInFlight(scene: Scene, engine: Engine) {
  scene.sandbox.configure({ faults: [{ kind: 'never-answer-after', on: 'post', share: 1, times: 2 }] });
  const worker = scene.start(['worker'], env);
  await waitFor(() => scene.sandbox.enrichments().length === 2, { what: 'two calls in flight' });
  // Frozen, so that its calls do not time out while the other starts.
  worker.child.kill('SIGSTOP');
  const other = scene.start(['worker'], env);
  await waitFor(() => other.stderr().includes('worker.started'), { what: 'another worker' });
  const killedAt = performance.now();
  worker.child.kill('SIGKILL');
  await worker.ended;
  expect((await engine.store.counts()).sending).toBe(2);
  return { other, since: () => Math.round(performance.now() - killedAt) };
}

describe('a worker killed with all calls in flight', () => {
  testIn.short(
    'frees its places within 10 s, and its rows soon after their claims are lost',
    async () => {
      await withFleet(async (scene, engine) => {
        await scene.run(['enqueue', await scene.csv('a.csv', 12), '--yes']);
        const { other, since } = await killInFlight(scene, engine);
        const lateness = watchLateness();
        await waitFor(() => scene.sandbox.enrichments().length > 2, { what: 'a free place' });
        expect(since()).toBeLessThan(10_000 + lateness());
        const total = async () => (await engine.counts()).completed;
        await waitFor(async () => (await engine.store.counts()).scheduled === 12, {
          what: 'rows found',
        });
        const foundMs = since();
        await waitFor(async () => (await total()) === 12, { what: 'their jobs' });
        const backMs = since();
        expect(foundMs).toBeLessThan(claimLostAfterMs + BACK_AFTER_CLAIM_MS + lateness());
        expect(backMs).toBeLessThan(claimLostAfterMs + BACK_AFTER_CLAIM_MS + lateness());
        expect(summarise(scene.sandbox.log())).toMatchObject({ accepted: 12, acceptedTwice: 0 });
        other.child.kill('SIGTERM');
        await other.ended;
      });
    },
    90_000,
  );

  testIn.long(
    'while the fleet is stopped, its rows come back after the resume',
    async () => {
      await withFleet(async (scene, engine) => {
        await scene.run(['enqueue', await scene.csv('a.csv', 6), '--yes']);
        const other = scene.start(['worker'], { ...env, ZIA_MAX_IN_FLIGHT: '1', ZIA_WORKER_CONCURRENCY: '1' });
        await waitFor(() => scene.sandbox.enrichments().length >= 1, { what: 'the first row' });
        await waitFor(async () => (await engine.store.counts()).scheduled === 6, { what: 'the first file' });
        const before = scene.sandbox.enrichments().length;
        await scene.run(['pause']);
        await scene.run(['enqueue', await scene.csv('b.csv', 6), '--yes']);
        await takeJobs(engine, 2);
        await waitFor(async () => (await engine.counts()).active === 2, { what: 'the jobs of a dead worker' });
        await scene.run(['resume']);
        await waitFor(async () => (await engine.counts()).completed === 12, { what: 'all rows' });
        expect(scene.sandbox.enrichments()).toHaveLength(before + 6);
        expect(summarise(scene.sandbox.log())).toMatchObject({ acceptedTwice: 0 });
        other.child.kill('SIGTERM');
        await other.ended;
      });
    },
    90_000,
  );
});

/** Takes jobs as a worker does that dies at once: active, with a lock that nobody renews. */
async function takeJobs(engine: Engine, count: number): Promise<void> {
  const worker = engine.openWorker(async () => ({ id: '1' }), { autorun: false, lockDuration: 2_000 });
  for (let taken = 0; taken < count; taken++) await worker.getNextJob(`dead${taken}`, { block: false });
  await worker.close(true);
}

describe('the times of a worker', () => {
  testIn.short.each([
    [3_000, 60_000],
    [30_000, 120_000],
  ])('leave a server four time-outs, and a minute at least, to take a request late: %i ms', (timeout, lateAcceptMs) => {
    expect(timingFor(timeout)).toMatchObject({ lateAcceptMs });
  });

  testIn.short('may be changed one by one, and those that follow from another follow it', () => {
    const timing = timingFor(1_000, { sendWithinMs: 500, settlingMs: 100 });
    expect(timing).toMatchObject({
      sendWithinMs: 500,
      claimLostAfterMs: 6_500,
      lockDurationMs: 8_500,
      settlingMs: 100,
    });
    expect(timing.betweenMissesMs).toBe(timingFor(1_000).betweenMissesMs);
    expect(() => timingFor(1_000, { claimLostAfterMs: 100 })).toThrow(/still be under way/);
  });

  testIn.short.each([100, 1_000, 30_000, 600_000])('fit together for a request timeout of %i ms', (timeout) => {
    expect(contradictionIn(timingFor(timeout), timeout)).toBeUndefined();
  });

  testIn.short.each([
    ['claimLostAfterMs', 35_000, 'still be under way'],
    ['lockDurationMs', 40_000, 'end before the claim'],
    ['permitTtlMs', 2_500, 'two heartbeats'],
    ['permitTtlMs', 9_500, 'longer than 10 s'],
    ['heartbeatMs', 30_000, 'renewed more often'],
    ['stalledCheckMs', 60_000, 'more rarely'],
    ['sendWithinMs', 10_000, 'still be under way'],
    ['heartbeatLateMs', 900, 'be late'],
    ['lateAcceptMs', 30_000, 'given up'],
    ['rowsLateMs', 40_000, 'called stuck'],
  ] as const)('contradict one another when %s is %i ms', (name, value, part) => {
    expect(contradictionIn({ ...timingFor(30_000), [name]: value }, 30_000)).toContain(part);
  });
});
