import { afterEach, describe, expect, test } from '@jest/globals';
import { INITIAL_CONTROL, resumed, stopped } from '../../src/lib/core/control.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import { summarise } from '../../src/sandbox/effects.js';
import type { Fault } from '../../src/sandbox/options.js';
import { ENGINE_KINDS, ENGINES_IN_TURN, openTestEngine } from '../support/engines.js';
import { goodRows, queueRows, startWorker } from '../support/fleet.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

async function open(kind: (typeof ENGINE_KINDS)[number], options: Parameters<typeof openSandbox>[1] = {}) {
  const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const sandbox = await openSandbox(t, options);
  return { engine, queue, sandbox };
}

const status = async (engine: Engine) => ({ queue: await engine.counts(), ledger: await engine.store.counts() });

async function failedReasons(queue: EnrichQueue): Promise<string[]> {
  return (await queue.getFailed()).map(({ failedReason }) => failedReason.split(':', 1)[0] ?? '').sort();
}

const answerWith = (statusCode: number, body: unknown, times?: number): Fault => ({
  kind: 'status',
  on: 'post',
  share: 1,
  status: statusCode,
  body,
  ...(times === undefined ? {} : { times }),
});

describe.each(ENGINE_KINDS)('on the %s engine, a worker', (kind) => {
  testIn.short('submits every row once with one token, and ends when nothing is left', async () => {
    const { engine, queue, sandbox } = await open(kind, { latencyMs: [1, 20] });
    await queueRows(queue, goodRows(60));
    const report = await startWorker({ engine, sandbox }).ended;
    expect(report).toMatchObject({ ended: 'idle', submitted: 60, failed: 0, stop: null });
    expect(summarise(sandbox.log())).toMatchObject({ posts: 60, accepted: 60, acceptedTwice: 0, tokensIssued: 1 });
    expect(await status(engine)).toMatchObject({
      queue: { completed: 60, waiting: 0 },
      ledger: { scheduled: 60, sending: 0 },
    });
  });

  testIn.short('whose loop breaks ends with an error, so that it is started again', async () => {
    const { engine, sandbox } = await open(kind);
    const broken: Engine = {
      ...engine,
      openWorker: (...words) => {
        const worker = engine.openWorker(...words);
        worker.run = async () => {
          throw new Error('the loop broke');
        };
        return worker;
      },
    };
    await expect(startWorker({ engine: broken, sandbox, untilIdle: false }).ended).rejects.toMatchObject({
      code: 'WORKER_CRASHED',
      exitCode: 1,
      message: expect.stringContaining('the loop broke'),
    });
    expect(await engine.store.fleetStats()).toMatchObject({ workers: 0 });
  });

  testIn.short('stops at LIMIT_EXCEEDED with the row untouched, and a resume starts with a single row', async () => {
    const { engine, queue, sandbox } = await open(kind, { quota: 12, latencyMs: [1, 10] });
    await queueRows(queue, goodRows(40));
    const report = await startWorker({ engine, sandbox }).ended;
    expect(report).toMatchObject({ ended: 'stopped', failed: 0, stop: { code: 'LIMIT_EXCEEDED' } });
    const spent = summarise(sandbox.log());
    expect(spent.accepted).toBe(12);
    expect(spent.limitExceeded).toBeLessThanOrEqual(10);
    expect((await engine.counts()).waiting).toBe(28);

    const resume = () => engine.store.control.change((control) => resumed(control ?? INITIAL_CONTROL));
    await resume();
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({ ended: 'stopped', submitted: 0 });
    expect(summarise(sandbox.log()).posts).toBe(spent.posts + 1);

    sandbox.configure({ quota: null });
    await resume();
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({ ended: 'idle', submitted: 28 });
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 40, acceptedTwice: 0 });
  });
});

// What follows does not know the engine.
describe.each(ENGINES_IN_TURN)('on the %s engine, a worker', (kind) => {
  test.each([1, 2])(
    'holds more rows than permits without asking for them over and over: %i workers',
    async (workers) => {
      const { engine, queue, sandbox } = await open(kind, { latencyMs: [40, 60] });
      await queueRows(queue, goodRows(30));
      let asked = 0;
      const admit: Engine['store']['admit'] = (request) => {
        asked += 1;
        return engine.store.admit(request);
      };
      const counted = { ...engine, store: { ...engine.store, admit } };
      const settings = { maxInFlight: 2, concurrency: 8 };
      const reports = Array.from({ length: workers }, () => startWorker({ engine: counted, sandbox, settings }).ended);
      await Promise.all(reports);
      expect(summarise(sandbox.log())).toMatchObject({ accepted: 30, acceptedTwice: 0, maxInFlight: 2 });
      // Another process's permits are asked for every 25 ms; one's own never in vain, but for a few at the start.
      expect(asked).toBeLessThan(workers === 1 ? 60 : 300);
    },
  );

  test('sends nothing while paused and goes on by itself after a resume', async () => {
    const { engine, queue, sandbox } = await open(kind);
    await engine.store.control.change((control, nowMs) =>
      stopped(control ?? INITIAL_CONTROL, {
        code: 'PAUSED',
        message: 'by a person',
        sinceMs: nowMs,
        key: null,
        line: null,
      }),
    );
    await queueRows(queue, goodRows(5));
    const worker = startWorker({ engine, sandbox, untilIdle: false });
    await waitFor(async () => (await engine.store.heartbeat('test', [], 1_000)).workers.length > 1, {
      what: 'the worker',
    });
    await engine.store.control.change((control) => resumed(control ?? INITIAL_CONTROL));
    await waitFor(async () => (await engine.counts()).completed === 5, { what: 'all rows' });
    worker.end();
    expect(await worker.ended).toMatchObject({ ended: 'signal' });
    expect(summarise(sandbox.log()).posts).toBe(5);
  });

  test('goes on without a field that Zoho refuses, and fails a row whose only field it refuses', async () => {
    const { engine, queue, sandbox } = await open(kind);
    // Zoho calls letters English where this program is more generous: the stand-in refuses by rule here.
    const refusal = (field: string) => ({
      __zia_org_enrichment: [
        {
          code: 'INVALID_DATA',
          details: {
            expected_data_type: 'text',
            api_name: field,
            json_path: `$.__zia_org_enrichment[0].enrich_based_on.${field}`,
          },
          message: 'invalid data',
          status: 'error',
        },
      ],
    });
    sandbox.configure({ faults: [{ ...answerWith(400, refusal('name'), 2), match: 'Odd' }] });
    const [salvaged] = await queueRows(queue, [
      { module: 'Accounts', name: 'Odd One', website: 'odd.example' },
      { module: 'Accounts', name: 'Odd Two' },
    ]);
    expect(await startWorker({ engine, sandbox, settings: { concurrency: 1 } }).ended).toMatchObject({
      submitted: 1,
      failed: 1,
    });
    expect(sandbox.enrichments().map(({ sent }) => sent)).toEqual([{ module: 'Accounts', website: 'odd.example' }]);
    expect(await failedReasons(queue)).toEqual(['INVALID_DATA']);
    if (salvaged === undefined) throw new Error('no key');
    expect((await engine.store.entries([salvaged])).get(salvaged)?.notes?.join()).toContain('name');
  });

  test('refreshes a refused token once and sends the rows again', async () => {
    const { engine, queue, sandbox } = await open(kind, { latencyMs: 5 });
    sandbox.configure({
      faults: [answerWith(401, { code: 'INVALID_TOKEN', details: {}, message: '', status: 'error' }, 3)],
    });
    await queueRows(queue, goodRows(20));
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({ ended: 'idle', submitted: 20, failed: 0 });
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 20, acceptedTwice: 0, tokensIssued: 2 });
  });

  test('names wrong credentials as the reason of a stop', async () => {
    const { engine, queue, sandbox } = await open(kind);
    await queueRows(queue, goodRows(3));
    const report = await startWorker({ engine, sandbox, refreshToken: 'wrong' }).ended;
    expect(report).toMatchObject({ ended: 'stopped', failed: 0, stop: { code: 'invalid_code' } });
    expect(summarise(sandbox.log()).posts).toBe(0);
    expect((await engine.counts()).waiting).toBe(3);
  });

  test('slows the fleet down when throttled, and no row fails', async () => {
    const { engine, queue, sandbox } = await open(kind, { latencyMs: [1, 10] });
    sandbox.configure({ faults: [{ kind: '429', on: 'post', share: 0.5, times: 15 }] });
    await queueRows(queue, goodRows(30));
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({ ended: 'idle', submitted: 30, failed: 0 });
    expect(summarise(sandbox.log())).toMatchObject({ accepted: 30, acceptedTwice: 0 });
  });

  test.each<Fault['kind']>([
    'cut-after',
    'cut-before',
    'never-answer-after',
    'never-answer-before',
    'accepted-500',
    'http-500',
    'accepted-garbage',
  ])(
    'looks a row up before it sends it again when the answer was lost: %s',
    async (fault) => {
      const { engine, queue, sandbox } = await open(kind);
      // A known enrichment first: without one nothing proves that a look-up works.
      await queueRows(queue, goodRows(3, 'Known'));
      await startWorker({ engine, sandbox }).ended;
      sandbox.configure({ faults: [{ kind: fault, on: 'post', share: 1, times: 1 }] });
      await queueRows(queue, goodRows(4));
      const report = await startWorker({ engine, sandbox }).ended;
      expect(report).toMatchObject({ ended: 'idle', submitted: 4, failed: 0, held: 0, uncertain: 0 });
      expect(summarise(sandbox.log())).toMatchObject({ accepted: 7, acceptedTwice: 0 });
      expect(await status(engine)).toMatchObject({ queue: { completed: 7, failed: 0 }, ledger: { scheduled: 7 } });
    },
    60_000,
  );

  test('does not send a row again that Zoho accepts after its time-out, within four time-outs', async () => {
    const { engine, queue, sandbox } = await open(kind);
    await queueRows(queue, goodRows(3, 'Known'));
    const timing = { lateAcceptMs: 10_000 };
    await startWorker({ engine, sandbox, timing }).ended;
    // Long after the two looks that find nothing.
    sandbox.configure({ faults: [{ kind: 'accepted-late', on: 'post', share: 1, times: 2, delayMs: 4_000 }] });
    await queueRows(queue, goodRows(6));
    expect(await startWorker({ engine, sandbox, timing }).ended).toMatchObject({
      ended: 'idle',
      submitted: 6,
      held: 0,
    });
    expect(summarise(sandbox.log())).toMatchObject({ posts: 9, accepted: 9, acceptedTwice: 0 });
  }, 60_000);

  test('holds an uncertain row that it may not look up, and says why', async () => {
    const { engine, queue, sandbox } = await open(kind, { scopes: ['ZohoCRM.settings.intelligence.CREATE'] });
    sandbox.configure({ faults: [{ kind: 'cut-before', on: 'post', share: 1, times: 1 }] });
    const [key] = await queueRows(queue, goodRows(1));
    expect(await startWorker({ engine, sandbox }).ended).toMatchObject({ ended: 'idle', submitted: 0, held: 1 });
    const held = await engine.store.uncertain({ held: true, limit: 10 });
    expect([...held].map(([heldKey, { state, reason }]) => [heldKey, state, reason])).toEqual([
      [key, 'held', 'LOOKUP_OAUTH_SCOPE_MISMATCH'],
    ]);
    expect(await failedReasons(queue)).toEqual(['UNCERTAIN_HELD']);
  }, 60_000);
});
