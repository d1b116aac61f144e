import { afterEach, describe, expect, test } from '@jest/globals';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import { compactResult } from '../../src/lib/core/results.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { retryRows } from '../../src/producers/retry-rows.js';
import { entryOutcomes } from '../../src/reports/chunk-outcomes.js';
import { summarise } from '../../src/sandbox/effects.js';
import { enrichedDataOf, finalStatusOf } from '../../src/sandbox/enriched-data.js';
import type { Sandbox } from '../../src/sandbox/server.js';
import { ENGINES_IN_TURN, type EngineKind, openTestEngine } from '../support/engines.js';
import { goodRows, queueRows, startWorker, type TestWorkerOptions } from '../support/fleet.js';
import { mostInASecond, watchLateness } from '../support/lateness.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

async function open(kind: EngineKind, options: Parameters<typeof openSandbox>[1] = {}) {
  const { engine, settings } = t.closing(await openTestEngine(kind), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const sandbox = await openSandbox(t, options);
  return { engine, settings, queue, sandbox };
}

function collectAll(options: TestWorkerOptions, settings: TestWorkerOptions['settings'] = {}) {
  return startWorker({ waitForResults: true, ...options, settings: { resultPollMs: 200, ...settings } });
}

/** What the store says of every row, and what the sandbox says. */
async function bothRecords(engine: Engine, sandbox: Sandbox, keys: readonly IdentityKey[]) {
  const [entries, results] = [await engine.store.entries(keys), await engine.store.results(keys)];
  const ours = [...entries].map(([key, { enrichmentId, finalStatus }]) => ({
    id: String(enrichmentId),
    status: finalStatus,
    data: results.get(key) ?? null,
  }));
  const theirs = sandbox.enrichments().map(({ id, sent }) => {
    const status = finalStatusOf(sent, sandbox.options);
    const data = status === 'COMPLETED' ? compactResult(enrichedDataOf(sent), { keepLarge: false }) : null;
    return { id, status, data };
  });
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  return { ours: ours.sort(byId), theirs: theirs.sort(byId) };
}

const readsOf = (sandbox: Sandbox) => {
  const { lists, gets } = summarise(sandbox.log());
  return lists + gets;
};

const MIXED = { notFoundShare: 0.2, failedShare: 0.1, completeAfterMs: 700, latencyMs: [1, 8] } as const;

/** Several pages of Zoho's list. */
const ROWS = 250;

describe.each(ENGINES_IN_TURN)('on the %s engine, a worker that waits for results', (kind) => {
  test('keeps what became of every row, at no more than 1.1 calls a row', async () => {
    const { engine, queue, sandbox } = await open(kind, MIXED);
    const keys = await queueRows(queue, goodRows(ROWS));
    const report = await collectAll({ engine, sandbox }, { requestTimeoutMs: 5_000 }).ended;
    expect(report).toMatchObject({ ended: 'idle', submitted: ROWS, finished: ROWS, pending: 0 });
    const { ours, theirs } = await bothRecords(engine, sandbox, keys);
    expect(ours).toEqual(theirs);
    expect(ours.filter(({ data }) => JSON.stringify(data).includes('data:image'))).toEqual([]);
    const completed = theirs.filter(({ status }) => status === 'COMPLETED').length;
    expect(summarise(sandbox.log()).gets).toBe(completed);
    expect(readsOf(sandbox) / keys.length).toBeLessThanOrEqual(1.1);
  }, 180_000);

  test('ends a row whose data is too large to read, or of no use, with a note that says so', async () => {
    const { engine, queue, sandbox } = await open(kind, { ...MIXED, notFoundShare: 0, failedShare: 0 });
    const keys = await queueRows(queue, goodRows(2));
    const get = { kind: 'status', on: 'get', share: 1, status: 200, times: 1 } as const;
    const useless = { __zia_org_enrichment: [{ id: '1', status: 'COMPLETED', enriched_data: {} }] };
    sandbox.configure({
      faults: [
        { ...get, body: { pad: 'x'.repeat(10_000_001) } },
        { ...get, body: useless },
      ],
    });
    const report = await collectAll({ engine, sandbox }, { requestTimeoutMs: 5_000, maxInFlight: 1 }).ended;
    expect(report).toMatchObject({ ended: 'idle', finished: 2, pending: 0 });
    const outcomes = await entryOutcomes(await engine.store.entries(keys), engine);
    const note = expect.stringContaining('gave no data that can be kept');
    expect([...outcomes.values()]).toMatchObject([
      { status: 'enriched', notes: [note] },
      { status: 'enriched', notes: [note] },
    ]);
  }, 60_000);

  test('keeps waiting while rows are RUNNING or in a status that nobody documents', async () => {
    const { engine, queue, sandbox } = await open(kind, MIXED);
    const keys = await queueRows(queue, goodRows(30));
    await startWorker({ engine, sandbox }).ended;
    expect((await engine.store.counts()).pending).toBe(30);
    const odd = ['RUNNING', 'UPDATED', 'ARCHIVED_IN_2031', null];
    const items = sandbox.enrichments().map(({ id, createdAtMs }, at) => {
      return { id, status: odd[at % odd.length], created_time: new Date(createdAtMs).toISOString() };
    });
    const body = { __zia_org_enrichment: items.reverse(), info: { more_records: false } };
    sandbox.configure({ faults: [{ kind: 'status', on: 'list', share: 1, status: 200, body, times: 2 }] });
    expect(await collectAll({ engine, sandbox }).ended).toMatchObject({ finished: 30, pending: 0 });
    const { ours, theirs } = await bothRecords(engine, sandbox, keys);
    expect(ours).toEqual(theirs);
    const { lists, gets } = summarise(sandbox.log());
    expect(gets).toBe(theirs.filter(({ status }) => status === 'COMPLETED').length);
    expect(lists).toBe(3);
  }, 180_000);

  test('goes on after faults of every kind, and one enrichment that cannot be read holds up no other', async () => {
    const { engine, queue, sandbox } = await open(kind, { ...MIXED, notFoundShare: 0, failedShare: 0 });
    const keys = await queueRows(queue, goodRows(60));
    await startWorker({ engine, sandbox }).ended;
    sandbox.configure({
      faults: [
        { kind: 'status', on: 'get', share: 1, status: 200, body: { __zia_org_enrichment: 'surprise' }, times: 1 },
        { kind: 'status', on: 'get', share: 1, status: 204, body: undefined, times: 1 },
        { kind: 'http-500', on: 'get', share: 0.2, times: 1 },
        { kind: 'status', on: 'list', share: 1, status: 200, body: ['surprise'], times: 1 },
      ],
    });
    expect(await collectAll({ engine, sandbox }).ended).toMatchObject({ finished: 60, pending: 0 });
    const { ours, theirs } = await bothRecords(engine, sandbox, keys);
    expect(ours).toEqual(theirs);
  }, 180_000);

  test('gives rows up that are too old, and asks nothing once no row is left', async () => {
    const { engine, queue, sandbox } = await open(kind, { completeAfterMs: 3_600_000 });
    const [key] = await queueRows(queue, goodRows(5));
    const settings = { resultMaxAgeHours: 1 / 3_600 };
    expect(await collectAll({ engine, sandbox }, settings).ended).toMatchObject({ finished: 5, pending: 0 });
    if (key === undefined) throw new Error('no key');
    expect((await engine.store.entries([key])).get(key)).toMatchObject({
      state: 'scheduled',
      finalStatus: 'UNFINISHED',
    });
    const before = readsOf(sandbox);
    await queueRows(queue, []);
    const worker = collectAll({ engine, sandbox, untilIdle: false });
    const { nowMs } = await engine.store.control.read();
    await waitFor(async () => (await engine.store.control.read()).nowMs > nowMs + 2_500, { what: 'two looks' });
    worker.end();
    await worker.ended;
    // A worker that joins an embedded database looks once.
    expect(readsOf(sandbox)).toBe(before + (kind === 'embedded' ? 1 : 0));
  }, 180_000);

  test('ends at once when the account may not read results', async () => {
    const { engine, queue, sandbox } = await open(kind, { scopes: ['ZohoCRM.settings.intelligence.CREATE'] });
    await queueRows(queue, goodRows(5));
    expect(await collectAll({ engine, sandbox }).ended).toMatchObject({ ended: 'idle', submitted: 5, pending: 5 });
    expect(readsOf(sandbox)).toBe(1);
  }, 180_000);
});

// The embedded engine has nothing to add to these: what they are about is the order of the calls.
describe('on the redis engine, a worker that waits for results', () => {
  testIn.long(
    'asks by id for rows that the list does not show',
    async () => {
      const { engine, queue, sandbox } = await open('redis', MIXED);
      const body = { __zia_org_enrichment: [], info: { more_records: false } };
      sandbox.configure({ faults: [{ kind: 'status', on: 'list', share: 1, status: 200, body }] });
      const keys = await queueRows(queue, goodRows(150));
      expect(await collectAll({ engine, sandbox }).ended).toMatchObject({ finished: 150, pending: 0 });
      const { ours, theirs } = await bothRecords(engine, sandbox, keys);
      expect(ours).toEqual(theirs);
    },
    180_000,
  );

  testIn.long(
    'goes on where the leader before stopped, and asks for nothing twice',
    async () => {
      const { engine, queue, sandbox } = await open('redis', { ...MIXED, completeAfterMs: 0, latencyMs: 10 });
      const keys = await queueRows(queue, goodRows(240));
      await startWorker({ engine, sandbox }).ended;
      for (const left of [180, 120, 60]) {
        const worker = collectAll({ engine, sandbox }, { ratePerSecond: 120 });
        await waitFor(async () => (await engine.store.counts()).pending <= left, {
          what: 'results',
        });
        worker.end();
        await worker.ended;
        await engine.store.document<{ leader: unknown }>('sweep').change((state) => ({ ...state, leader: null }));
      }
      expect(await collectAll({ engine, sandbox }).ended).toMatchObject({ pending: 0 });
      const { ours, theirs } = await bothRecords(engine, sandbox, keys);
      expect(ours).toEqual(theirs);
      expect(summarise(sandbox.log()).gets).toBe(theirs.filter(({ status }) => status === 'COMPLETED').length);
      expect(readsOf(sandbox) / keys.length).toBeLessThanOrEqual(1.1);
    },
    180_000,
  );

  testIn.long(
    'lets submissions go first, within the same limits',
    async () => {
      const { engine, queue, sandbox } = await open('redis', { completeAfterMs: 0, latencyMs: [1, 4] });
      await queueRows(queue, goodRows(250));
      const lateness = watchLateness();
      await collectAll({ engine, sandbox }, { ratePerSecond: 100, resultPollMs: 100 }).ended;
      const calls = sandbox.log().filter(({ kind: call }) => call !== 'token');
      const lastPost = calls.findLastIndex(({ kind: call }) => call === 'post');
      const readsMeanwhile = calls.slice(0, lastPost).filter(({ kind: call }) => call !== 'post').length;
      expect(readsMeanwhile).toBeGreaterThan(0);
      expect(readsMeanwhile / lastPost).toBeLessThan(0.3);
      expect(summarise(calls).maxCallsInAnySecond).toBeLessThanOrEqual(mostInASecond(100, lateness()));
    },
    180_000,
  );
});

testIn.short('a row that Zoho failed and that was paid for again does not take its earlier end', async () => {
  const { engine, queue, sandbox } = await open('redis', { failedShare: 1, notFoundShare: 0, completeAfterMs: 0 });
  const [key = fail()] = await queueRows(queue, goodRows(1));
  await collectAll({ engine, sandbox }).ended;
  expect((await engine.store.entries([key])).get(key)?.finalStatus).toBe('FAILED');
  sandbox.configure({ failedShare: 0 });
  await retryRows({ engine, queue, uncertain: false, paid: { maxAttempts: 5 } });
  await collectAll({ engine, sandbox }).ended;
  expect((await engine.store.entries([key])).get(key)?.finalStatus).toBe('COMPLETED');
});

function fail(): never {
  throw new Error('No row was queued.');
}
