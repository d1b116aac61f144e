import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Engine } from '../../src/lib/engine/engine.js';
import { engineWarnings } from '../../src/lib/engine/engine-warnings.js';
import { type EngineSettings, openEngine } from '../../src/lib/engine/open-engine.js';
import { parseRedisAddress } from '../../src/lib/engine/redis/redis-address.js';
import { createRedisClient } from '../../src/lib/engine/redis/redis-client.js';
import { redisUnavailable } from '../../src/lib/engine/redis/redis-failure.js';
import { summarise } from '../../src/sandbox/effects.js';
import type { Readiness } from '../../src/workers/readiness.js';
import { type DurableRedis, openDurableRedis } from '../chaos/durable-redis.js';
import { startCli } from '../support/cli.js';
import { quietLog } from '../support/engines.js';
import { goodRows, queueRows, startWorker } from '../support/fleet.js';
import { freePort } from '../support/free-port.js';
import { watchLateness } from '../support/lateness.js';
import { openSandbox } from '../support/sandbox.js';
import { withScratch } from '../support/scratch.js';
import { setup } from '../support/setup.js';
import { bySuite, testIn } from '../support/suite.js';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

const settingsFor = (redisUrl: string): EngineSettings => ({
  redisUrl,
  dataDir: '/nowhere',
  prefix: `test-${randomBytes(4).toString('hex')}`,
  queueName: 'zia-enrich',
});

async function openOn(settings: EngineSettings): Promise<Engine> {
  return t.closing(await openEngine(settings, quietLog), (engine) => engine.close());
}

async function redisWith(...options: Parameters<typeof openDurableRedis>): Promise<DurableRedis> {
  return t.closing(await openDurableRedis(...options), (redis) => redis.close());
}

interface Outage {
  readonly begin: (redis: DurableRedis, proxy: TcpProxy) => Promise<void>;
  readonly end: (redis: DurableRedis, proxy: TcpProxy) => Promise<void>;
}

/** Long enough for commands to get lost, too short for anybody to notice while it lasts. */
const A_MOMENT_MS = 1_500;

const OUTAGES = {
  'Redis is killed and started again': {
    begin: (redis) => redis.end('SIGKILL'),
    end: (redis) => redis.start(),
  },
  'its port refuses connections': {
    begin: (_, proxy) => proxy.setMode('refuse'),
    end: (_, proxy) => proxy.setMode('pass'),
  },
  'connections swallow everything': {
    begin: (_, proxy) => proxy.setMode('black-hole'),
    end: (_, proxy) => proxy.setMode('pass'),
  },
  'connections are cut': {
    begin: async (_, proxy) => proxy.cut(),
    end: async () => undefined,
  },
} satisfies Readonly<Record<string, Outage>>;

type Away = 'for a moment' | 'until it is noticed';

const CASES = bySuite<readonly [keyof typeof OUTAGES, readonly Away[]]>(
  [
    ['Redis is killed and started again', ['for a moment']],
    ['connections swallow everything', ['until it is noticed']],
  ],
  [
    ['Redis is killed and started again', ['until it is noticed']],
    ['its port refuses connections', ['for a moment', 'until it is noticed']],
    ['connections swallow everything', ['for a moment']],
    ['connections are cut', ['for a moment', 'until it is noticed']],
  ],
);

describe.each(CASES)('when %s', (name, ways) => {
  const outage: Outage = OUTAGES[name];
  test.each(ways)(
    'a worker goes on by itself within 10 s, away %s',
    async (away) => {
      const redis = await redisWith();
      const proxy = t.closing(await openTcpProxy({ host: '127.0.0.1', port: redis.port }), (opened) => opened.close());
      const sandbox = await openSandbox(t, { latencyMs: [1, 10] });
      const settings = settingsFor(`redis://127.0.0.1:${proxy.port}`);
      const direct = await openOn({ ...settings, redisUrl: redis.url });
      const queue = t.closing(direct.openQueue(), (opened) => opened.close());
      let readiness: () => Readiness = () => ({ ready: true });
      const worker = startWorker({
        engine: await openOn(settings),
        sandbox,
        settings: { ratePerSecond: 20, maxInFlight: 4, concurrency: 4 },
        untilIdle: false,
        onReadiness: (read) => {
          readiness = read;
        },
      });
      await queueRows(queue, goodRows(400));
      await waitFor(() => sandbox.enrichments().length >= 10, { what: 'the first rows' });
      expect(readiness()).toEqual({ ready: true });
      await outage.begin(redis, proxy);
      if (away === 'for a moment') await sleep(A_MOMENT_MS);
      else if (name !== 'connections are cut') {
        await waitFor(() => !readiness().ready, { what: 'the worker to say that it is not ready' });
        expect(readiness()).toMatchObject({ reasons: [{ code: 'ENGINE_AWAY' }] });
      }
      await outage.end(redis, proxy);
      const sent = sandbox.enrichments().length;
      const returnedAt = performance.now();
      const lateness = watchLateness();
      await waitFor(() => sandbox.enrichments().length > sent + 8, { what: 'rows after the return' });
      expect(performance.now() - returnedAt).toBeLessThan(10_000 + lateness());
      await waitFor(() => readiness().ready, { what: 'readiness' });
      worker.end();
      await worker.ended;
      expect(summarise(sandbox.log())).toMatchObject({ acceptedTwice: 0 });
    },
    60_000,
  );
});

testIn.long(
  'a full Redis is what a worker says is wrong, and once it has room the worker sends every row once',
  async () => {
    const redis = await redisWith();
    const sandbox = await openSandbox(t, { latencyMs: [1, 10] });
    const settings = settingsFor(redis.url);
    const queue = t.closing((await openOn(settings)).openQueue(), (opened) => opened.close());
    const client = t.closing(new Redis(redis.url), (opened) => opened.disconnect());
    const keys = await queueRows(queue, goodRows(300));
    let readiness: () => Readiness = () => ({ ready: true });
    const worker = startWorker({
      engine: await openOn(settings),
      sandbox,
      settings: { ratePerSecond: 50, maxInFlight: 4, concurrency: 4 },
      untilIdle: false,
      onReadiness: (read) => {
        readiness = read;
      },
    });
    await waitFor(() => sandbox.enrichments().length >= 10, { what: 'the first rows' });
    await client.config('SET', 'maxmemory', '1mb');
    await waitFor(() => !readiness().ready, { what: 'the worker to say that it is not ready' });
    expect(readiness()).toMatchObject({
      reasons: [{ code: 'ENGINE_AWAY', message: expect.stringMatching(/is out of memory; raise its maxmemory/) }],
    });
    await client.config('SET', 'maxmemory', '0');
    await waitFor(() => sandbox.enrichments().length === keys.length, { what: 'all rows' });
    await waitFor(() => readiness().ready, { what: 'readiness' });
    worker.end();
    await worker.ended;
    expect(summarise(sandbox.log())).toMatchObject({ acceptedTwice: 0 });
  },
  60_000,
);

describe('a command that must not wait', () => {
  testIn.short.each(['refuse', 'black-hole'] as const)(
    'is told within seconds when Redis is away: %s',
    async (mode) => {
      const redis = await redisWith();
      const proxy = t.closing(await openTcpProxy({ host: '127.0.0.1', port: redis.port }), (opened) => opened.close());
      const settings = { ...settingsFor(`redis://127.0.0.1:${proxy.port}`), failFast: true };
      const engine = await openOn(settings);
      const queue = t.closing(engine.openQueue(), (opened) => opened.close());
      await queueRows(queue, goodRows(3));
      await proxy.setMode(mode);
      const since = performance.now();
      const lateness = watchLateness();
      const failures = await Promise.all(
        [engine.counts(), engine.store.control.read(), queueRows(queue, goodRows(500, 'More'))].map((work) =>
          work.then(
            () => 'no failure',
            (error: unknown) => (error instanceof Error ? error.message : String(error)),
          ),
        ),
      );
      expect(performance.now() - since).toBeLessThan(6_000 + lateness());
      expect(failures).toEqual(Array(3).fill(expect.stringContaining('cannot be reached')));
      const opening = performance.now();
      await expect(openEngine(settings, quietLog)).rejects.toThrow(
        /cannot be reached \([A-Z]+\); start it, or correct REDIS_URL\.$/,
      );
      expect(performance.now() - opening).toBeLessThan(7_000 + lateness());
    },
    30_000,
  );
});

testIn.short('a command that was told that Redis is away ends once it has said so', () =>
  withScratch(async (cwd) => {
    const command = startCli(['status'], { cwd, env: { REDIS_URL: `redis://127.0.0.1:${await freePort()}` } });
    await waitFor(() => command.stderr().includes('cannot be reached'), { what: 'the error' });
    const said = performance.now();
    const lateness = watchLateness();
    expect(await command.ended).toMatchObject({ code: 1 });
    // ioredis keeps a connection that never came for 2 s, to end it in order.
    expect(performance.now() - said).toBeLessThan(1_500 + lateness());
  }),
);

describe('names in one sentence what is wrong with Redis:', () => {
  const admit = (engine: Engine) =>
    engine.store.admit({
      key: 'r1x' as never,
      callId: 'c',
      sent: { module: 'Accounts', name: 'x'.repeat(100) },
      limits: { callsPerSecond: 100, maxInFlight: 1, permitTtlMs: 1_000 },
      claimLostAfterMs: 1_000,
    });

  testIn.short('out of memory', async () => {
    const redis = await redisWith({ maxmemory: '100kb' });
    const engine = await openOn(settingsFor(redis.url));
    const queue = t.closing(engine.openQueue(), (opened) => opened.close());
    await expect(queueRows(queue, goodRows(1))).rejects.toThrow(/^Redis at \S+ is out of memory; raise its maxmemory/);
  });

  testIn.short('a read-only replica', async () => {
    const redis = await redisWith();
    const client = new Redis(redis.url);
    await client.replicaof('127.0.0.1', 1);
    client.disconnect();
    const engine = await openOn(settingsFor(redis.url));
    await expect(admit(engine)).rejects.toThrow(/read-only replica|without a working primary/);
  });

  testIn.short(
    'a read-only replica with many rows in work, which is left once and without a warning of Node',
    async () => {
      const redis = await redisWith();
      const client = t.closing(createRedisClient(parseRedisAddress(redis.url), 'commands', false) as Redis, (opened) =>
        opened.disconnect(),
      );
      client.on('error', () => undefined);
      await client.connect();
      await client.replicaof('127.0.0.1', 1);
      const { stream } = client;
      const before = stream.listenerCount('close');
      const refused = await Promise.allSettled(Array.from({ length: 30 }, (_, at) => client.set(`key-${at}`, 'x')));
      expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
      expect(stream.listenerCount('close')).toBeLessThanOrEqual(before + 1);
      await waitFor(() => client.stream !== stream && client.status === 'ready', { what: 'another connection' });
    },
  );

  testIn.short('a wrong password', async () => {
    const redis = await redisWith({ requirepass: 'right' }, { password: 'right' });
    const wrong = settingsFor(redis.url.replace(':right@', ':wrong@'));
    await expect(openEngine(wrong, quietLog)).rejects.toThrow(/^Redis at \S+ refuses the password; check user and/);
    await expect(openEngine(settingsFor(redis.url.replace(':right@', '')), quietLog)).rejects.toThrow(
      /refuses the password/,
    );
  });

  testIn.short('too few replicas', async () => {
    const redis = await redisWith({ 'min-replicas-to-write': '1' });
    const engine = await openOn(settingsFor(redis.url));
    await expect(admit(engine)).rejects.toThrow(/^Redis at \S+ takes no writes, because too few of its replicas/);
  });

  testIn.short('what is not known in the words of Redis itself, and a lost connection as such', () => {
    for (const [said, told] of [
      [
        'Missing key for job r1x. moveToFinished',
        /^Redis at 127\.0\.0\.1:1 answered: Missing key for job r1x\. moveToFinished\.$/,
      ],
      ['DENIED Redis is running in protected mode because', /^Redis at 127\.0\.0\.1:1 is in protected mode/],
      ['CLUSTERDOWN The cluster is down', /^Redis at 127\.0\.0\.1:1 has lost its quorum/],
      [
        'Command timed out',
        /^Redis at 127\.0\.0\.1:1 cannot be reached \(ETIMEDOUT\); start it, or correct REDIS_URL\.$/,
      ],
      ['Connection is closed.', /^Redis at 127\.0\.0\.1:1 cannot be reached; start it/],
    ] as const) {
      const { message } = redisUnavailable(new Error(said), parseRedisAddress('redis://127.0.0.1:1'));
      expect(message).toMatch(told);
    }
    const json = redisUnavailable(new SyntaxError('"Acme, c" is not valid JSON'), parseRedisAddress('redis://h'));
    expect(json.message).toBe('Redis at h:6379 answered: a job that is no JSON.');
  });

  // What ioredis 6 says of Sentinels of Redis 7.0, tried with a real one.
  testIn.short.each([
    [
      'All sentinels are unreachable and retry is disabled. Last error: ERR No such master with that name',
      /know no primary of this name; correct it/,
    ],
    [
      "All sentinels are unreachable. Retrying from scratch after 100ms. Last error: ERR unknown command 'sentinel', with args",
      / is a Redis and no Sentinel; use redis:/,
    ],
    ['NOAUTH Authentication required.', / refuses the password; .*sentinelPassword/],
    ['All sentinels are unreachable. Last error: Connection is closed.', / cannot be reached; try again in a moment/],
  ])('with Sentinel, %s', (said, told) => {
    const address = parseRedisAddress('redis+sentinel://127.0.0.1:1/main');
    expect(redisUnavailable(new Error(said), address).message).toMatch(told);
  });

  testIn.short.each([
    ['none', {}, ['NO_PERSISTENCE']],
    ['asked', {}, ['SNAPSHOTS_ONLY']],
    ['everysec', {}, ['APPENDFSYNC']],
    ['always', {}, []],
    ['always', { 'maxmemory-policy': 'allkeys-lru' }, ['EVICTION']],
  ] as const)('persistence %s, settings %j: warnings %j', async (persistence, settings, codes) => {
    const redis = await redisWith(settings, { persistence });
    const engine = await openOn(settingsFor(redis.url));
    const warnings = await engineWarnings(engine);
    expect(warnings.map(({ code }) => code)).toEqual(codes);
    for (const { message } of warnings) expect(message).toMatch(/; (set|use) [^.]*\.$/);
    expect((await engine.inspect()).durable).toBe(persistence === 'always');
  });
});
