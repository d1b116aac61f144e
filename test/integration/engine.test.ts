import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DelayedError, UnrecoverableError, WaitingError, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import { openDatabaseLink } from '../../src/lib/engine/embedded/database-link.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { parseRedisAddress } from '../../src/lib/engine/redis/redis-address.js';
import { type EnrichJob, type EnrichQueue, type EnrichReturn, JOB_NAME, jobOptions } from '../../src/lib/queues.js';
import { ENGINE_KINDS, openTestEngine, quietLog, testPlace } from '../support/engines.js';
import { endRedis, startRedis } from '../support/redis.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const key = (name: string) => `r1${name}` as IdentityKey;

describe.each(ENGINE_KINDS)('the queue on %s', (kind) => {
  let t: TestScope;
  let engine: Engine;
  let queue: EnrichQueue;

  beforeEach(async () => {
    t = setup();
    engine = t.closing(await openTestEngine(kind), (e) => e.close()).engine;
    queue = t.closing(engine.openQueue(), (q) => q.close());
  });
  afterEach(() => t.close());

  const add = (...names: string[]) =>
    queue.addBulk(
      names.map((name) => ({
        name: JOB_NAME,
        data: { v: 1 as const, module: 'Accounts', name },
        opts: { ...jobOptions(key(name), 3), backoff: { type: 'custom' } },
      })),
    );

  function work(
    processor: (job: EnrichJob, token: string) => Promise<EnrichReturn>,
    options: Partial<WorkerOptions> = {},
    on = engine,
  ) {
    const worker = on.openWorker((job, token) => processor(job, token ?? ''), {
      concurrency: 1,
      settings: { backoffStrategy: () => 1 },
      ...options,
    });
    return t.closing(worker, (w) => w.close());
  }

  const fate = async (name: string) => (await engine.jobStatuses([key(name)])).get(key(name));
  const counts = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 };

  test('keeps one job an id and hands jobs out in file order', async () => {
    await add('a', 'b', 'c');
    await add('b', 'd', 'a');
    expect(await engine.counts()).toEqual({ ...counts, waiting: 4 });
    const seen: (string | undefined)[] = [];
    work(async (job) => {
      seen.push(job.data.name);
      return { id: '1' };
    });
    await waitFor(async () => (await engine.counts()).completed === 4);
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
  });

  test('keeps unusual text of a row as it is', async () => {
    const name = 'Żółć "& Söhne"\n😀 \\u0000 /';
    await add(name);
    const seen: (string | undefined)[] = [];
    work(async (job) => {
      seen.push(job.data.name);
      return { id: '1' };
    });
    await waitFor(() => seen.length === 1);
    expect(seen).toEqual([name]);
  });

  test('counts the rows of a paused queue as waiting and works them after the resume', async () => {
    await queue.pause();
    await add('a', 'b');
    work(async () => ({ id: '1' }));
    expect(await engine.counts()).toEqual({ ...counts, waiting: 2 });
    expect(await fate('a')).toEqual({ state: 'waiting' });
    await queue.resume();
    await waitFor(async () => (await engine.counts()).completed === 2);
  });

  test('puts a row back without spending an attempt', async () => {
    await add('a', 'b');
    const seen: string[] = [];
    work(async (job, token) => {
      seen.push(`${job.data.name}${job.attemptsMade}`);
      if (seen.length > 3) return { id: '1' };
      await job.moveToWait(token);
      throw new WaitingError();
    });
    await waitFor(async () => (await engine.counts()).completed === 2);
    // To the head of the queue on Redis, to its end on the embedded engine: BullMQ's backends differ.
    expect(new Set(seen)).toEqual(new Set(['a0', 'b0']));
    expect(seen).toHaveLength(5);
  });

  test('defers a row without spending an attempt', async () => {
    await add('a');
    const attempts: number[] = [];
    let due = 0;
    work(async (job, token) => {
      attempts.push(job.attemptsMade);
      if (attempts.length > 1) return { id: '1' };
      due = Date.now() + 300;
      await job.moveToDelayed(due, token);
      throw new DelayedError();
    });
    await waitFor(async () => (await fate('a'))?.state === 'delayed');
    expect(await engine.counts()).toEqual({ ...counts, delayed: 1 });
    await waitFor(async () => (await fate('a'))?.state === 'completed');
    expect(Date.now()).toBeGreaterThanOrEqual(due);
    expect(attempts).toEqual([0, 0]);
  });

  test('retries with the backoff asked for until the attempts are spent, then tells the reason', async () => {
    await add('a');
    const attempts: number[] = [];
    const backoffs: number[] = [];
    work(
      async (job) => {
        attempts.push(job.attemptsMade);
        throw new Error('no luck');
      },
      {
        settings: {
          backoffStrategy: (attempt) => {
            backoffs.push(attempt);
            return 5;
          },
        },
      },
    );
    await waitFor(async () => (await fate('a'))?.state === 'failed');
    expect(await fate('a')).toEqual({ state: 'failed', reason: 'no luck' });
    expect(attempts).toEqual([0, 1, 2]);
    expect(backoffs).toEqual([1, 2]);
  });

  test('tells the fate of a job in every state as BullMQ does', async () => {
    const names = ['waiting', 'completed', 'failed', 'retrying', 'active', 'deferred', 'promoted', 'again', 'put-back'];
    await add(...names.filter((name) => name !== 'waiting'));
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const worker = work(
      async (job, token) => {
        switch (job.data.name) {
          case 'failed':
          case 'again':
            throw new UnrecoverableError('BAD');
          case 'retrying':
            throw new Error('later');
          case 'deferred':
          case 'promoted':
            await job.moveToDelayed(Date.now() + 60_000, token);
            throw new DelayedError();
          case 'put-back':
            await queue.pause();
            await job.moveToWait(token);
            throw new WaitingError();
          case 'active':
            await gate;
        }
        return { id: '1' };
      },
      { concurrency: 20, settings: { backoffStrategy: () => 60_000 } },
    );
    t.closing(release, (open) => open());
    await waitFor(async () => {
      const { active, delayed, completed, failed } = await engine.counts();
      return active === 1 && delayed === 3 && completed === 1 && failed === 2;
    });
    await waitFor(async () => (await fate('put-back'))?.state === 'waiting');
    await queue.getJob(key('promoted')).then((job) => job?.promote());
    await queue.getJob(key('again')).then((job) => job?.retry('failed', { resetAttemptsMade: true }));
    await add('waiting');

    const fates = await engine.jobStatuses([...names, 'absent'].map(key));
    expect(Object.fromEntries([...fates].map(([k, { state }]) => [k.slice(2), state]))).toEqual({
      waiting: 'waiting',
      completed: 'completed',
      failed: 'failed',
      retrying: 'delayed',
      active: 'active',
      deferred: 'delayed',
      promoted: 'waiting',
      again: 'waiting',
      'put-back': 'waiting',
      absent: 'absent',
    });
    for (const [k, { state }] of fates) {
      expect(await queue.getJobState(k)).toBe(state === 'absent' ? 'unknown' : state);
    }
    const withJob = await engine.existingJobs([...fates.keys()]);
    expect([...fates.keys()].filter((k) => !withJob.has(k))).toEqual([key('absent')]);
    expect(await engine.activeKeys()).toEqual([key('active')]);
    release();
    await worker.close();
  });

  test('answers for thousands of keys', async () => {
    const names = Array.from({ length: 2_500 }, () => randomUUID());
    await add(...names);
    const fates = await engine.jobStatuses([...names, 'x'].map(key));
    expect(fates.size).toBe(2_501);
    expect([...fates.values()].filter(({ state }) => state === 'waiting')).toHaveLength(2_500);
    expect(await engine.existingJobs(['x', ...names].map(key))).toEqual(new Set(names.map(key)));
  });

  test('keeps about as many completed jobs as asked for', async () => {
    const names = Array.from({ length: 105 }, (_, at) => `kept${at}`);
    await add(...names);
    let done = 0;
    work(
      async () => {
        done++;
        return { id: '1' };
      },
      { concurrency: 10, removeOnComplete: { count: 3 } },
    );
    await waitFor(async () => done === names.length && (await engine.counts()).active === 0);
    const { completed } = await engine.counts();
    expect(completed).toBeGreaterThanOrEqual(3);
    expect(completed).toBeLessThan(100); // the embedded engine drops them a hundred at a time
  });

  test('closes twice without complaint', async () => {
    await queue.close();
    await engine.close();
    await engine.close();
  });
});

test('an import into the embedded database leaves its counters one row in one place, however many entries it has', async () => {
  await using t = setup();
  const { engine, settings } = t.closing(await openTestEngine('embedded'), (opened) => opened.close());
  const directory = join(settings.dataDir, 'pg');
  const link = t.closing(await openDatabaseLink({ directory, hostAnswerMs: 10_000 }, quietLog), (one) => one.close());
  const pages = async () => {
    const { rows } = await link.query<{ size: string }>("select pg_relation_size('zia.gauge') as size where $1", [
      true,
    ]);
    return Number(rows[0]?.size) / 8_192;
  };
  const before = await pages();
  const entry = { state: 'scheduled', sentAtMs: 1, sends: 1, sent: { module: 'Accounts' }, scheduledAtMs: 1 } as const;
  const entries = Array.from({ length: 1_000 }, (_, at) => {
    return [key(`import${at}`), { ...entry, callId: `call-${at}`, enrichmentId: String(at) as EnrichmentId }] as const;
  });
  await engine.store.importEntries(new Map(entries), new Map());
  expect(await engine.store.counts()).toMatchObject({ scheduled: 1_000, pending: 1_000 });
  expect((await pages()) - before).toBeLessThanOrEqual(1);
});

test('statements that the embedded database prepared serve every client, and follow a change of the tables', async () => {
  await using t = setup();
  const place = t.closing(await testPlace('embedded'), (one) => one.remove());
  const settings = { directory: join(place.settings.dataDir, 'pg'), hostAnswerMs: 10_000 };
  const host = t.closing(await openDatabaseLink(settings, quietLog), (link) => link.close());
  const guest = t.closing(await openDatabaseLink(settings, quietLog), (link) => link.close());
  await host.query('create table public.pair (a text, b text)');
  const prepared = () => host.query<{ n: string }>('select count(*) as n from pg_prepared_statements where $1', [true]);

  const wrong = 'select nothing from public.pair where a = $1';
  const right = 'select * from public.pair where a = $1';
  for (const link of [host, guest, host]) {
    await expect(link.query(wrong, ['x'])).rejects.toThrow('column "nothing" does not exist');
    await link.query('insert into public.pair values ($1, $2)', ['x', 'ä € 😀']);
  }
  for (const link of [host, guest]) {
    expect((await link.query(right, ['x'])).rows).toEqual(Array(3).fill({ a: 'x', b: 'ä € 😀' }));
    expect((await link.query(right, ['y'])).rows).toEqual([]);
    await expect(link.query('select 1 / $1::integer as one', [0])).rejects.toThrow('division by zero');
    expect((await link.query('select 1 / $1::integer as one', [1])).rows).toEqual([{ one: 1 }]);
  }
  // Those of the texts above that are right, each once, and the one that counts them.
  expect((await prepared()).rows).toEqual([{ n: '4' }]);

  await guest.query('alter table public.pair add column c integer default 7');
  expect((await host.query(right, ['x'])).rows).toEqual(Array(3).fill({ a: 'x', b: 'ä € 😀', c: 7 }));
});

test('a Redis that does not answer is named, without its password, and nothing else is opened', async () => {
  const settings = {
    dataDir: '/nonexistent',
    prefix: 'zia',
    queueName: 'q',
    redisUrl: 'redis://me:secret@127.0.0.1:1/0',
  };
  await expect(openEngine(settings, quietLog)).rejects.toMatchObject({
    name: 'StoreUnavailableError',
    message: 'Redis at 127.0.0.1:1/0 cannot be reached (ECONNREFUSED); start it, or correct REDIS_URL.',
  });
});

test('commands wait for a Redis that restarts, and find everything there', async () => {
  await using t = setup();
  const first = await startRedis();
  const port = Number(new URL(first.url).port);
  let server = first.server;
  t.closing(null, () => server && endRedis(server));
  const settings = { dataDir: '/nonexistent', prefix: 'zia', queueName: 'q', redisUrl: first.url };
  const engine = t.closing(await openEngine(settings, quietLog), (e) => e.close());
  await engine.store.settle(key('a'), 'c1', '1' as never);
  process.kill(server?.pid ?? 0, 'SIGKILL');
  const counts = engine.store.counts();
  server = (await startRedis(undefined, { port, dir: server?.dir ?? '' })).server;
  expect(await counts).toMatchObject({ scheduled: 1 });
});

test('a Redis that refuses is told with the reason and what to do', async () => {
  await using t = setup();
  const { url, server } = await startRedis();
  t.closing(server, (own) => own && endRedis(own));
  const settings = { dataDir: '/nonexistent', prefix: 'zia', queueName: 'q', redisUrl: url };
  const where = url.replace('redis://', '');
  const engine = t.closing(await openEngine(settings, quietLog), (e) => e.close());
  const client = t.closing(new Redis(url), (c) => c.disconnect());
  await client.config('SET', 'maxmemory', '1');
  await expect(engine.store.document<string>('account').change(() => 'x')).rejects.toMatchObject({
    name: 'StoreUnavailableError',
    message: `Redis at ${where} is out of memory; raise its maxmemory, with the policy noeviction, then start again.`,
  });
  const wrong = { ...settings, redisUrl: `redis://me:secret@${where}` };
  await expect(openEngine(wrong, quietLog)).rejects.toMatchObject({
    message: `Redis at ${where} refuses the password; check user and password in REDIS_URL.`,
  });
});

test.each([
  ['redis://:p%40ss@h', { kind: 'single', where: 'h:6379' }],
  ['rediss://u:p@h:1/2', { kind: 'single', where: 'h:1/2' }],
  [
    'redis+sentinel://u:p%40ss@h1:1,h2/mine/3',
    {
      kind: 'sentinel',
      nodes: [
        { host: 'h1', port: 1 },
        { host: 'h2', port: 26_379 },
      ],
      master: 'mine',
      db: 3,
      username: 'u',
      password: 'p@ss',
      tls: false,
      where: 'mine of h1:1,h2:26379 (sentinel)',
    },
  ],
  [
    'rediss+sentinel://h1/mine?sentinelUsername=s&sentinelPassword=p%40ss',
    { kind: 'sentinel', db: 0, sentinelUsername: 's', sentinelPassword: 'p@ss', password: undefined, tls: true },
  ],
  [
    'rediss+cluster://h1,[::1]:2',
    {
      kind: 'cluster',
      nodes: [
        { host: 'h1', port: 6_379 },
        { host: '::1', port: 2 },
      ],
      tls: true,
      where: 'h1:6379,::1:2 (cluster)',
    },
  ],
])('REDIS_URL %s is understood', (url, address) => {
  expect(parseRedisAddress(url)).toMatchObject(address);
});

test.each(['redis://user:50%@h', 'redis://u%zz:p@h', 'redis+sentinel://u:50%@h1/mine', 'redis+cluster://50%@h1'])(
  'REDIS_URL %s is refused for its escape, and not printed',
  (url) => {
    expect(() => parseRedisAddress(url)).toThrow(
      'REDIS_URL has a % that begins no escape in its user or password; write % as %25.',
    );
  },
);

test.each([
  'h:6379',
  'redis://user:1234/5678@h:6379/0',
  'http://h',
  'redis+sentinel://h1',
  'redis+sentinel://h1/mine?password=x',
  'redis+cluster://',
  'redis+cluster://h1?sentinelPassword=x',
])('REDIS_URL %s is refused', (url) => {
  expect(() => parseRedisAddress(url)).toThrow('REDIS_URL is not an address of Redis; use one of redis://');
});
