import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TokenState } from '../../src/lib/core/token-lease.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { openProcessFleet, type ProcessFleet, type WorkerProcess } from '../support/process-fleet.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

/** Eight worker processes and one token, from their start to a throttled accounts server. The tests follow one another. */
const WORKERS = 8;
const LIFE_SECONDS = 10;
const RATE = 50;
const OBSERVED_MS = 12_000;

const t = setup();
let fleet: ProcessFleet;
let workers: readonly WorkerProcess[];
beforeAll(async () => {
  fleet = await openProcessFleet(t, { latencyMs: 5, tokenLifeSeconds: LIFE_SECONDS }, () => ({
    ZIA_RATE_LIMIT_PER_SECOND: String(RATE),
    ZIA_MAX_IN_FLIGHT: '16',
    ZIA_WORKER_CONCURRENCY: '2',
  }));
  // The rows are there first: every worker wants a token as soon as it runs.
  await queueRows(fleet.queue, goodRows(400));
  workers = await Promise.all(Array.from({ length: WORKERS }, () => fleet.start()));
}, 60_000);
afterAll(() => t.close());

const tokenCalls = () => fleet.sandbox.log().filter(({ kind }) => kind === 'token');
const completed = async (rows: number) =>
  waitFor(async () => (await fleet.engine.counts()).completed >= rows, { what: `${rows} rows` });

test('eight workers that start together ask for one token', async () => {
  await completed(50);
  await waitFor(async () => (await fleet.engine.store.heartbeat('test', [], 1)).workers.length > WORKERS, {
    what: 'all of them',
  });
  const [first, second] = tokenCalls();
  expect(first).toMatchObject({ status: 200 });
  // A slow machine may reach the end of the first token's life here; then it was due.
  if (second !== undefined) expect(second.atMs - (first?.atMs ?? 0)).toBeGreaterThan(LIFE_SECONDS * 900);
});

test('near its end the token is refreshed once, and no call is refused for it', async () => {
  await queueRows(fleet.queue, goodRows(300, 'Later'));
  await waitFor(() => tokenCalls().length >= 2, { what: 'the refresh', timeoutMs: LIFE_SECONDS * 1_000 + 5_000 });
  const before = (await fleet.engine.counts()).completed;
  await completed(before + 50);
  const [first, second, third] = tokenCalls();
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(LIFE_SECONDS * 900 - 500);
  expect(third).toBeUndefined();
  expect(fleet.posts().filter(({ status }) => status === 401)).toEqual([]);
}, 40_000);

test('with the accounts server throttled one of them asks once, and none again, not even a new one', async () => {
  fleet.sandbox.configure({ tokenThrottled: true });
  // More than the old token can still send.
  await queueRows(fleet.queue, goodRows(LIFE_SECONDS * RATE + 200, 'Waiting'));
  const throttled = () => tokenCalls().filter(({ code }) => code === 'Access Denied');
  await waitFor(() => throttled().length > 0, { what: 'the throttle', timeoutMs: LIFE_SECONDS * 1_000 + 5_000 });
  const state = () => fleet.engine.store.document<TokenState>('token').read();
  // The one that asked may be the one that is killed next.
  await waitFor(async () => (await state()).value?.failure?.kind === 'throttled', {
    what: 'what it was told to be kept',
  });
  const since = performance.now();
  await workers[0]?.kill();
  const replacement = await fleet.start();
  await waitFor(() => performance.now() - since > OBSERVED_MS, { what: 'the observation', timeoutMs: OBSERVED_MS * 2 });
  expect(throttled()).toHaveLength(1);

  const { value, nowMs } = await state();
  expect(value).toMatchObject({ failure: { kind: 'throttled' } });
  expect((value?.notBeforeMs ?? 0) - nowMs).toBeGreaterThan(600_000 - OBSERVED_MS - 5_000);
  for (const worker of [...workers.slice(1), replacement]) {
    expect(worker.logged('fleet.waiting')).toEqual(
      expect.arrayContaining([expect.objectContaining({ code: 'TOKEN_THROTTLED', waitMs: expect.any(Number) })]),
    );
  }
  expect(await fleet.engine.counts()).toMatchObject({ failed: 0 });
  expect((await fleet.engine.counts()).waiting).toBeGreaterThan(0);
}, 80_000);

test('once it may, the fleet asks again and goes on', async () => {
  fleet.sandbox.configure({ tokenThrottled: false });
  await fleet.engine.store
    .document<TokenState>('token')
    .change((state) => (state === null ? undefined : { ...state, notBeforeMs: 0 }));
  const before = (await fleet.engine.counts()).completed;
  await fleet.start();
  await completed(before + 1);
  expect(tokenCalls().at(-1)).toMatchObject({ code: 'TOKEN' });
  expect(await fleet.engine.counts()).toMatchObject({ failed: 0 });
}, 40_000);
