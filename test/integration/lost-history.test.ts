import { randomBytes } from 'node:crypto';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { INITIAL_CONTROL, resumed } from '../../src/lib/core/control.js';
import type { History } from '../../src/lib/core/history.js';
import type { Row } from '../../src/lib/core/row.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { readBudget, setBudget } from '../../src/lib/store/set-budget.js';
import { summarise } from '../../src/sandbox/effects.js';
import { API_USER } from '../../src/sandbox/enrichments.js';
import type { StartOptions } from '../../src/sandbox/server.js';
import type { SweepState } from '../../src/workers/sweep-state.js';
import { openDurableRedis, type Persistence } from '../chaos/durable-redis.js';
import { quietLog, testPlace } from '../support/engines.js';
import { goodRows, queueRows, startWorker, type TestWorkerOptions } from '../support/fleet.js';
import { startServer } from '../support/redis-topologies.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

const slow = { ratePerSecond: 20, maxInFlight: 2, concurrency: 2 };

/** An engine on this Redis with a sandbox, and workers that live until the test ends. */
async function openScene(redisUrl: string, options: StartOptions = {}) {
  const sandbox = await openSandbox(t, { latencyMs: [1, 10], ...options });
  const prefix = `test-${randomBytes(4).toString('hex')}`;
  const open = async () =>
    t.closing(
      await openEngine({ redisUrl, dataDir: '/nowhere', prefix, queueName: 'zia-enrich' }, quietLog),
      (engine) => engine.close(),
    );
  const engine = await open();
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  return {
    sandbox,
    engine,
    accepted: () => sandbox.log().filter(({ enrichmentId }) => enrichmentId !== null).length,
    enqueue: (rows: readonly Row[]) => queueRows(queue, rows),
    /** On a connection of its own, as another process has. */
    work: async (more: Partial<TestWorkerOptions> = {}) => {
      const worker = startWorker({ engine: await open(), sandbox, settings: slow, untilIdle: false, ...more });
      return t.closing(worker, async ({ end, ended }) => {
        end();
        await ended;
      });
    },
  };
}

type Scene = Awaited<ReturnType<typeof openScene>>;

async function redisScene(persistence: Persistence, options: StartOptions = {}) {
  const redis = t.closing(await openDurableRedis({}, { persistence }), (opened) => opened.close());
  const scene = await openScene(redis.url, options);
  /** Every write since `redis.snapshot()` is lost. */
  const goBack = async () => {
    await redis.end('SIGKILL');
    await redis.start();
  };
  return { ...scene, redis, goBack };
}

/** A scene whose workers have sent these rows, which are saved; `before` is the history as of then. */
async function savedScene(rows: number, workers: number) {
  const s = await redisScene('asked');
  const running = await Promise.all(Array.from({ length: workers }, () => s.work()));
  await s.enqueue(goodRows(rows));
  await isScheduled(s.engine, rows);
  await s.redis.snapshot();
  const before = await history(s.engine);
  const endWorkers = async () => {
    for (const worker of running) worker.end();
    await Promise.all(running.map(({ ended }) => ended));
  };
  return { ...s, before, endWorkers };
}

const history = async (engine: Engine) => (await engine.store.document<History>('history').read()).value;

const isScheduled = (engine: Engine, rows: number) =>
  waitFor(async () => (await engine.store.counts()).scheduled >= rows, {
    what: `${rows} rows scheduled`,
  });

const sent = ({ accepted }: Scene, rows: number) =>
  waitFor(() => accepted() >= rows, { what: `${rows} rows accepted` });

/** A look began and is over. */
async function lookedSince(engine: Engine, before: History | null): Promise<void> {
  await waitFor(
    async () => {
      const now = await history(engine).catch(() => null);
      return now !== null && now.look === null && now.server !== before?.server;
    },
    { what: 'the look to be over' },
  );
}

const summary = ({ sandbox }: Scene) => summarise(sandbox.log());

describe('a store that went back in time', () => {
  testIn.long(
    'has its lost rows adopted when their file is queued again, while the workers live on',
    async () => {
      const { before, ...s } = await savedScene(6, 2);
      await s.enqueue(goodRows(24, 'Lost'));
      await sent(s, 16);
      await s.goBack();
      await lookedSince(s.engine, before);
      await s.enqueue([...goodRows(6), ...goodRows(24, 'Lost')]);
      await isScheduled(s.engine, 30);
      expect(summary(s)).toMatchObject({ accepted: 30, acceptedTwice: 0 });
      expect(await s.engine.store.counts()).toMatchObject({ uncertain: 0, held: 0, orphans: 0 });
    },
    120_000,
  );

  testIn.long(
    'has its budget and what was spent of it put back by the workers, and no row goes beyond it',
    async () => {
      const { before, ...s } = await savedScene(6, 2);
      const { store } = s.engine;
      await setBudget(store, 20);
      await s.enqueue(goodRows(40, 'Lost'));
      await sent(s, 16);
      await s.goBack();
      await lookedSince(s.engine, before);
      await s.enqueue([...goodRows(6), ...goodRows(40, 'Lost')]);
      const isSpent = async () => (await store.control.read()).value?.stop?.code === 'BUDGET_SPENT';
      await waitFor(isSpent, { what: 'BUDGET_SPENT' });
      expect(await readBudget(store)).toMatchObject({ budget: { left: 0, rows: 20 } });
      const { accepted, acceptedTwice } = summary(s);
      expect(acceptedTwice).toBe(0);
      expect(accepted).toBeLessThanOrEqual(26);
      // What was under way when the store went back may count twice, nothing else.
      expect(accepted).toBeGreaterThanOrEqual(26 - 2 * slow.maxInFlight);
    },
    120_000,
  );

  testIn.long(
    'adopts a row that went without a field that Zoho had refused',
    async () => {
      const refusal = (name: string) => ({
        kind: 'status' as const,
        on: 'post' as const,
        share: 1,
        times: 1,
        match: name,
        status: 400,
        body: {
          __zia_org_enrichment: [
            {
              code: 'INVALID_DATA',
              details: { api_name: 'email', json_path: '$.__zia_org_enrichment[0].enrich_based_on.email' },
              message: 'invalid data',
              status: 'error',
            },
          ],
        },
      });
      const s = await redisScene('asked', { faults: ['Lost 1', 'Lost 2'].map(refusal) });
      // The worker that sent the rows is gone, so that nobody remembers them.
      const worker = await s.work({ settings: { ...slow, concurrency: 1 } });
      await s.enqueue(goodRows(2));
      await isScheduled(s.engine, 2);
      await s.redis.snapshot();
      await s.enqueue(goodRows(2, 'Lost'));
      await isScheduled(s.engine, 4);
      const before = await history(s.engine);
      worker.end();
      await worker.ended;
      await s.goBack();
      await s.work();
      await lookedSince(s.engine, before);
      await s.enqueue(goodRows(2, 'Lost'));
      await isScheduled(s.engine, 4);
      expect(s.sandbox.enrichments().map(({ sent: { email } }) => email === undefined)).toEqual([
        false,
        false,
        true,
        true,
      ]);
    },
    120_000,
  );

  testIn.long(
    'emptied under live workers, is read back to its birth',
    async () => {
      const s = await redisScene('always');
      await s.work();
      await s.work();
      await s.enqueue(goodRows(24));
      await sent(s, 12);
      const admin = t.closing(new Redis(s.redis.url), (opened) => opened.disconnect());
      await admin.flushall();
      await s.enqueue(goodRows(24));
      await isScheduled(s.engine, 24);
      expect(summary(s)).toMatchObject({ accepted: 24, acceptedTwice: 0 });
    },
    120_000,
  );

  testIn.long(
    'is noticed although the server stays the same: a replica promoted, and the old primary again',
    async () => {
      const primary = await startServer(t);
      const replica = await startServer(t);
      const s = await openScene(`redis://127.0.0.1:${primary.port}`);
      await s.work();
      await s.enqueue(goodRows(100));
      await sent(s, 5);
      await replica.client.replicaof('127.0.0.1', primary.port);
      await waitFor(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
      await replica.client.replicaof('NO', 'ONE');
      const lag = s.accepted();
      await sent(s, lag + 6);
      await primary.client.replicaof('127.0.0.1', replica.port);
      await waitFor(async () => (await primary.client.info('replication')).includes('master_link_status:up'));
      await primary.client.replicaof('NO', 'ONE');
      await isScheduled(s.engine, 100);
      expect(summary(s)).toMatchObject({ accepted: 100, acceptedTwice: 0 });
    },
    120_000,
  );

  testIn.short(
    'is looked through once, and nothing is asked for that another user made',
    async () => {
      const { before, ...s } = await savedScene(4, 1);
      await s.endWorkers();
      for (const row of goodRows(150, 'Orphan')) s.sandbox.enrich(row, API_USER);
      for (const row of goodRows(120, 'Theirs')) s.sandbox.enrich(row);
      await s.goBack();
      const calls = s.sandbox.log().length;
      const fast = { ...slow, ratePerSecond: 200, maxInFlight: 5 };
      await Promise.all([s.work({ settings: fast }), s.work({ settings: fast })]);
      const people = setInterval(() => s.sandbox.enrich({ module: 'Accounts', name: `By hand ${Math.random()}` }), 50);
      t.closing(people, clearInterval);
      await lookedSince(s.engine, before);
      const since = s.sandbox.log().slice(calls);
      expect(since.filter(({ kind }) => kind === 'get')).toHaveLength(150 + 1); // and the positive control
      expect((await s.engine.store.counts()).orphans).toBe(150);
      expect((await s.engine.store.control.read()).value?.stop ?? null).toBeNull();
      await s.enqueue(goodRows(20, 'Orphan'));
      await isScheduled(s.engine, 24);
      expect(s.accepted()).toBe(4);
    },
    120_000,
  );

  testIn.long(
    'holds rows that only a record id tells apart',
    async () => {
      const { before, ...s } = await savedScene(1, 1);
      await s.endWorkers();
      s.sandbox.enrich({ module: 'Accounts', name: 'Twin Company' }, API_USER);
      await s.goBack();
      await s.work();
      await lookedSince(s.engine, before);
      const twin = (recordId: string) => ({ module: 'Accounts', recordId, name: 'Twin Company' });
      await s.enqueue([twin('4000000000000011'), twin('4000000000000012')]);
      await waitFor(async () => (await s.engine.store.counts()).held === 2, { what: 'both to be held' });
      expect(s.accepted()).toBe(1);
    },
    60_000,
  );
});

describe('an echo that differs from what was sent', () => {
  async function lose(echo: 'scheme' | 'other') {
    const s = await redisScene('asked', { echo });
    const worker = await s.work();
    await s.enqueue(goodRows(20));
    await sent(s, 4);
    await s.redis.snapshot();
    const before = await history(s.engine);
    await sent(s, 10);
    worker.end();
    await worker.ended;
    await s.goBack();
    const next = await s.work();
    await lookedSince(s.engine, before);
    return { ...s, next };
  }

  testIn.long(
    'in the form of a website only changes nothing',
    async () => {
      const s = await lose('scheme');
      await isScheduled(s.engine, 20);
      expect(summary(s)).toMatchObject({ accepted: 20, acceptedTwice: 0 });
    },
    60_000,
  );

  testIn.long(
    'stops the fleet, because no row can be told from its orphan',
    async () => {
      const s = await lose('other');
      const accepted = s.accepted();
      const { value } = await s.engine.store.control.read();
      expect(value?.stop).toMatchObject({ code: 'UNOWNED_ENRICHMENTS' });
      await sleep(500);
      expect(s.accepted()).toBe(accepted);
    },
    60_000,
  );
});

testIn.short(
  'an older copy of the embedded folder is noticed',
  async () => {
    const place = t.closing(await testPlace('embedded'), ({ remove }) => remove());
    const sandbox = await openSandbox(t);
    const copy = `${place.settings.dataDir}-copy`;
    t.closing(copy, (path) => rm(path, { recursive: true, force: true }));
    const first = await openEngine(place.settings, quietLog);
    const queue = first.openQueue();
    await queueRows(queue, goodRows(16));
    const worker = startWorker({ engine: first, sandbox, settings: slow, untilIdle: false });
    await waitFor(() => sandbox.enrichments().length >= 4);
    await cp(join(place.settings.dataDir, 'pg'), copy, {
      recursive: true,
      filter: (path) => !/PGSQL|\.lock$/.test(path),
    });
    await waitFor(() => sandbox.enrichments().length >= 10);
    worker.end();
    await worker.ended;
    await queue.close();
    await first.close();
    await rm(join(place.settings.dataDir, 'pg'), { recursive: true });
    await cp(copy, join(place.settings.dataDir, 'pg'), { recursive: true });
    const second = t.closing(await openEngine(place.settings, quietLog), (engine) => engine.close());
    await startWorker({ engine: second, sandbox, settings: slow }).ended;
    await isScheduled(second, 16);
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 16, acceptedTwice: 0 });
  },
  180_000,
);

describe('without the READ scope', () => {
  testIn.long(
    'a loss stops the fleet, and resume goes on',
    async () => {
      const s = await redisScene('asked', { scopes: ['ZohoCRM.settings.intelligence.CREATE'] });
      await s.work();
      await s.enqueue(goodRows(12));
      await sent(s, 3);
      await s.redis.snapshot();
      await sent(s, 6);
      await s.goBack();
      await waitFor(async () => (await s.engine.store.control.read()).value?.stop?.code === 'SERVER_CHANGED', {
        what: 'the stop',
      });
      const accepted = s.accepted();
      await s.engine.store.control.change((control) => resumed(control ?? INITIAL_CONTROL));
      await sent(s, accepted + 1);
    },
    60_000,
  );
});

describe('a restart that lost nothing', () => {
  testIn.short(
    'does not stop the fleet when the very first row is on the wire: its claim proves the echo',
    async () => {
      const s = await redisScene('always', {
        faults: [{ kind: 'never-answer-after', on: 'post', share: 1, times: 1 }],
      });
      await s.work({ settings: { ...slow, maxInFlight: 1, concurrency: 1 } });
      await s.enqueue(goodRows(3));
      await sent(s, 1);
      const before = await history(s.engine);
      await s.goBack();
      await lookedSince(s.engine, before);
      await isScheduled(s.engine, 3);
      expect(summary(s)).toMatchObject({ accepted: 3, acceptedTwice: 0 });
      expect((await s.engine.store.control.read()).value?.stop ?? null).toBeNull();
    },
    60_000,
  );

  testIn.short.each([
    ['', 0],
    [', also with answers under way', 2_800],
  ])(
    'costs one list call, and rows are sent again within 5 s%s',
    async (_, delayMs) => {
      const s = await redisScene('always', { faults: [{ kind: 'slow', on: 'post', share: 1, delayMs }] });
      const timing = { heartbeatMs: 1_000, waitingHeartbeatMs: 250, sweepEveryMs: 1_000, serverEveryMs: 250 };
      await s.work({
        settings: { ...slow, requestTimeoutMs: 4_000 },
        timing: { ...timing, permitTtlMs: 8_000, leaderLeaseMs: 15_000 },
      });
      await s.enqueue(goodRows(60));
      await sent(s, 2);
      const calls = s.sandbox.log().length;
      const since = () =>
        s.sandbox
          .log()
          .slice(calls)
          .map(({ kind }) => kind);
      await s.redis.end('SIGKILL');
      await s.redis.start();
      const startedAt = performance.now();
      const isSendingAgain = () => since().includes('list') && since().lastIndexOf('post') > since().indexOf('list');
      await waitFor(isSendingAgain, { what: 'a row after the list call' });
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      await sent(s, 8);
      expect(since().filter((kind) => kind !== 'post' && kind !== 'token')).toEqual(['list']);
      expect(summary(s)).toMatchObject({ acceptedTwice: 0 });
    },
    60_000,
  );

  testIn.long(
    'needs no look when the last worker had ended in order',
    async () => {
      const s = await redisScene('none');
      const worker = await s.work();
      await s.enqueue(goodRows(2));
      await isScheduled(s.engine, 2);
      const leader = async () => (await s.engine.store.document<SweepState>('sweep').read()).value?.leader;
      await waitFor(async () => Boolean(await leader()), { what: 'the worker to lead' });
      worker.end();
      await worker.ended;
      // The next one need not wait for the end of its lead.
      expect(await leader()).toBeNull();
      expect(await history(s.engine)).toMatchObject({ cleanEnd: true, look: null });
      await s.work();
      await s.enqueue(goodRows(2, 'Next'));
      await isScheduled(s.engine, 4);
      expect(summary(s).lists).toBe(0);
    },
    60_000,
  );
});

testIn.long(
  'a list that repeats its pages is left, and the look tried again later',
  async () => {
    const s = await redisScene('asked', { listRepeats: true });
    await s.work();
    await s.enqueue(goodRows(10));
    await sent(s, 3);
    await s.redis.snapshot();
    await sent(s, 5);
    const before = await history(s.engine);
    await s.goBack();
    await sleep(3_000);
    expect(summary(s).lists).toBeLessThan(20);
    s.sandbox.configure({ listRepeats: false });
    await lookedSince(s.engine, before);
    await isScheduled(s.engine, 10);
    expect(summary(s)).toMatchObject({ accepted: 10, acceptedTwice: 0 });
  },
  60_000,
);
