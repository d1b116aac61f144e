import { describe, expect, test } from '@jest/globals';
import { type SandboxEvent, summarise } from '../../src/sandbox/effects.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { answering, openWorkScene, refusal, type WorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { openTcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait.js';

/** Minutes of trouble, shortened: what they cost, and that the fleet comes back by itself. All at once, to save time. */

/** As configured by default, but for waits that fit into a test. */
const USUAL = {
  settings: {
    ratePerSecond: 40,
    maxInFlight: 5,
    concurrency: 5,
    backoffBaseMs: 250,
    backoffCapMs: 2_000,
    requestTimeoutMs: 1_000,
  },
};

async function settled(scene: WorkScene, rows: number): Promise<void> {
  await waitFor(async () => (await scene.engine.counts()).completed === rows, { what: 'all rows' });
}

/** Waits so long, and keeps the most uncertain rows there were at once. */
async function endure(scene: WorkScene, ms: number): Promise<{ mostUncertain: number }> {
  const until = performance.now() + ms;
  let mostUncertain = 0;
  await waitFor(
    async () => {
      const { uncertain, held } = await scene.engine.store.counts();
      mostUncertain = Math.max(mostUncertain, uncertain + held);
      return performance.now() > until;
    },
    { timeoutMs: ms * 2, what: 'the storm to pass' },
  );
  return { mostUncertain };
}

async function attemptsSpent(scene: WorkScene): Promise<ReadonlySet<number>> {
  const jobs = await scene.queue.getCompleted(0, -1);
  return new Set(jobs.map(({ attemptsMade }) => attemptsMade));
}

const within = (posts: readonly SandboxEvent[], fromMs: number, toMs: number) =>
  posts.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
const most = (posts: readonly SandboxEvent[]) => Math.max(0, ...posts.map(({ inFlight }) => inFlight));

test.concurrent('a storm of 429 costs no row an attempt; fewer calls are in flight, and then as many again', async () => {
  await using t = setup();
  const scene = await openWorkScene(t, 'redis', { latencyMs: 80 });
  const fast = { settings: { ...USUAL.settings, ratePerSecond: 200, maxInFlight: 4 } };
  const rows = 450;
  await queueRows(scene.queue, goodRows(rows));
  scene.work(fast);
  scene.work(fast);
  await waitFor(async () => (await scene.engine.counts()).completed > 40, { what: 'the fleet at full speed' });
  expect(most(scene.posts())).toBe(4);

  const from = (scene.posts().at(-1)?.atMs ?? 0) + 500;
  scene.sandbox.configure({ faults: [{ kind: '429', on: 'post', share: 1 }] });
  await endure(scene, 6_000);
  const to = scene.posts().at(-1)?.atMs ?? 0;
  scene.sandbox.configure({ faults: [] });
  // One after the other, further and further apart: not a quarter of what the pace allows.
  expect(most(within(scene.posts(), from + 1_000, to))).toBe(1);
  expect(within(scene.posts(), from, to).length).toBeLessThan(30);

  await waitFor(async () => (await scene.engine.store.control.read()).value?.maxInFlight === null, {
    what: 'full parallelism',
  });
  const back = scene.posts().at(-1)?.atMs ?? 0;
  await settled(scene, rows);
  expect(most(within(scene.posts(), back, Number.POSITIVE_INFINITY))).toBe(4);
  expect(await attemptsSpent(scene)).toEqual(new Set([1]));
  expect(summarise(scene.sandbox.log())).toMatchObject({ accepted: rows, acceptedTwice: 0 });
}, 90_000);

describe('offline', () => {
  test.concurrent('for a long while fails no row, leaves none uncertain, and is over soon after the network is back', async () => {
    await using t = setup();
    const scene = await openWorkScene(t);
    const proxy = t.closing(await openTcpProxy({ host: '127.0.0.1', port: scene.sandbox.port }), (p) => p.close());
    await proxy.setMode('refuse');
    const rows = 60;
    await queueRows(scene.queue, goodRows(rows));
    for (let worker = 0; worker < 2; worker++) scene.work({ ...USUAL, apiDomain: `http://127.0.0.1:${proxy.port}` });
    expect(await endure(scene, 8_000)).toEqual({ mostUncertain: 0 });
    expect(await scene.engine.counts()).toMatchObject({ failed: 0, completed: 0 });
    await proxy.setMode('pass');
    const backAt = performance.now();
    await waitFor(() => scene.posts().length > 0, { what: 'the first call' });
    expect(performance.now() - backAt).toBeLessThan(USUAL.settings.backoffCapMs + 2_000);
    await settled(scene, rows);
    expect(await attemptsSpent(scene)).toEqual(new Set([1]));
    expect(summarise(scene.sandbox.log())).toMatchObject({ posts: rows, accepted: rows, acceptedTwice: 0 });
  }, 60_000);

  test.concurrent('all of a sudden leaves uncertain what was under way, and no more', async () => {
    await using t = setup();
    const scene = await openWorkScene(t, 'redis', { latencyMs: 60 });
    const proxy = t.closing(await openTcpProxy({ host: '127.0.0.1', port: scene.sandbox.port }), (p) => p.close());
    const rows = 120;
    await queueRows(scene.queue, goodRows(rows));
    scene.work({ ...USUAL, apiDomain: `http://127.0.0.1:${proxy.port}` });
    await waitFor(async () => (await scene.engine.counts()).completed > 20, { what: 'some rows' });
    const underWay = scene.posts().filter(({ answeredAtMs }) => answeredAtMs === null).length;
    await proxy.setMode('refuse');
    const { mostUncertain } = await endure(scene, 5_000);
    expect(mostUncertain).toBeLessThanOrEqual(underWay + 1);
    await proxy.setMode('pass');
    await settled(scene, rows);
    expect(await attemptsSpent(scene)).toEqual(new Set([1]));
    expect(summarise(scene.sandbox.log())).toMatchObject({ accepted: rows, acceptedTwice: 0 });
    expect(await scene.engine.counts()).toMatchObject({ failed: 0 });
  }, 60_000);
});

test.concurrent('a storm of 5xx fails no row, sends none twice, and leaves at most three uncertain at a time', async () => {
  await using t = setup();
  const scene = await openWorkScene(t, 'redis', { latencyMs: 5 });
  // Each call is answered long before the next is due, also on a busy machine: three in a row are then three in all.
  const slow = { settings: { ...USUAL.settings, ratePerSecond: 10 } };
  const rows = 40;
  await queueRows(scene.queue, goodRows(10, 'Before'));
  scene.work(slow);
  scene.work(slow);
  await settled(scene, 10);
  const broken = answering(503, refusal('INTERNAL_SERVER_ERROR'));
  scene.sandbox.configure({ faults: [broken, { ...broken, on: 'list' }, { ...broken, on: 'get' }] });
  await queueRows(scene.queue, goodRows(rows));
  const { mostUncertain } = await endure(scene, 8_000);
  scene.sandbox.configure({ faults: [] });
  await settled(scene, rows + 10);
  expect(await scene.engine.counts()).toMatchObject({ failed: 0 });
  expect(summarise(scene.sandbox.log())).toMatchObject({ accepted: rows + 10, acceptedTwice: 0 });
  expect(mostUncertain).toBeLessThanOrEqual(3);
}, 90_000);
