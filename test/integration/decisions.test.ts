import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { liftStop } from '../../src/lib/store/lift-stop.js';
import { summarise } from '../../src/sandbox/effects.js';
import type { StartOptions } from '../../src/sandbox/server.js';
import { openTestEngine, quietLog, testRedisUrl } from '../support/engines.js';
import { goodRows, queueRows, startWorker } from '../support/fleet.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

/** What a person decides holds: fields to go without, a stop, a module to correct. */
const t = setup();
afterEach(() => t.close());

async function open(options: StartOptions = {}) {
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  return { engine, queue, sandbox: await openSandbox(t, options) };
}

const lift = (engine: Engine, choice: { without?: readonly 'email'[]; with?: readonly 'email'[] }) =>
  liftStop(engine.store.control, undefined, { without: [], with: [], ...choice });

describe('rows of a field that Zoho does not map', () => {
  test('go without it after `resume --without`, once each and under their own key, until `--with`', async () => {
    const { engine, queue, sandbox } = await open({ unmapped: ['email'] });
    const keys = await queueRows(queue, [...goodRows(12), { module: 'Accounts', email: 'only@acme.example' }]);
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({
      ended: 'stopped',
      stop: { code: 'NOT_ALLOWED', message: expect.stringContaining('resume --without email') },
    });

    await lift(engine, { without: ['email'] });
    const report = await startWorker({ engine, sandbox }).ended;
    expect(report).toMatchObject({ ended: 'idle', submitted: 12, failed: 1 });
    expect(sandbox.enrichments().every(({ sent }) => sent.email === undefined)).toBe(true);
    const entries = await engine.store.entries(keys);
    expect(entries.size).toBe(12);
    expect([...entries.values()].every(({ notes }) => notes?.join().includes('email left out'))).toBe(true);
    const [failed] = await queue.getFailed();
    expect(failed?.failedReason).toMatch(/^NO_USABLE_FIELD: .*resume --with email/);

    sandbox.configure({ unmapped: [] });
    await lift(engine, { with: ['email'] });
    await failed?.retry('failed', { resetAttemptsMade: true });
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({ ended: 'idle', submitted: 1 });
    expect(sandbox.enrichments().at(-1)?.sent.email).toBe('only@acme.example');
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 13, acceptedTwice: 0 });
  }, 60_000);

  test('go without it at workers that already run, from the first row after the choice on', async () => {
    const { engine, queue, sandbox } = await open({ latencyMs: [20, 40] });
    await queueRows(queue, goodRows(150));
    const settings = { ratePerSecond: 40 };
    const workers = [1, 2].map(() => startWorker({ engine, sandbox, settings }));
    await waitFor(() => sandbox.enrichments().length > 20, { what: 'the first rows' });
    await lift(engine, { without: ['email'] });
    const chosenAt = sandbox.log().length;
    await Promise.all(workers.map(({ ended }) => ended));
    const later = sandbox
      .log()
      .slice(chosenAt)
      .filter(({ kind }) => kind === 'post');
    // Those that had left, or had been admitted, before the choice.
    expect(later.filter(({ sent }) => sent?.email !== undefined).length).toBeLessThanOrEqual(10);
    expect(later.length).toBeGreaterThan(50);
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 150, acceptedTwice: 0 });
  }, 60_000);
});

test('ten record ids that Zoho does not know stop the fleet, and no further row fails', async () => {
  const { engine, queue, sandbox } = await open();
  const body = {
    data: [{ status: 'error', code: 'INVALID_DATA', message: 'x', details: { param_name: 'record_id' } }],
  };
  sandbox.configure({ faults: [{ kind: 'status', on: 'post', share: 1, status: 400, body }] });
  await queueRows(
    queue,
    goodRows(40).map((row, at) => ({ ...row, recordId: `12345678901234${String(at).padStart(3, '0')}` })),
  );
  const settings = { maxInFlight: 1, concurrency: 1 };
  expect(await startWorker({ engine, sandbox, settings }).ended).toMatchObject({
    ended: 'stopped',
    failed: 10,
    stop: { code: 'RECORD_IDS_REFUSED' },
  });
  expect(await engine.counts()).toMatchObject({ waiting: 30 });
}, 60_000);

test('a stop that the store has lost is put back by the workers that know of it', async () => {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const settings = { redisUrl: testRedisUrl(), dataDir: '/nowhere', prefix, queueName: 'zia-enrich' };
  const engine = t.closing(await openEngine(settings, quietLog), (opened) => opened.close());
  const client = t.closing(new Redis(testRedisUrl()), async (opened) => {
    await opened.unlink(...(await opened.keys(`{${prefix}}:*`)));
    opened.disconnect();
  });
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const sandbox = await openSandbox(t);
  const quota = { code: 'LIMIT_EXCEEDED', message: 'spent', sinceMs: 1, key: null, line: null };
  await engine.store.control.change((control) => stopped(control ?? INITIAL_CONTROL, quota));
  await queueRows(queue, goodRows(20));
  let stoppedSeen = false;
  const worker = startWorker({
    engine,
    sandbox,
    untilIdle: false,
    onReadiness: (readiness) => {
      const timer = setInterval(() => {
        const now = readiness();
        stoppedSeen ||= !now.ready && now.reasons.some(({ code }) => code === 'STOPPED');
      }, 20);
      t.closing(timer, clearInterval);
    },
  });
  t.closing(worker, async () => {
    worker.end();
    await worker.ended;
  });
  await waitFor(() => stoppedSeen, { what: 'the worker to know of the stop' });
  await client.del(`{${prefix}}:store:document:control`);
  await waitFor(async () => (await engine.store.control.read()).value?.mode === 'stopped', {
    what: 'the stop to be back',
  });
  expect((await engine.store.control.read()).value?.stop).toEqual(quota);
  expect(summarise(sandbox.log())).toMatchObject({ posts: 0 });
}, 30_000);

test('a worker whose refresh token Zoho refuses ends alone, and a difference of limits is told', async () => {
  const { engine, queue, sandbox } = await open();
  await queueRows(queue, goodRows(120));
  const good = startWorker({ engine, sandbox, settings: { ratePerSecond: 30 } });
  await waitFor(() => sandbox.enrichments().length >= 5, { what: 'the first rows' });
  const told: string[] = [];
  const log = { ...quietLog, warn: (event: string) => told.push(event) };
  const bad = startWorker({ engine, sandbox, refreshToken: 'wrong', settings: { ratePerSecond: 300 }, log });
  await expect(bad.ended).rejects.toMatchObject({ code: 'CREDENTIALS_REFUSED', exitCode: 2 });
  expect(told).toContain('settings.differ');
  expect(await good.ended).toMatchObject({ ended: 'idle', failed: 0, held: 0 });
  expect((await engine.store.control.read()).value?.epoch ?? 0).toBe(0);
  expect(summarise(sandbox.log())).toMatchObject({ accepted: 120, acceptedTwice: 0, tokensIssued: 1 });
}, 60_000);

test('more than ten rows that wait for their slot cause no warning of Node', async () => {
  const { engine, queue, sandbox } = await open();
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  t.closing(note, (listener) => process.off('warning', listener));
  await queueRows(queue, goodRows(40));
  const settings = { ratePerSecond: 20, maxInFlight: 30, concurrency: 30 };
  expect(await startWorker({ engine, sandbox, settings }).ended).toMatchObject({ ended: 'idle', submitted: 40 });
  expect(warnings.map(({ message }) => message)).toEqual([]);
}, 30_000);
