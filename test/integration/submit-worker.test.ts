import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Outcome } from '../../src/lib/core/outcome.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { createSubmitWorker } from '../../src/workers/submit-worker.js';
import { timingFor } from '../../src/workers/timing.js';
import { openDurableRedis } from '../chaos/durable-redis.js';
import { ENGINE_KINDS, openTestEngine, quietLog } from '../support/engines.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

describe.each(ENGINE_KINDS)('a worker on %s', (kind) => {
  test('waits before it tries a row again after a surprise, though the job names no backoff', async () => {
    const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
    const queue = t.closing(engine.openQueue(), (opened) => opened.close());
    const triedAtMs: number[] = [];
    const submit = async (): Promise<Outcome> => {
      triedAtMs.push(performance.now());
      throw new Error('a surprise');
    };
    const worker = createSubmitWorker(
      { concurrency: 1, backoff: { baseMs: 60_000, capMs: 60_000 } },
      {
        engine,
        // A surprise tells the fleet nothing.
        heartbeat: { pauseFetching: () => undefined },
        timing: timingFor(20_000),
        log: quietLog,
        random: () => 0.5,
        submit,
        onFetch: () => undefined,
      },
    );
    t.closing(worker, (running) => running.close());
    void worker.run();
    await queueRows(queue, goodRows(1));
    await waitFor(async () => (await engine.counts()).delayed === 1, { what: 'the delayed job' });
    expect(triedAtMs).toHaveLength(1);
  });

  test('without a row to do tells again and again that it has asked for one', async () => {
    const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
    let asked = 0;
    const onFetch = () => {
      asked += 1;
    };
    const worker = engine.openWorker(async () => ({ id: '1' }), { autorun: false, drainDelay: 0.2 }, onFetch);
    t.closing(worker, (running) => running.close());
    void worker.run();
    await waitFor(() => asked >= 4, { what: 'the fourth question' });
  });
});

test('a worker whose Redis refuses tells so, and asks once a second', async () => {
  const redis = t.closing(await openDurableRedis(), (opened) => opened.close());
  const settings = { redisUrl: redis.url, dataDir: '/nowhere', prefix: 'full', queueName: 'zia-enrich' };
  const engine = t.closing(await openEngine(settings, quietLog), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  await queueRows(queue, goodRows(1));
  const client = t.closing(new Redis(redis.url), (opened) => opened.disconnect());
  await client.config('SET', 'maxmemory', '1mb');
  const told: (string | undefined)[] = [];
  const worker = engine.openWorker(
    async () => ({ id: '1' }),
    { autorun: false },
    (refusal) => told.push(refusal?.message),
  );
  t.closing(worker, (running) => running.close());
  const since = performance.now();
  void worker.run();
  await waitFor(() => told.length >= 3, { what: 'three refusals' });
  expect(performance.now() - since).toBeGreaterThan(1_500);
  expect(told[0]).toMatch(/is out of memory; raise its maxmemory/);
  await client.config('SET', 'maxmemory', '0');
  await waitFor(() => told.at(-1) === undefined, { what: 'the row' });
});
