import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Control } from '../../src/lib/core/control.js';
import type { SandboxEvent } from '../../src/sandbox/effects.js';
import type { Fault } from '../../src/sandbox/options.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { about, answering, openWorkScene, refusal, type WorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { openTcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait.js';

/** Every move of the fleet's state machine, as Zoho sees it. */
const t = setup();
afterEach(() => t.close());

const LIMIT: Fault = answering(400, refusal('LIMIT_EXCEEDED', { limit: 1 }, 'listed'));
const ALONE = { settings: { concurrency: 1, maxInFlight: 1 } };

function until(scene: WorkScene, what: string, condition: (control: Control) => boolean): Promise<Control> {
  return waitFor(
    async () => {
      const { value } = await scene.engine.store.control.read();
      return value !== null && condition(value) && value;
    },
    { what },
  );
}

/** A fleet of four that has just been stopped by the quota; the rows are all waiting. */
async function stoppedFleet(rows: number, options: Parameters<typeof openWorkScene>[2] = {}): Promise<WorkScene> {
  const scene = await openWorkScene(t, 'redis', options);
  scene.sandbox.configure({ faults: [LIMIT] });
  await queueRows(scene.queue, goodRows(rows));
  for (let worker = 0; worker < 4; worker++) scene.work();
  await until(scene, 'the stop', ({ mode }) => mode === 'stopped');
  await waitFor(async () => (await scene.engine.counts()).waiting === rows, { what: 'the rows to be put back' });
  return scene;
}

/** That the first of these was answered before the second arrived. */
function expectAlone([first, second]: readonly SandboxEvent[]): void {
  expect(first?.answeredAtMs).not.toBeNull();
  expect(second?.atMs).toBeGreaterThan(first?.answeredAtMs ?? Number.POSITIVE_INFINITY);
}

describe('after a resume', () => {
  test('one row goes alone, and its yes releases four workers', async () => {
    const scene = await stoppedFleet(30, { latencyMs: 200 });
    const before = scene.posts().length;
    scene.sandbox.configure({ faults: [] });
    await scene.resume();
    await waitFor(async () => (await scene.engine.counts()).completed === 30, { what: 'all rows' });
    const posts = scene.posts().slice(before);
    expect(posts).toHaveLength(30);
    expectAlone(posts);
    expect((await scene.engine.store.control.read()).value).toMatchObject({
      mode: 'running',
      stop: null,
      canary: null,
    });
  });

  test('a quota still spent costs one call of four workers, and stops them again', async () => {
    const scene = await stoppedFleet(30, { latencyMs: 50 });
    for (let round = 1; round <= 2; round++) {
      const before = scene.posts().length;
      const { epoch } = await until(scene, 'the stop', ({ mode }) => mode === 'stopped');
      await scene.resume();
      const again = await until(scene, 'the next stop', (control) => control.epoch > epoch + 1);
      expect(again).toMatchObject({ mode: 'stopped', stop: { code: 'LIMIT_EXCEEDED' } });
      await waitFor(async () => (await scene.engine.counts()).waiting === 30, { what: 'the row to be put back' });
      expect(scene.posts()).toHaveLength(before + 1);
    }
    expect((await scene.engine.counts()).failed).toBe(0);
  });

  test.each<[string, Fault, { failed: number; uncertain: number }]>([
    [
      'the rows’ own errors',
      answering(400, refusal('INVALID_DATA', { param_name: 'record_id' })),
      { failed: 6, uncertain: 0 },
    ],
    ['lost answers', { kind: 'http-500', on: 'post', share: 1 }, { failed: 0, uncertain: 6 }],
  ])(
    'six rows at most are tried one by one, then the fleet stops again: %s',
    async (_case, fault, { failed, uncertain }) => {
      const scene = await stoppedFleet(10, { latencyMs: 20 });
      const before = scene.posts().length;
      scene.sandbox.configure({ faults: [fault] });
      await scene.resume();
      const again = await until(scene, 'the next stop', ({ mode, epoch }) => mode === 'stopped' && epoch > 2);
      expect(again.stop).toMatchObject({ code: 'NO_CANARY_ACCEPTED' });
      const posts = scene.posts().slice(before);
      expect(posts).toHaveLength(6);
      for (let at = 1; at < posts.length; at++) expectAlone(posts.slice(at - 1));
      expect(new Set(posts.map(({ sent }) => sent?.name)).size).toBe(6);
      // The stop comes before the last row's job is put away.
      await waitFor(async () => (await scene.engine.counts()).active === 0, { what: 'the last row' });
      expect((await scene.engine.counts()).failed).toBe(failed);
      expect((await scene.engine.store.counts()).uncertain).toBe(uncertain);
    },
  );

  test('a row’s own error passes the canary on, and the next row’s yes releases the fleet', async () => {
    const scene = await stoppedFleet(10, { latencyMs: 50 });
    const before = scene.posts().length;
    scene.sandbox.configure({ faults: [answering(400, refusal('EXPECTED_FIELD_MISSING'), { times: 1 })] });
    await scene.resume();
    await waitFor(async () => (await scene.engine.counts()).completed === 9, { what: 'the other rows' });
    const posts = scene.posts().slice(before);
    expectAlone(posts);
    expectAlone(posts.slice(1));
    expect((await scene.engine.counts()).failed).toBe(1);
  });

  test('a canary that goes on without a refused field stays the canary until Zoho has said yes', async () => {
    const scene = await stoppedFleet(10, { latencyMs: 50 });
    const before = scene.posts().length;
    scene.sandbox.configure({
      faults: [answering(400, refusal('INVALID_DATA', about('email'), 'listed'), { times: 1 })],
    });
    await scene.resume();
    await waitFor(async () => (await scene.engine.counts()).completed === 10, { what: 'all rows' });
    const posts = scene.posts().slice(before);
    expect(posts).toHaveLength(11);
    expectAlone(posts);
    expectAlone(posts.slice(1));
  });

  test('six refused connections stop the fleet again without a call', async () => {
    const scene = await openWorkScene(t);
    const proxy = t.closing(await openTcpProxy({ host: '127.0.0.1', port: scene.sandbox.port }), (p) => p.close());
    scene.sandbox.configure({ faults: [LIMIT] });
    await queueRows(scene.queue, goodRows(8));
    scene.work({ apiDomain: `http://127.0.0.1:${proxy.port}` });
    await until(scene, 'the stop', ({ mode }) => mode === 'stopped');
    await waitFor(async () => (await scene.engine.counts()).waiting === 8, { what: 'the rows to be put back' });
    const before = scene.posts().length;
    await proxy.setMode('refuse');
    await scene.resume();
    const again = await until(scene, 'the next stop', ({ mode, epoch }) => mode === 'stopped' && epoch > 2);
    expect(again.stop).toMatchObject({ code: 'NO_CANARY_ACCEPTED', message: expect.stringContaining('ECONNREFUSED') });
    expect(scene.posts()).toHaveLength(before);
    expect((await scene.engine.counts()).failed).toBe(0);
    expect(await scene.engine.store.counts()).toMatchObject({ sending: 0, uncertain: 0 });
  });
});

describe('an answer to a call of before the stop', () => {
  /** Slow's refusal or yes is on its way while the others are refused, the stop is raised, and a resume lifts it. */
  async function overtaken(): Promise<{ scene: WorkScene; slow: () => SandboxEvent | undefined }> {
    const scene = await openWorkScene(t);
    scene.sandbox.configure({
      quota: 0,
      faults: [{ kind: 'slow', on: 'post', share: 1, match: 'Slow', delayMs: 1_500 }],
    });
    scene.work({ settings: { requestTimeoutMs: 5_000, concurrency: 2 } });
    await queueRows(scene.queue, goodRows(1, 'Slow'));
    const slow = () => scene.posts().find(({ sent }) => sent?.name?.startsWith('Slow'));
    await waitFor(() => slow() !== undefined, { what: 'the slow call' });
    await queueRows(scene.queue, goodRows(5));
    await until(scene, 'the stop', ({ mode }) => mode === 'stopped');
    return { scene, slow };
  }

  test('that refuses does not stop the fleet again', async () => {
    const { scene, slow } = await overtaken();
    scene.sandbox.configure({ quota: null });
    await scene.resume();
    const running = await until(scene, 'the release', ({ mode }) => mode === 'running');
    expect(slow()?.answeredAtMs).toBeNull();
    await waitFor(() => slow()?.answeredAtMs !== null, { what: 'the late refusal' });
    expect(slow()?.code).toBe('LIMIT_EXCEEDED');
    await waitFor(async () => (await scene.engine.counts()).completed === 6, { what: 'all rows' });
    expect((await scene.engine.store.control.read()).value).toMatchObject({ mode: 'running', epoch: running.epoch });
  });

  test('that accepts is kept, and lifts no stop', async () => {
    const scene = await openWorkScene(t);
    const slowly: Fault = { kind: 'slow', on: 'post', share: 1, match: 'Slow', delayMs: 1_000 };
    scene.sandbox.configure({ faults: [slowly, LIMIT] });
    scene.work({ settings: { requestTimeoutMs: 5_000, concurrency: 2 } });
    const [key] = await queueRows(scene.queue, goodRows(1, 'Slow'));
    await waitFor(() => scene.posts().length === 1, { what: 'the slow call' });
    await queueRows(scene.queue, goodRows(3));
    const { epoch } = await until(scene, 'the stop', ({ mode }) => mode === 'stopped');
    await waitFor(async () => (await scene.engine.counts()).completed === 1, { what: 'the late yes' });
    expect((await scene.engine.store.entries(key === undefined ? [] : [key])).get(key as never)?.state).toBe(
      'scheduled',
    );
    expect((await scene.engine.store.control.read()).value).toMatchObject({ mode: 'stopped', epoch });
    expect((await scene.engine.counts()).waiting).toBe(3);
  });
});

describe('the outage breaker', () => {
  test('opens after three refused connections, lets one row try at a time, and closes at the first answer', async () => {
    const scene = await openWorkScene(t, 'redis', { latencyMs: 100 });
    const proxy = t.closing(await openTcpProxy({ host: '127.0.0.1', port: scene.sandbox.port }), (p) => p.close());
    const connections = countConnections(proxy.port);
    await proxy.setMode('refuse');
    await queueRows(scene.queue, goodRows(20));
    const settings = { backoffBaseMs: 200, backoffCapMs: 1_000, maxInFlight: 3, concurrency: 3 };
    for (let worker = 0; worker < 2; worker++) scene.work({ apiDomain: `http://127.0.0.1:${proxy.port}`, settings });
    const open = await until(scene, 'the breaker', ({ mode }) => mode === 'canary');
    expect(open).toMatchObject({ backoffReason: 'outage', stop: null, canary: { cause: 'outage' } });
    // Three that opened it, as many as were under way with the last of them, and one at a time since then.
    const expectOneAtATime = async () => {
      const made = connections.count();
      const { value } = await scene.engine.store.control.read();
      expect(made).toBeLessThanOrEqual(5 + (value?.canary?.passes ?? 0) + 1);
    };
    await expectOneAtATime();
    await until(scene, 'five canaries', ({ canary }) => (canary?.passes ?? 0) >= 5);
    await expectOneAtATime();
    expect(await scene.engine.counts()).toMatchObject({ failed: 0, completed: 0 });
    expect(await scene.engine.store.counts()).toMatchObject({ uncertain: 0 });

    await proxy.setMode('pass');
    await waitFor(async () => (await scene.engine.counts()).completed === 20, { what: 'all rows' });
    expectAlone(scene.posts());
    expect(scene.posts()).toHaveLength(20);
    expect((await scene.engine.store.control.read()).value).toMatchObject({ mode: 'running', backoffReason: null });
  });

  test('closes at a refusal too: Zoho is there', async () => {
    const scene = await openWorkScene(t);
    await queueRows(scene.queue, goodRows(8));
    scene.sandbox.configure({
      faults: [
        { kind: 'http-500', on: 'post', share: 1, times: 3 },
        answering(400, refusal('INVALID_DATA', { param_name: 'record_id' }), { times: 1 }),
      ],
    });
    scene.work(ALONE);
    await waitFor(async () => (await scene.engine.counts()).completed >= 4, { what: 'the other rows' });
    expect((await scene.engine.store.control.read()).value).toMatchObject({ mode: 'running', streaks: { outage: 0 } });
    expect((await scene.engine.counts()).failed).toBe(1);
  });
});

/** Connections this process tries to make to a port, refused ones included. */
function countConnections(port: number): { count(): number } {
  let refused = 0;
  const watch = (message: unknown) => {
    const { socket } = message as { socket: Socket }; // as Node documents net.client.socket
    socket.once('error', (error: NodeJS.ErrnoException & { port?: number }) => {
      if (error.port === port) refused += 1;
    });
  };
  subscribe('net.client.socket', watch);
  t.closing(undefined, () => unsubscribe('net.client.socket', watch));
  return { count: () => refused };
}
