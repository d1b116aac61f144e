import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Hono } from 'hono';
import type { Answer } from '../../src/lib/core/answer.js';
import type { CollectorState } from '../../src/lib/core/collecting.js';
import { INITIAL_CONTROL } from '../../src/lib/core/control.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { createCallMetrics } from '../../src/lib/metrics/call-metrics.js';
import { createMonitoring, type NotReady } from '../../src/lib/metrics/monitoring.js';
import { serveMonitoring } from '../../src/lib/metrics/serve-monitoring.js';
import type { Document, Store } from '../../src/lib/store/store.js';
import type { AccountReads } from '../../src/lib/zoho/account-reads.js';
import type { RememberedAllowance } from '../../src/lib/zoho/allowance.js';
import type { ZohoClient } from '../../src/lib/zoho/client.js';
import { keepAllowance } from '../../src/workers/keep-allowance.js';
import { withScene } from '../support/cli-scene.js';
import { ENGINES_IN_TURN, quietLog, testPlace, testRedisUrl } from '../support/engines.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { answering, openWorkScene, refusal, type WorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { openTcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

async function textOf(app: Hono): Promise<string> {
  const answer = await app.request('/metrics');
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return answer.text();
}

/** The value of a sample by its name and labels as they stand in the text; undefined when it is absent. */
function sample(text: string, series: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function readiness(app: Hono): Promise<{ status: number; body: unknown }> {
  const answer = await app.request('/readyz');
  return { status: answer.status, body: await answer.json() };
}

const monitoringOf = ({ engine, queue }: WorkScene) => createMonitoring({ engine, queue });

describe.each(ENGINES_IN_TURN)('what the store and BullMQ say, on the %s engine', (kind) => {
  test('rows accepted and failed are counted, under BullMQ’s own names too', async () => {
    const scene = await openWorkScene(t, kind);
    const [bad, ...good] = goodRows(4);
    await queueRows(scene.queue, good);
    await scene.workOff();
    scene.sandbox.configure({ faults: [answering(400, refusal('INVALID_DATA', { api_name: 'record_id' }))] });
    await queueRows(scene.queue, bad === undefined ? [] : [bad]);
    await scene.workOff();
    const text = await textOf(monitoringOf(scene));
    expect(sample(text, 'zia_ledger_rows{state="scheduled"}')).toBe(3);
    expect(sample(text, 'zia_ledger_rows{state="held"}')).toBe(0);
    expect(sample(text, 'zia_results_pending')).toBe(3);
    expect(sample(text, 'zia_results_failed')).toBe(0);
    expect(sample(text, 'zia_collector_lag_seconds')).toBeGreaterThan(0);
    expect(sample(text, 'zia_fleet_mode{mode="running"}')).toBe(1);
    expect(sample(text, 'zia_engine_up')).toBe(1);
    expect(sample(text, 'bullmq_job_count{queue="zia-enrich", state="completed"}')).toBe(3);
    expect(sample(text, 'bullmq_job_completed_total{queue="zia-enrich"}')).toBe(3);
    expect(sample(text, 'bullmq_job_failed_total{queue="zia-enrich"}')).toBe(1);
  });

  test('workers alive and their calls are told by everybody, also when none is left', async () => {
    const scene = await openWorkScene(t, kind, { latencyMs: 1_000 });
    const app = monitoringOf(scene);
    expect(sample(await textOf(app), 'zia_workers')).toBe(0);
    const worker = scene.work({ settings: { requestTimeoutMs: 5_000 } });
    await queueRows(scene.queue, goodRows(1));
    await waitFor(async () => sample(await textOf(app), 'zia_fleet_calls_in_flight') === 1, { what: 'a call' });
    expect(sample(await textOf(app), 'zia_workers')).toBe(1);
    worker.end();
    await worker.ended;
    const text = await textOf(app);
    expect(sample(text, 'zia_workers')).toBe(0);
    expect(sample(text, 'zia_fleet_calls_in_flight')).toBe(0);
  });

  test('a stop is a mode with a time and a code, and makes the process not ready, with the reason', async () => {
    const scene = await openWorkScene(t, kind);
    const app = monitoringOf(scene);
    expect(await readiness(app)).toEqual({ status: 200, body: { ready: true, reasons: [] } });
    scene.sandbox.configure({ quota: 0 });
    await queueRows(scene.queue, goodRows(1));
    await scene.workOff();
    expect(await readiness(app)).toEqual({
      status: 503,
      body: { ready: false, reasons: [{ code: 'STOPPED', message: expect.stringMatching(/^LIMIT_EXCEEDED: ./) }] },
    });
    const text = await textOf(app);
    expect(sample(text, 'zia_fleet_mode{mode="stopped"}')).toBe(1);
    expect(sample(text, 'zia_fleet_mode{mode="running"}')).toBe(0);
    expect(sample(text, 'zia_stop_since_timestamp_seconds{code="LIMIT_EXCEEDED"}')).toBeCloseTo(Date.now() / 1_000, -2);
    await scene.resume();
    expect((await readiness(app)).status).toBe(200);
    expect(await textOf(app)).not.toContain('zia_stop_since_timestamp_seconds{');
  });
});

testIn.short('the allowance is told when it is known, and absent before', async () => {
  const scene = await openWorkScene(t);
  const app = monitoringOf(scene);
  const before = await textOf(app);
  expect(before).not.toMatch(/^zia_allowance[{_ ]/m);
  const allowance = { total: 500, used: 120, left: 380, source: 'zoho' } as const;
  await scene.engine.store.document<RememberedAllowance>('allowance').change((_, atMs) => ({ atMs, allowance }));
  const text = await textOf(app);
  expect(sample(text, 'zia_allowance{kind="left",source="zoho"}')).toBe(380);
  expect(sample(text, 'zia_allowance_age_seconds')).toBeLessThan(30);
});

testIn.short('a worker alone, with nothing to do, tells the allowance', () =>
  withScene('redis', {}, async (scene) => {
    const worker = scene.start(['worker'], { ZIA_METRICS_PORT: '0' });
    const url = await waitFor(() => /metrics: (\S+)\/metrics/.exec(worker.stderr())?.[1], { what: 'the address' });
    await waitFor(async () => (await (await fetch(`${url}/metrics`)).text()).includes('\nzia_allowance{kind="left"'), {
      what: 'the allowance',
    });
  }),
);

describe('the allowance while workers run', () => {
  testIn.short('is asked for by one of them, and again only when it is old', async () => {
    const scene = await openWorkScene(t);
    const keepers = [askingKeeper(scene), askingKeeper(scene)];
    await waitFor(() => keepers.some(({ asked }) => asked.length > 0), { what: 'a question' });
    const document = scene.engine.store.document<RememberedAllowance>('allowance');
    await waitFor(async () => (await document.read()).value?.allowance !== null, { what: 'the answer' });
    const later = askingKeeper(scene);
    await later.looked;
    expect([...keepers, later].flatMap(({ asked }) => asked)).toEqual(['feature']);
    await document.change((value, nowMs) =>
      value === null ? undefined : { ...value, atMs: nowMs - 16 * 60_000, askedAtMs: 0 },
    );
    const last = askingKeeper(scene);
    await waitFor(() => last.asked.length > 0, { what: 'a question about an old answer' });
  });

  testIn.short('is not asked for again where the account may not, and that is said once', async () => {
    const scene = await openWorkScene(t);
    const events: string[] = [];
    const log = { ...quietLog, info: (event: string) => events.push(event) };
    const forbidden = async () => ({ kind: 'forbidden' as const, code: 'OAUTH_SCOPE_MISMATCH' });
    const { store } = scene.engine;
    // It ends by itself, which is why it will not ask again.
    await keepAllowance(
      { store, reads: readsOf({ feature: forbidden, stats: forbidden, org: forbidden }), log },
      unending(),
    );
    expect(events).toEqual(['allowance.refused']);
    expect((await store.document<RememberedAllowance>('allowance').read()).value?.allowance).toBeNull();
  });

  const unending = () => t.closing(new AbortController(), (end) => end.abort()).signal;

  function readsOf(answers: Pick<AccountReads, 'feature'> & Partial<AccountReads>): AccountReads {
    return answers as AccountReads; // the keeper asks no other questions
  }

  /** One that notes what it asks; `looked` resolves when it has looked for the first time. */
  function askingKeeper({ engine }: WorkScene) {
    const asked: string[] = [];
    const looks = new EventEmitter();
    const looked = once(looks, 'look');
    const feature: AccountReads['feature'] = async () => {
      asked.push('feature');
      return { kind: 'read', value: { total: 500, used: 100, left: 400 }, zohoNowMs: null };
    };
    const store = {
      ...engine.store,
      document: <T>(name: Parameters<Store['document']>[0]): Document<T> => {
        const document = engine.store.document<T>(name);
        const change: Document<T>['change'] = (next) => document.change(next).finally(() => looks.emit('look'));
        return { ...document, change };
      },
    };
    void keepAllowance({ store, reads: readsOf({ feature }), log: quietLog }, unending());
    return { asked, looked };
  }
});

testIn.short('every sample has a type, and no name is described twice', async () => {
  const scene = await openWorkScene(t);
  const calls = createCallMetrics();
  const text = await textOf(createMonitoring({ engine: scene.engine, queue: scene.queue, calls }));
  const typed = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '');
  expect(new Set(typed).size).toBe(typed.length);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const untyped = samples.filter(
    (line) =>
      !typed.includes(line.replace(/[{ ].*/, '').replace(/_(bucket|sum|count)$/, '')) &&
      !typed.includes(line.replace(/[{ ].*/, '')),
  );
  expect(untyped).toEqual([]);
});

testIn.short('without its Redis a process lives, is not ready, and still tells about itself', async () => {
  const redis = new URL(testRedisUrl());
  const proxy = t.closing(await openTcpProxy({ host: redis.hostname, port: Number(redis.port) }), (opened) =>
    opened.close(),
  );
  const place = t.closing(await testPlace('redis'), (opened) => opened.remove());
  const settings = { ...place.settings, redisUrl: `redis://127.0.0.1:${proxy.port}` };
  const engine = t.closing(await openEngine(settings, quietLog), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const app = createMonitoring({ engine, queue, calls: createCallMetrics() });
  expect((await readiness(app)).status).toBe(200);
  await proxy.setMode('black-hole');
  expect((await app.request('/healthz')).status).toBe(200);
  expect(await readiness(app)).toMatchObject({ status: 503, body: { reasons: [{ code: 'ENGINE_AWAY' }] } });
  const text = await textOf(app);
  expect(sample(text, 'zia_engine_up')).toBe(0);
  expect(sample(text, 'zia_calls_in_flight')).toBe(0);
  expect(text).not.toContain('zia_ledger_rows');
  await proxy.setMode('pass');
  proxy.cut();
  await waitFor(async () => (await readiness(app)).status === 200, { what: 'the engine to be back' });
});

testIn.short('being ready is a metric, and each reason against it', async () => {
  const { engine, queue } = await openWorkScene(t);
  let obstacles: readonly NotReady[] = [{ code: 'STARTING', message: 'The worker is starting.' }];
  const app = createMonitoring({ engine, queue, obstacles: () => obstacles });
  const before = await textOf(app);
  expect(sample(before, 'zia_ready')).toBe(0);
  expect(sample(before, 'zia_not_ready{code="STARTING"}')).toBe(1);
  obstacles = [];
  const after = await textOf(app);
  expect(sample(after, 'zia_ready')).toBe(1);
  expect(after).not.toContain('zia_not_ready{');
});

testIn.short('a hold, uncertain rows and rows that Zoho failed are told as the store has them', async () => {
  const { engine, queue } = await openWorkScene(t);
  const { store } = engine;
  // So fast that nobody waits for a slot.
  const limits = { callsPerSecond: 100_000, maxInFlight: 10, permitTtlMs: 5_000 };
  const claimed = async (name: string): Promise<IdentityKey> => {
    const key = `r1${name}` as IdentityKey;
    const sent = { module: 'Accounts', name };
    const admission = await store.admit({ key, sent, callId: name, limits, claimLostAfterMs: 60_000 });
    expect(admission.kind).toBe('go');
    return key;
  };
  await claimed('sending');
  await store.markUncertain(await claimed('doubt'), 'doubt', 'ETIMEDOUT');
  const held = await claimed('held');
  await store.markUncertain(held, 'held', 'ETIMEDOUT');
  await store.hold(held, 'held', 'AMBIGUOUS');
  const failed = await claimed('failed');
  await store.settle(failed, 'failed', '5' as EnrichmentId);
  await store.finish(failed, 'FAILED', null);
  await store.control.change((control, nowMs) => ({
    ...(control ?? INITIAL_CONTROL),
    backoffUntilMs: nowMs + 60_000,
    backoffReason: 'throttled',
  }));
  await store.document<CollectorState>('collector').change((_, nowMs) => ({ lookedAtMs: nowMs }) as CollectorState);
  const text = await textOf(createMonitoring({ engine, queue }));
  for (const state of ['sending', 'uncertain', 'held', 'scheduled']) {
    expect([state, sample(text, `zia_ledger_rows{state="${state}"}`)]).toEqual([state, 1]);
  }
  expect(sample(text, 'zia_results_failed')).toBe(1);
  expect(sample(text, 'zia_results_pending')).toBe(0);
  expect(sample(text, 'zia_hold_seconds{reason="throttled"}')).toBeCloseTo(60, -1);
  expect(sample(text, 'zia_hold_seconds{reason="outage"}')).toBe(0);
  expect(sample(text, 'zia_collector_last_walk_timestamp_seconds')).toBeCloseTo(Date.now() / 1_000, -2);
});

testIn.short('what the process itself lacks makes it not ready', async () => {
  const { engine, queue } = await openWorkScene(t);
  const obstacle = { code: 'FETCH_LOOP_STUCK', message: 'No row was fetched for 60 s.' };
  const app = createMonitoring({ engine, queue, obstacles: () => [obstacle] });
  expect(await readiness(app)).toEqual({ status: 503, body: { ready: false, reasons: [obstacle] } });
});

describe('calls of this process', () => {
  const headers = { retryAfterMs: null, creditsRemaining: null, dateMs: null };
  const listed = (element: object) => ({ __zia_org_enrichment: [element] });
  const answered = (status: number, body: unknown): Answer => ({ kind: 'response', status, headers, body });

  /** What is counted after one submission with this answer. */
  async function counted(answer: Answer): Promise<string> {
    const metrics = createCallMetrics();
    const client = metrics.zoho(clientAnswering(async () => answer));
    expect(await submit(client)).toBe(answer);
    return metrics.registry.metrics();
  }

  testIn.short.each<[string, string, Answer]>([
    ['scheduled', 'SCHEDULED', answered(202, listed({ code: 'SCHEDULED', details: { id: '1' }, status: 'success' }))],
    ['stop', 'LIMIT_EXCEEDED', answered(400, refusal('LIMIT_EXCEEDED'))],
    ['throttled', 'TOO_MANY_REQUESTS', answered(429, refusal('TOO_MANY_REQUESTS'))],
    ['throttled', 'TOO_MANY_REQUESTS', answered(403, refusal('TOO_MANY_REQUESTS'))],
    ['token', 'INVALID_TOKEN', answered(401, refusal('INVALID_TOKEN'))],
    ['outage', 'ECONNREFUSED', { kind: 'no-response', sent: false, code: 'ECONNREFUSED' }],
    ['uncertain', 'ETIMEDOUT', { kind: 'no-response', sent: true, code: 'ETIMEDOUT' }],
    ['unknown', 'NEW_THING', answered(400, refusal('NEW_THING'))],
  ])('a submission that ends %s with %s is counted so: %j', async (outcome, code, answer) => {
    const text = await counted(answer);
    expect(sample(text, `zia_submissions_total{outcome="${outcome}",code="${code}"}`)).toBe(1);
    expect(sample(text, 'zia_call_duration_seconds_count{call="submit"}')).toBe(1);
    expect(sample(text, 'zia_throttles_total{call="submit"}')).toBe(outcome === 'throttled' ? 1 : 0);
    expect(sample(text, 'zia_calls_in_flight')).toBe(0);
  });

  testIn.short.each([
    [429, 'NEW_THING'],
    [400, 'TOO_MANY_REQUESTS'],
  ])('reads of the list and of one enrichment answered %d %s are throttled', async (status, code) => {
    const metrics = createCallMetrics();
    const client = metrics.zoho(clientAnswering(async () => answered(status, refusal(code))));
    await client.listEnrichments(CREDENTIALS, { page: 1, perPage: 100 });
    await client.getEnrichment(CREDENTIALS, '1' as EnrichmentId);
    const text = await metrics.registry.metrics();
    for (const call of ['list', 'get']) {
      expect(sample(text, `zia_throttles_total{call="${call}"}`)).toBe(1);
      expect(sample(text, `zia_call_duration_seconds_count{call="${call}"}`)).toBe(1);
    }
  });

  testIn.short('a text in place of a code does not become a label', async () => {
    const text = await counted(answered(400, refusal('Firma "Müller"\nis unknown')));
    expect(text).not.toContain('Müller');
  });

  testIn.short('a call that waits for its answer is in flight', async () => {
    const metrics = createCallMetrics();
    const answers: ((answer: Answer) => void)[] = [];
    const ended = submit(metrics.zoho(clientAnswering(() => new Promise((resolve) => answers.push(resolve)))));
    expect(sample(await metrics.registry.metrics(), 'zia_calls_in_flight')).toBe(1);
    answers[0]?.(answered(500, undefined));
    await ended;
    expect(sample(await metrics.registry.metrics(), 'zia_calls_in_flight')).toBe(0);
  });

  testIn.short(
    'the wait for the row that is tried first is none for a slot, and the call may end with it',
    async () => {
      const metrics = createCallMetrics();
      const answers = [{ kind: 'canary-open' }, { kind: 'go' }];
      const store = metrics.store({ admitCall: async () => answers.shift() } as unknown as Store);
      const limits = { callsPerSecond: 5, maxInFlight: 10, permitTtlMs: 5_000 };
      await store.admitCall({ callId: 'a', limits });
      await sleep(100);
      await store.admitCall({ callId: 'a', limits });
      const text = await metrics.registry.metrics();
      expect(sample(text, 'zia_limiter_wait_seconds_count')).toBe(1);
      expect(sample(text, 'zia_limiter_wait_seconds_sum')).toBeLessThan(0.05);
    },
  );

  testIn.short('the wait for a slot is measured from the first question to the go', async () => {
    const { engine } = await openWorkScene(t);
    const metrics = createCallMetrics();
    const store = metrics.store(engine.store);
    const limits = { callsPerSecond: 5, maxInFlight: 10, permitTtlMs: 5_000 };
    expect((await store.admitCall({ callId: 'first', limits })).kind).toBe('go');
    const slot = await store.admitCall({ callId: 'second', limits });
    if (slot.kind !== 'not-yet') throw new Error(`expected a wait, not ${slot.kind}`);
    let { slotMs } = slot;
    await waitFor(
      async () => {
        const next = await store.admitCall({ callId: 'second', limits, slotMs });
        if (next.kind === 'not-yet') slotMs = next.slotMs;
        return next.kind === 'go';
      },
      { what: 'the slot' },
    );
    const text = await metrics.registry.metrics();
    expect(sample(text, 'zia_limiter_wait_seconds_count')).toBe(2);
    expect(sample(text, 'zia_limiter_wait_seconds_sum')).toBeGreaterThan(0.15);
  });
});

function clientAnswering(answer: () => Promise<Answer>): ZohoClient {
  return { createEnrichment: answer, listEnrichments: answer, getEnrichment: answer };
}

const CREDENTIALS = { accessToken: 'a', apiDomain: 'https://a' };

function submit(client: ZohoClient): Promise<Answer> {
  return client.createEnrichment(CREDENTIALS, { module: 'Accounts' }, () => true);
}

describe('the server of a worker', () => {
  testIn.short('takes the next free port when its own is taken, and the address of neither twice', async () => {
    const { engine, queue } = await openWorkScene(t);
    const app = createMonitoring({ engine, queue });
    const taken = t.closing(createServer().listen(0, '127.0.0.1'), (opened) => opened.close());
    const port = await waitFor(() => portOf(taken.address()), { what: 'a taken port' });
    const first = t.closing(await serveMonitoring(app, '127.0.0.1', port), (opened) => opened.close());
    const second = t.closing(await serveMonitoring(app, '127.0.0.1', port), (opened) => opened.close());
    expect(first.port).toBeGreaterThan(port);
    expect(second.port).toBeGreaterThan(first.port);
    expect((await fetch(`${second.url}/healthz`)).status).toBe(200);
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  (hasIpv6 ? test : test.skip).each(['::1', '[::1]'])('listens on %s, however that is written', async (host) => {
    const { engine, queue } = await openWorkScene(t);
    const server = t.closing(await serveMonitoring(createMonitoring({ engine, queue }), host, 0), (opened) =>
      opened.close(),
    );
    expect(server.url).toBe(`http://[::1]:${server.port}`);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  testIn.short('says what to change when it cannot listen at all', async () => {
    const { engine, queue } = await openWorkScene(t);
    const serving = serveMonitoring(createMonitoring({ engine, queue }), '203.0.113.1', 9_464);
    await expect(serving).rejects.toThrow(/cannot be served on 203\.0\.113\.1:9464 .*ZIA_METRICS_HOST/);
  });

  testIn.long('the dashboard of a run counts what its worker does, and says when that one starts', () =>
    withScene('redis', { latencyMs: 1_000 }, async (scene) => {
      const run = scene.start(['run', await scene.csv('a.csv', 4)], {
        ZIA_DASHBOARD_PORT: '0',
        ZIA_MAX_IN_FLIGHT: '1',
      });
      const url = await waitFor(() => /watch it: (http:\S+)/.exec(run.stderr())?.[1], { what: 'the address' });
      expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ reasons: [{ code: 'STARTING' }] });
      const scheduled = 'zia_submissions_total{outcome="scheduled",code="SCHEDULED"}';
      await waitFor(async () => (sample(await (await fetch(`${url}/metrics`)).text(), scheduled) ?? 0) > 0, {
        what: 'a submission',
      });
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
    }),
  );

  testIn.short('a worker is ready once it works, and not any more while it ends', () =>
    withScene('redis', { latencyMs: 2_000 }, async (scene) => {
      const worker = scene.start(['worker'], { ZIA_METRICS_PORT: '0' });
      const url = await waitFor(() => /metrics: (\S+)\/metrics/.exec(worker.stderr())?.[1], { what: 'the address' });
      await waitFor(async () => (await fetch(`${url}/readyz`)).status === 200, { what: 'the worker to be ready' });
      await scene.run(['enqueue', await scene.csv('a.csv', 1)]);
      await waitFor(() => scene.sandbox.log().some(({ kind }) => kind === 'post'), { what: 'a call in flight' });
      worker.child.kill('SIGTERM');
      await waitFor(async () => (await (await fetch(`${url}/readyz`)).text()).includes('"ENDING"'), {
        what: 'the end',
      });
      expect((await worker.ended).code).toBe(0);
    }),
  );

  testIn.long('a worker says where its metrics are, counts what it does, and is not ready once stopped', () =>
    withScene('redis', { quota: 5 }, async (scene) => {
      const taken = t.closing(createServer().listen(0, '127.0.0.1'), (opened) => opened.close());
      const port = await waitFor(() => portOf(taken.address()), { what: 'a taken port' });
      await scene.run(['enqueue', await scene.csv('a.csv', 8)]);
      const worker = scene.start(['worker'], { ZIA_METRICS_PORT: String(port), ZIA_MAX_IN_FLIGHT: '1' });
      const [, url] = await waitFor(
        () => /metrics: (\S+)\/metrics \(port \d+ is taken\)/.exec(worker.stderr()) ?? undefined,
        { what: 'the address' },
      );
      await waitFor(async () => (await (await fetch(`${url}/readyz`)).text()).includes('"LIMIT_EXCEEDED: '), {
        what: 'the stop',
      });
      const text = await (await fetch(`${url}/metrics`)).text();
      expect(sample(text, 'zia_submissions_total{outcome="scheduled",code="SCHEDULED"}')).toBe(5);
      expect(sample(text, 'zia_submissions_total{outcome="stop",code="LIMIT_EXCEEDED"}')).toBe(1);
      expect(sample(text, 'zia_limiter_wait_seconds_count')).toBeGreaterThanOrEqual(6);
      expect(sample(text, 'bullmq_job_completed_total{queue="zia-enrich"}')).toBe(5);
      worker.child.kill('SIGTERM');
      expect((await worker.ended).code).toBe(0);
      await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    }),
  );
});

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number | undefined {
  return address !== null && typeof address === 'object' ? address.port : undefined;
}
