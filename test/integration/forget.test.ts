import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect } from '@jest/globals';
import type { History } from '../../src/lib/core/history.js';
import { identityKey } from '../../src/lib/core/identity.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { SentFields } from '../../src/lib/core/ledger.js';
import { withInput } from '../../src/lib/csv/with-input.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EngineSettings } from '../../src/lib/engine/open-engine.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import { enqueueFile } from '../../src/producers/enqueue-file.js';
import { type ForgetRowsOptions, forgetRows } from '../../src/producers/forget-rows.js';
import { forgetValue } from '../../src/producers/forget-value.js';
import { fileStatus } from '../../src/reports/file-status.js';
import { summarise } from '../../src/sandbox/effects.js';
import { enginesIn, openTestEngine, quietLog, testOn } from '../support/engines.js';
import { startWorker, type TestWorkerOptions } from '../support/fleet.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { storedText } from '../support/stored-text.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const LIMITS = { callsPerSecond: 0, maxInFlight: 100, permitTtlMs: 60_000 };
const QUICK = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0, latencyMs: [1, 5] as const };

describe.each(enginesIn({ long: ['embedded'] }))('forget on the %s engine', (kind) => {
  const t = setup();
  let folder = '';
  let engine: Engine;
  let settings: EngineSettings;
  let queue: EnrichQueue;
  /** In names and ids. */
  const run = 7;
  let calls = 0;

  beforeEach(async () => {
    folder = t.closing(await mkdtemp(join(tmpdir(), 'zia-forget-')), (path) => rm(path, { recursive: true }));
    ({ engine, settings } = t.closing(await openTestEngine(kind), (opened) => opened.close()));
    queue = t.closing(engine.openQueue(), (opened) => opened.close());
  }, 60_000);
  afterEach(() => t.close());

  const nameOf = (name: string, at: number) => `${name}${run} Firm ${at}`;
  const emailOf = (name: string, at: number) => `info@${name}${run}-${at}.example`;
  const rowOf = (name: string, at: number): SentFields => ({
    module: 'Accounts',
    name: nameOf(name, at),
    email: emailOf(name, at),
  });

  /** A file of so many rows, each with a name and an address that no other file has. */
  async function file(name: string, count: number): Promise<string> {
    const path = join(folder, `${name}${run}.csv`);
    const lines = Array.from({ length: count }, (_, at) => `${nameOf(name, at)},${emailOf(name, at)}`);
    await writeFile(path, `Company,Email\n${lines.join('\n')}\n`);
    return path;
  }

  const input = (path: string, mapFlags: readonly string[] = []) => ({ path, mapFlags, module: 'Accounts', engine });
  const enqueue = (path: string, mapFlags: readonly string[] = []) =>
    enqueueFile({ ...input(path, mapFlags), maxAttempts: 5, queue });
  const forget = (path: string, options: Partial<ForgetRowsOptions> = {}) =>
    withInput(input(path), (opened) => forgetRows({ ...opened, dryRun: false, ...options }));
  const status = (path: string) => withInput(input(path), fileStatus);
  /** Those of these texts that are anywhere in the store. */
  const valuesLeft = async (values: readonly string[]) => {
    const text = await storedText(settings);
    return values.filter((value) => text.includes(value));
  };
  const allValues = (name: string, count: number) =>
    Array.from({ length: count }, (_, at) => [nameOf(name, at), emailOf(name, at)]).flat();
  const work = (sandbox: { readonly url: string }, options: Partial<TestWorkerOptions> = {}) =>
    startWorker({ engine, sandbox, waitForResults: true, settings: { resultPollMs: 100 }, ...options });

  /** Claims a row, and settles it with its result, where wanted. */
  async function claim(sent: SentFields, id?: string, result?: object): Promise<[IdentityKey, string]> {
    const key = identityKey(sent);
    calls += 1;
    const callId = `test.${calls}`;
    await engine.store.admit({ key, callId, sent, limits: LIMITS, claimLostAfterMs: 60_000 });
    if (id !== undefined) await engine.store.settle(key, callId, `${run}00${id}` as EnrichmentId);
    if (result !== undefined) await engine.store.finish(key, 'COMPLETED', { ...result });
    return [key, callId];
  }

  testIn.short(
    'takes rows in every state but those that may be at Zoho unnoticed; they are new, and no value is left',
    async () => {
      const path = await file('mine', 10);
      await enqueue(path);
      const { store } = engine;
      const row = (at: number) => rowOf('mine', at);
      await claim(row(0), '0', { email: emailOf('mine', 0), ceo: `Head of ${nameOf('mine', 0)}` });
      await claim(row(1), '1');
      const [uncertain, call2] = await claim(row(2));
      await store.markUncertain(uncertain, call2, 'ECONNRESET');
      const [held, call3] = await claim(row(3));
      await store.markUncertain(held, call3, 'ECONNRESET');
      await store.hold(held, call3, 'AMBIGUOUS');
      const [cleared, call4] = await claim(row(4));
      await store.markUncertain(cleared, call4, 'ECONNRESET');
      await store.clear(cleared, call4);
      await claim(row(5));
      // Paid for without its email, and found by its name; its own job waits all the same.
      await claim({ module: 'Accounts', name: nameOf('mine', 6) }, '6', { town: `${nameOf('mine', 6)} City` });
      await store.addOrphans(
        [
          {
            id: `${run}007` as EnrichmentId,
            createdAtMs: 5,
            echo: { name: nameOf('mine', 7), email: emailOf('mine', 7) },
          },
        ],
        false,
      );
      const other = await file('other', 2);
      await enqueue(other);
      await claim(rowOf('other', 0), '9', { ceo: 'Somebody' });

      const found = await forget(path, { dryRun: true });
      expect(found).toEqual({ rows: 10, forgotten: 8, left: 3, kept: 0, orphans: 1 });
      expect(await valuesLeft([nameOf('mine', 0)])).toHaveLength(1);
      expect(await forget(path)).toEqual(found);

      const values = (at: number) => [nameOf('mine', at), emailOf('mine', at)];
      expect(await valuesLeft([0, 1, 4, 6, 7, 8, 9].flatMap(values))).toEqual([]);
      expect(await valuesLeft([2, 3, 5].map((at) => nameOf('mine', at)))).toHaveLength(3);
      expect(await status(path)).toMatchObject({ rows: 10, notEnqueued: 7, uncertain: 2, waiting: 1 });
      expect(await status(other)).toMatchObject({ enriched: 1, waiting: 1 });
      const ids = ['0', '1', '6', '7'].map((id) => `${run}00${id}` as EnrichmentId);
      expect([...(await store.owners(ids)).values()]).toEqual(['-', '-', '-', '-']);
      expect(await enqueue(path)).toMatchObject({ enqueued: 7, known: 3 });
      expect(await enqueue(other)).toMatchObject({ enqueued: 0, known: 2 });
      expect(await forget(path)).toMatchObject({ forgotten: 7, left: 3 });
    },
  );

  testOn(kind)(
    'meets a worker at work: what it sends meanwhile is forgotten by the next run, and no row is paid for twice',
    async () => {
      const sandbox = await openSandbox(t, QUICK);
      const mine = await file('work', 60);
      const other = await file('others', 30);
      await enqueue(mine);
      await enqueue(other);
      const worker = work(sandbox, {
        untilIdle: false,
        settings: { resultPollMs: 100, maxInFlight: 3, concurrency: 4 },
      });
      t.closing(worker, async ({ end, ended }) => {
        end();
        await ended;
      });
      await waitFor(async () => (await engine.store.counts()).scheduled > 10);
      let forgotten = 0;
      await waitFor(async () => {
        const report = await forget(mine);
        forgotten += report.forgotten;
        return report.left === 0;
      });
      expect(forgotten).toBe(60);
      expect(await valuesLeft(allValues('work', 60))).toEqual([]);
      await waitFor(async () => (await status(other)).enriched === 30);
      // A result that is asked for all the while finds no row.
      expect(await valuesLeft(allValues('work', 60))).toEqual([]);
      const { accepted, acceptedTwice } = summarise(sandbox.log());
      expect(acceptedTwice).toBe(0);
      expect(accepted).toBeLessThanOrEqual(90);

      expect(await enqueue(mine)).toMatchObject({ enqueued: 60, known: 0 });
      expect(await enqueue(other)).toMatchObject({ enqueued: 0, known: 30 });
      await waitFor(async () => (await status(mine)).enriched === 60);
      expect(summarise(sandbox.log()).accepted).toBe(accepted + 60);
    },
    60_000,
  );

  testOn(kind)(
    'leaves nothing that a look at Zoho’s list would bring back',
    async () => {
      const sandbox = await openSandbox(t, QUICK);
      const mine = await file('look', 12);
      await enqueue(mine);
      const other = await file('seen', 2);
      await enqueue(other);
      await work(sandbox).ended;
      await forget(mine);
      await engine.store
        .document<History>('history')
        .change((history) => (history === null ? undefined : { ...history, cleanEnd: false }));
      const looked: unknown[] = [];
      const log = { ...quietLog, info: (event: string, fields = {}) => void looked.push({ event, ...fields }) };
      const third = await file('third', 1);
      await enqueue(third);
      await work(sandbox, { log: { ...log, child: () => log }, waitForResults: false }).ended;
      expect(looked).toContainEqual(expect.objectContaining({ event: 'history.looked', orphans: 0 }));
      expect((await engine.store.counts()).orphans).toBe(0);
      expect(await status(third)).toMatchObject({ waiting: 0, notEnqueued: 0, failed: 0, uncertain: 0 });
      expect(await valuesLeft(allValues('look', 12))).toEqual([]);
      await enqueue(mine);
      await work(sandbox, { waitForResults: false }).ended;
      expect(summarise(sandbox.log()).accepted).toBe(12 + 2 + 1 + 12);
    },
    60_000,
  );

  testOn(kind)(
    'drops the result of a row that is forgotten while Zoho works on it',
    async () => {
      const sandbox = await openSandbox(t, { ...QUICK, completeAfterMs: 1_500 });
      const [mine, other] = [await file('slow', 3), await file('also', 1)];
      await enqueue(mine);
      await enqueue(other);
      await work(sandbox, { waitForResults: false }).ended;
      expect(await forget(mine)).toMatchObject({ forgotten: 3, left: 0 });
      await work(sandbox).ended;
      expect(await status(other)).toMatchObject({ enriched: 1 });
      expect(await status(mine)).toMatchObject({ notEnqueued: 3 });
      expect(await valuesLeft(allValues('slow', 3))).toEqual([]);
      expect((await engine.store.counts()).pending).toBe(0);
    },
    60_000,
  );

  testOn(kind)(
    'cut off half-way goes on where it was',
    async () => {
      const path = await file('many', 1_500);
      await enqueue(path);
      const left = async () => (await storedText(settings)).split('many7 Firm').length - 1;
      const cut = new AbortController();
      const onProgress = () => cut.abort();
      await expect(forget(path, { signal: cut.signal, onProgress })).rejects.toThrow();
      expect(await left()).toBeGreaterThan(0);
      expect(await left()).toBeLessThan(1_500);
      await forget(path);
      expect(await left()).toBe(0);
    },
    60_000,
  );

  testIn.short('--older-than takes rows that finished before', async () => {
    const path = await file('old', 4);
    await enqueue(path);
    await claim(rowOf('old', 0), '0', { ceo: 'A' });
    await claim(rowOf('old', 1), '1');
    await waitFor(async () => {
      const [entry] = (await engine.store.entries([identityKey(rowOf('old', 0))])).values();
      return (await engine.store.control.read()).nowMs > (entry?.finishedAtMs ?? 0) + 1;
    });
    expect(await forget(path, { olderThanMs: 60_000 })).toMatchObject({ forgotten: 0, kept: 4 });
    expect(await forget(path, { olderThanMs: 0 })).toMatchObject({ forgotten: 1, kept: 3, left: 0 });
    expect(await status(path)).toMatchObject({ notEnqueued: 1, submitted: 1, waiting: 2 });
  });

  testIn.short('--value finds rows by what was sent, by what waits, by what Zia found, and among orphans', async () => {
    const path = await file('value', 4);
    await enqueue(path);
    const wanted = `jo.doe@person${run}.example`;
    await claim({ ...rowOf('value', 0), email: wanted.toUpperCase() }, '0', { ceo: 'A' });
    await claim(rowOf('value', 1), '1', { contacts: [{ text: `Write to ${wanted}.` }] });
    await claim(rowOf('value', 2), '2', { contacts: [{ email: `x${wanted}` }] });
    await engine.store.addOrphans(
      [{ id: `${run}008` as EnrichmentId, createdAtMs: 5, echo: { name: `Orphan ${run}`, email: wanted } }],
      false,
    );
    const waiting = await file('waits', 1);
    await writeFile(waiting, `Company,Email\nPerson ${run},${wanted}\n`);
    await enqueue(waiting);
    const find = (dryRun: boolean) => forgetValue({ value: wanted, engine, queue, dryRun });
    expect(await find(true)).toEqual({ rows: 3, forgotten: 3, left: 0, kept: 0, orphans: 1 });
    expect(await find(false)).toEqual({ rows: 3, forgotten: 3, left: 0, kept: 0, orphans: 1 });
    const text = (await storedText(settings)).replaceAll(`x${wanted}`, '').toLowerCase();
    expect(text.includes(wanted)).toBe(false);
    expect(text.includes(`person ${run}`)).toBe(false);
    expect(await status(path)).toMatchObject({ enriched: 1 });
    expect(await find(false)).toMatchObject({ rows: 0, forgotten: 0 });
  });

  testIn.short('a worker that remembers a forgotten row does not bring it back', async () => {
    const { store } = engine;
    const sent = rowOf('memory', 0);
    const [key, callId] = await claim(sent, '0', { ceo: 'A' });
    const [entry] = (await store.entries([key])).values();
    await store.forget(new Map([[key, []]]), {});
    const before = { ...(entry ?? fail()), callId };
    expect([...(await store.importEntries(new Map([[key, before]]), new Map())).values()]).toEqual(['forgotten']);
    expect(await store.settle(key, callId, `${run}000` as EnrichmentId)).toMatchObject({ kind: 'conflict' });
    expect(await valuesLeft(allValues('memory', 1))).toEqual([]);
  });
});

function fail(): never {
  throw new Error('There is no entry.');
}
