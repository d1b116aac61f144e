import { describe, expect, test } from '@jest/globals';
import { mostInAnySecond, summarise } from '../../src/sandbox/effects.js';
import { FAULT_KINDS, type Fault } from '../../src/sandbox/options.js';
import { openSandbox } from '../support/sandbox.js';
import { ACCOUNT, at, basedOn, openCaller, RESOURCE } from '../support/sandbox-caller.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const always = (kind: Fault['kind'], more: Partial<Fault> = {}): Fault => ({ kind, on: 'post', share: 1, ...more });

/** What a caller without patience sees of each fault, and whether the submission was accepted all the same. */
const SEEN: Readonly<Record<Fault['kind'], readonly [seen: number | 'cut' | 'nothing', accepted: boolean]>> = {
  'http-500': [500, false],
  'http-502-html': [502, false],
  'http-408': [408, false],
  '429': [429, false],
  'cut-before': ['cut', false],
  'cut-after': ['cut', true],
  'never-answer-before': ['nothing', false],
  'never-answer-after': ['nothing', true],
  'garbage-2xx': [200, false],
  'accepted-garbage': [200, true],
  'accepted-500': [500, true],
  slow: ['nothing', true],
  'accepted-late': ['nothing', false],
  status: [418, false],
};

describe('a fault', () => {
  test.each(FAULT_KINDS.map((kind) => ({ kind, seen: SEEN[kind][0], accepted: SEEN[kind][1] })))(
    'of kind $kind is seen as $seen, with accepted: $accepted',
    async ({ kind, seen, accepted }) => {
      await using t = setup();
      const fault = always(kind, kind === 'status' ? { status: 418, body: { code: 'TEAPOT' } } : {});
      const sandbox = await openSandbox(t, { faults: [fault] });
      const { body } = await (await openCaller(sandbox)).token();

      const result = await fetch(`${sandbox.url}/crm/v7/${RESOURCE}?module=Accounts`, {
        method: 'POST',
        headers: { authorization: `Zoho-oauthtoken ${at(body, 'access_token')}` },
        body: JSON.stringify(basedOn({ name: 'Zylker' })),
        signal: AbortSignal.timeout(500),
      }).then(
        ({ status }) => status,
        (error: Error) => (error.name === 'TimeoutError' ? 'nothing' : 'cut'),
      );

      const event = sandbox.log().at(-1);
      expect(result).toBe(seen);
      expect(sandbox.enrichments()).toHaveLength(accepted ? 1 : 0);
      expect(event?.enrichmentId ?? null).toBe(sandbox.enrichments()[0]?.id ?? null);
      if (typeof seen === 'number') expect(event).toMatchObject({ status: seen, answeredAtMs: expect.any(Number) });
      else expect(event).toMatchObject({ status: null, answeredAtMs: null });
    },
  );

  test('hits as many calls as it may, of the names it is meant for', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, { faults: [always('http-500', { times: 2, match: 'Odd' })] }));
    const statuses = [];
    for (const name of ['Odd 1', 'Even 2', 'Odd 3', 'Odd 5']) {
      statuses.push((await caller.post(basedOn({ name }))).status);
    }
    expect(statuses).toEqual([500, 202, 500, 202]);
  });

  test('with a share hits the same calls on every run with the same seed, and others with another', async () => {
    await using t = setup();
    const runs = [];
    for (const seed of [7, 7, 8]) {
      const caller = await openCaller(await openSandbox(t, { seed, faults: [always('http-500', { share: 0.5 })] }));
      const statuses = [];
      for (let row = 0; row < 40; row++) statuses.push((await caller.post(basedOn({ name: `Company ${row}` }))).status);
      runs.push(statuses);
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).not.toEqual(runs[0]);
    expect(new Set(runs[0])).toEqual(new Set([500, 202]));
  });

  test('on reads leaves submissions alone', async () => {
    await using t = setup();
    const faults = [always('http-502-html', { on: 'list' }), always('http-500', { on: 'get' })];
    const caller = await openCaller(await openSandbox(t, { faults }));
    const id = await caller.schedule('Zylker');
    expect(await caller.get(RESOURCE)).toMatchObject({ status: 502, body: expect.stringContaining('<html>') });
    expect((await caller.get(`${RESOURCE}/${id}`)).status).toBe(500);
  });

  test('that never answers holds its permit until the caller leaves', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { concurrency: 1, faults: [always('never-answer-before')] });
    const caller = await openCaller(sandbox);
    void caller.post(basedOn({ name: 'Zylker' })).catch(() => {});
    await waitFor(() => sandbox.log().some(({ kind }) => kind === 'post'));
    expect((await caller.get(RESOURCE)).status).toBe(429);
  });
});

describe('the log', () => {
  test('holds every call once, in order of arrival, with the calls in flight at that moment', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { latencyMs: 100 });
    const caller = await openCaller(sandbox);
    await Promise.all([1, 2, 3, 4].map((row) => caller.post(basedOn({ name: `Company ${row}` }))));

    const log = sandbox.log();
    expect(log.map(({ kind, inFlight }) => [kind, inFlight])).toEqual([
      ['token', 0],
      ['post', 1],
      ['post', 2],
      ['post', 3],
      ['post', 4],
    ]);
    const times = log.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const { atMs, answeredAtMs } of log) expect((answeredAtMs ?? 0) - atMs).toBeGreaterThan(95);
  });

  test('adds up: accepted, accepted twice, refused for the quota, tokens, calls in flight and in a second', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { quota: 3 });
    const caller = await openCaller(sandbox);
    for (const name of ['One', 'Two', 'Two', 'Three']) await caller.post(basedOn({ name }));
    await caller.get(RESOURCE);
    expect(summarise(sandbox.log())).toMatchObject({
      posts: 4,
      accepted: 3,
      acceptedTwice: 1,
      limitExceeded: 1,
      lists: 1,
      tokensIssued: 1,
      maxInFlight: 1,
      maxPostsInAnySecond: 4,
      maxCallsInAnySecond: 5,
    });
  });

  test.each([
    ['nothing', [], 0],
    ['calls just within a second', [0, 500, 999.9], 3],
    ['calls exactly a second apart', [0, 1_000, 2_000], 1],
    ['a burst across the turn of a second', [900, 950, 1_050, 1_100, 2_000], 4],
  ])('counts %s in a sliding second', (_what, times, most) => {
    expect(mostInAnySecond(times.map((atMs) => ({ atMs })))).toBe(most);
  });
});

describe('the controls, which Zoho does not have', () => {
  test('show log, enrichments and summary without being logged', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const id = await (await openCaller(sandbox)).schedule('Zylker');
    const show = async (path: string) => (await fetch(`${sandbox.url}/__sandbox/${path}`)).json();
    expect(await show('log?after=1')).toEqual([JSON.parse(JSON.stringify(sandbox.log()[1]))]);
    expect(await show('enrichments')).toMatchObject([{ id, sent: { name: 'Zylker' } }]);
    expect(await show('summary')).toEqual(summarise(sandbox.log()));
    expect(sandbox.log()).toHaveLength(2);
  });

  test('change options while it runs', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { quota: 0 });
    const caller = await openCaller(sandbox);
    const patch = (body: string) => fetch(`${sandbox.url}/__sandbox/options`, { method: 'PATCH', body });
    expect((await caller.post(basedOn({ name: 'Zylker' }))).status).toBe(400);
    expect((await patch('{"quota":1}')).status).toBe(200);
    expect((await caller.post(basedOn({ name: 'Zylker' }))).status).toBe(202);
    expect(sandbox.options.quota).toBe(1);
  });

  test.each([
    '{"quotas":1}',
    '{"quota":"many"}',
    '{"faults":[{"kind":"flood","on":"post","share":1}]}',
    '[1]',
    'quota',
  ])('refuse the options %s and keep those they had', async (body) => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const before = sandbox.options;
    const { status } = await fetch(`${sandbox.url}/__sandbox/options`, { method: 'PATCH', body });
    expect(status).toBe(400);
    expect(sandbox.options).toEqual(before);
  });

  test('forget everything but the options', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { quota: 1 });
    await (await openCaller(sandbox)).schedule('Zylker');
    await fetch(`${sandbox.url}/__sandbox/reset`, { method: 'POST' });
    expect([sandbox.log().length, sandbox.enrichments().length, sandbox.options.quota]).toEqual([0, 0, 1]);
    await (await openCaller(sandbox)).schedule('Zylker');
  });
});

test('closing it cuts calls that still wait, and closing it twice is fine', async () => {
  await using t = setup();
  const sandbox = await openSandbox(t, { faults: [always('never-answer-before', { on: 'token' })] });
  const waiting = fetch(`${sandbox.url}/oauth/v2/token`, { method: 'POST', body: new URLSearchParams(ACCOUNT) });
  const failed = expect(waiting).rejects.toThrow('fetch failed');
  await waitFor(() => sandbox.log().length === 1);
  await sandbox.close();
  await sandbox.close();
  await failed;
});
