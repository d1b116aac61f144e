import { afterEach, describe, expect, test } from '@jest/globals';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import { compactResult } from '../../src/lib/core/results.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { summarise } from '../../src/sandbox/effects.js';
import { enrichedDataOf, finalStatusOf } from '../../src/sandbox/enriched-data.js';
import type { Sandbox } from '../../src/sandbox/server.js';
import { ENGINE_KINDS, openTestEngine } from '../support/engines.js';
import { goodRows, queueRows, startWorker, type TestWorkerOptions } from '../support/fleet.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

async function open(kind: (typeof ENGINE_KINDS)[number], options: Parameters<typeof openSandbox>[1] = {}) {
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

describe.each(ENGINE_KINDS)('on the %s engine, a worker that waits for results', (kind) => {
  test('keeps what became of every row, at no more than 1.1 calls a row', async () => {
    const { engine, queue, sandbox } = await open(kind, MIXED);
    const keys = await queueRows(queue, goodRows(1_000));
    const report = await collectAll({ engine, sandbox }).ended;
    expect(report).toMatchObject({ ended: 'idle', submitted: 1_000, finished: 1_000, pending: 0 });
    const { ours, theirs } = await bothRecords(engine, sandbox, keys);
    expect(ours).toEqual(theirs);
    expect(ours.filter(({ data }) => JSON.stringify(data).includes('data:image'))).toEqual([]);
    const completed = theirs.filter(({ status }) => status === 'COMPLETED').length;
    expect(summarise(sandbox.log()).gets).toBe(completed);
    expect(readsOf(sandbox) / keys.length).toBeLessThanOrEqual(1.1);
    console.log(kind, summarise(sandbox.log()));
  }, 60_000);
});
