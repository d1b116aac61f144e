import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { StoreUnavailableError } from '../../src/lib/errors.js';
import { summarise } from '../../src/sandbox/effects.js';
import type { Sandbox } from '../../src/sandbox/server.js';
import { type DurableRedis, openDurableRedis } from '../chaos/durable-redis.js';
import { openTestEngine, quietLog } from '../support/engines.js';
import { goodRows, queueRows, startWorker } from '../support/fleet.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

/** What a worker does with its permits when the store refuses, and once it takes writes again. */
const t = setup();
afterEach(() => t.close());

const IN_FLIGHT = 5;
const SETTINGS = { ratePerSecond: 20, maxInFlight: IN_FLIGHT, concurrency: 7, requestTimeoutMs: 300 };

testIn.short(
  'a permit is given back each time the store refuses to admit',
  async () => {
    const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
    const queue = t.closing(engine.openQueue(), (opened) => opened.close());
    const sandbox = await openSandbox(t);
    await queueRows(queue, goodRows(20));
    let refusals = 0;
    const admit: Engine['store']['admit'] = async (request) => {
      refusals += 1;
      if (refusals <= IN_FLIGHT) throw new StoreUnavailableError('The store takes no writes.');
      return engine.store.admit(request);
    };
    const refusing = { ...engine, store: { ...engine.store, admit } };
    const worker = startWorker({ engine: refusing, sandbox, settings: { ...SETTINGS, ratePerSecond: 500 } });
    const report = await Promise.race([worker.ended, sleep(25_000)]);
    worker.end();
    await worker.ended;
    expect(report).toMatchObject({ ended: 'idle', submitted: 20, failed: 0 });
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 20, acceptedTwice: 0 });
  },
  45_000,
);

async function openWorkerOn(redis: DurableRedis): Promise<Sandbox> {
  const sandbox = await openSandbox(t, { latencyMs: [1, 10] });
  const prefix = `test-${randomBytes(4).toString('hex')}`;
  // With a command's short patience an admission is refused after a second instead of a quarter of a minute.
  const open = (failFast: boolean) =>
    openEngine({ redisUrl: redis.url, dataDir: '/nowhere', prefix, queueName: 'zia-enrich', failFast }, quietLog);
  const direct = t.closing(await open(false), (engine) => engine.close());
  const queue = t.closing(direct.openQueue(), (opened) => opened.close());
  await queueRows(queue, goodRows(1_000));
  const engine = t.closing(await open(true), (opened) => opened.close());
  const worker = startWorker({ engine, sandbox, settings: SETTINGS, untilIdle: false });
  t.closing(worker, async () => {
    worker.end();
    await worker.ended;
  });
  await expectToSend(sandbox);
  return sandbox;
}

/** Within 10 s from now, by a machine that may be busy with other tests: a fifth of the pace. */
async function expectToSend(sandbox: Sandbox): Promise<void> {
  const before = sandbox.enrichments().length;
  await waitFor(() => sandbox.enrichments().length >= before + 40, { what: 'forty rows' });
}

testIn.short(
  'a Redis that refuses writes for seconds, again and again, costs a worker none of its permits',
  async () => {
    const redis = t.closing(await openDurableRedis(), (opened) => opened.close());
    const sandbox = await openWorkerOn(redis);
    const client = t.closing(new Redis(redis.url), (opened) => opened.disconnect());
    for (let round = 0; round < 4; round += 1) {
      await client.config('SET', 'min-replicas-to-write', '1');
      await sleep(2_000);
      await client.config('SET', 'min-replicas-to-write', '0');
      await expectToSend(sandbox);
    }
    expect(summarise(sandbox.log())).toMatchObject({ acceptedTwice: 0 });
  },
  90_000,
);

testIn.long(
  'a Redis that is killed three times, for longer than commands are tried, costs a worker none',
  async () => {
    const redis = t.closing(await openDurableRedis(), (opened) => opened.close());
    const sandbox = await openWorkerOn(redis);
    for (let round = 0; round < 3; round += 1) {
      await redis.end('SIGKILL');
      await sleep(2_000);
      await redis.start();
      await expectToSend(sandbox);
    }
    expect(summarise(sandbox.log())).toMatchObject({ acceptedTwice: 0 });
  },
  90_000,
);
