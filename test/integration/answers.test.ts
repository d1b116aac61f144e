import { afterEach, describe, expect, test } from '@jest/globals';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import type { Fault } from '../../src/sandbox/options.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { about, answering, openWorkScene, refusal, type WorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

/** What each answer to a submission does to the row, the ledger and the fleet: the table of docs/job-lifecycle.md. */
const t = setup();
afterEach(() => t.close());

const ALONE = { settings: { concurrency: 1, maxInFlight: 1 } };
const INPUTS = ['name', 'email', 'website'] as const;
const nothing = { sending: 0, uncertain: 0, held: 0, scheduled: 0 };

/** Queues one row that will meet this answer. */
async function meet(scene: WorkScene, fault: Fault): Promise<IdentityKey> {
  const [key] = await queueRows(scene.queue, goodRows(1));
  if (key === undefined) throw new Error('no key');
  scene.sandbox.configure({ faults: [fault] });
  return key;
}

async function failures(scene: WorkScene): Promise<readonly string[]> {
  return (await scene.queue.getFailed()).map(({ failedReason }) => failedReason.split(':', 1)[0] ?? '');
}

describe('an answer about the row', () => {
  test.each<[string, unknown, string]>([
    ['an unknown record', refusal('INVALID_DATA', { param_name: 'record_id' }), 'INVALID_DATA'],
    [
      'nothing to enrich from',
      refusal('EXPECTED_FIELD_MISSING', { expected_fields: INPUTS.map(about) }, 'listed'),
      'EXPECTED_FIELD_MISSING',
    ],
    ['a code nobody knows', refusal('BRAND_NEW'), 'BRAND_NEW'],
    ['a refusal without any code', '<html>Forbidden</html>', 'HTTP_400'],
  ])('%s fails it at once after one call, and no other', async (_case, body, code) => {
    const scene = await openWorkScene(t);
    await meet(scene, answering(400, body, { times: 1 }));
    await queueRows(scene.queue, goodRows(3, 'Other'));
    expect(await scene.workOff(ALONE)).toMatchObject({ ended: 'idle', submitted: 3, failed: 1, stop: null });
    expect(scene.posts()).toHaveLength(4);
    expect(await failures(scene)).toEqual([code]);
    expect(await scene.engine.store.counts()).toMatchObject({ ...nothing, scheduled: 3 });
  });

  test.each(INPUTS)('a refused %s is left out and noted while another field remains', async (field) => {
    const scene = await openWorkScene(t);
    const key = await meet(scene, answering(400, refusal('INVALID_DATA', about(field), 'listed'), { times: 1 }));
    expect(await scene.workOff(ALONE)).toMatchObject({ submitted: 1, failed: 0 });
    expect(scene.posts().map(({ sent }) => INPUTS.filter((one) => sent?.[one] !== undefined))).toEqual([
      INPUTS,
      INPUTS.filter((one) => one !== field),
    ]);
    const entry = (await scene.engine.store.entries([key])).get(key);
    expect(entry).toMatchObject({ state: 'scheduled', notes: [expect.stringContaining(field)] });
    expect(entry?.sent).not.toHaveProperty(field);
  });

  test('fields refused one after the other leave one call for each, then a failed row', async () => {
    const scene = await openWorkScene(t);
    const refused = (field: string) => answering(400, refusal('INVALID_DATA', about(field), 'listed'), { times: 1 });
    await meet(scene, refused('name'));
    scene.sandbox.configure({ faults: INPUTS.map(refused) });
    expect(await scene.workOff(ALONE)).toMatchObject({ submitted: 0, failed: 1 });
    expect(scene.posts()).toHaveLength(3);
    expect(await failures(scene)).toEqual(['INVALID_DATA']);
    expect(await scene.engine.store.counts()).toMatchObject(nothing);
  });
});

describe('an answer that would meet every row stops the fleet, touches no row, and a resume goes on', () => {
  const listed = (code: string, details?: object) => refusal(code, details, 'listed');
  test.each<[string, number, unknown, RegExp]>([
    ['LIMIT_EXCEEDED', 400, listed('LIMIT_EXCEEDED', { limit: 1500 }), /1500/],
    ['NOT_ALLOWED for an email', 400, listed('NOT_ALLOWED', about('email')), /resume --without email/],
    ['NOT_ALLOWED for a parameter', 400, refusal('NOT_ALLOWED', { param_name: 'website' }), /resume --without website/],
    ['REQUIRED_PARAM_MISSING', 400, refusal('REQUIRED_PARAM_MISSING', { param_name: 'module' }), /ZIA_MODULE/],
    ['INVALID_MODULE', 400, refusal('INVALID_MODULE', { param_name: 'module' }), /ZIA_MODULE/],
    ['INVALID_DATA for the module', 400, refusal('INVALID_DATA', { param_name: 'module' }), /ZIA_MODULE/],
    ['NOT_SUPPORTED', 400, refusal('NOT_SUPPORTED', { param_name: 'module' }), /ZIA_MODULE/],
    ['API_NOT_SUPPORTED', 400, refusal('API_NOT_SUPPORTED', { supported_version: 'v9' }), /ZOHO_API_VERSION/],
    ['INVALID_URL_PATTERN', 404, refusal('INVALID_URL_PATTERN'), /ZOHO_API_DOMAIN/],
    ['MANDATORY_NOT_FOUND', 400, listed('MANDATORY_NOT_FOUND', about('enrich_based_on')), /mistake in this program/],
    [
      'INVALID_DATA for the array',
      400,
      refusal('INVALID_DATA', { maximum_length: 1, api_name: '__zia_org_enrichment' }),
      /mistake in this program/,
    ],
    ['INVALID_DATA for a key of ours', 400, listed('INVALID_DATA', about('telephone')), /mistake in this program/],
    ['FEATURE_NOT_ENABLED', 400, refusal('FEATURE_NOT_ENABLED'), /switch it on/],
    ['FEATURE_NOT_SUPPORTED', 400, refusal('FEATURE_NOT_SUPPORTED'), /edition/],
    ['NO_PERMISSION', 403, refusal('NO_PERMISSION', { permissions: ['x'] }), /permission/],
    ['OAUTH_SCOPE_MISMATCH', 401, refusal('OAUTH_SCOPE_MISMATCH'), /scope/],
  ])('%s (%d)', async (refused, status, body, advice) => {
    await using t = setup();
    const [code] = refused.split(' ');
    const scene = await openWorkScene(t);
    scene.sandbox.configure({ faults: [answering(status, body)] });
    await queueRows(scene.queue, goodRows(6));
    const report = await scene.workOff({ settings: { concurrency: 3, maxInFlight: 3 } });
    expect(report).toMatchObject({ ended: 'stopped', submitted: 0, failed: 0, stop: { code } });
    expect(report.stop?.message).toMatch(advice);
    expect(scene.posts().length).toBeLessThanOrEqual(3);
    expect(await scene.engine.store.counts()).toMatchObject(nothing);
    expect((await scene.engine.counts()).waiting).toBe(6);
    expect((await scene.queue.getJobs()).map(({ attemptsMade }) => attemptsMade)).toEqual(Array(6).fill(0));

    scene.sandbox.configure({ faults: [] });
    await scene.resume();
    expect(await scene.workOff()).toMatchObject({ ended: 'idle', submitted: 6, failed: 0 });
    expect(scene.sandbox.enrichments()).toHaveLength(6);
  });

  test.each([0, 5])('API credits spent: 429 with %d remaining', async (credits) => {
    const scene = await openWorkScene(t, 'redis', { credits });
    scene.sandbox.configure({ faults: [{ kind: '429', on: 'post', share: 1 }] });
    await queueRows(scene.queue, goodRows(6));
    const stop = { code: 'API_CREDITS_EXHAUSTED', message: expect.stringContaining('credits') };
    expect(await scene.workOff()).toMatchObject({ ended: 'stopped', failed: 0, stop });
    expect((await scene.engine.counts()).waiting).toBe(6);
  });

  test.each(['invalid_client', 'invalid_client_secret', 'unsupported_grant_type'])(
    'credentials that no waiting mends: %s',
    async (error) => {
      const scene = await openWorkScene(t);
      scene.sandbox.configure({ faults: [{ kind: 'status', on: 'token', share: 1, status: 200, body: { error } }] });
      await queueRows(scene.queue, goodRows(3));
      expect(await scene.workOff()).toMatchObject({ ended: 'stopped', failed: 0, stop: { code: error } });
      expect(scene.posts()).toHaveLength(0);
      expect(scene.sandbox.log().filter(({ kind }) => kind === 'token')).toHaveLength(1);
      expect((await scene.engine.counts()).waiting).toBe(3);
    },
  );
});

describe('a refused access token', () => {
  test.each([
    ['AUTHENTICATION_FAILURE', 401],
    ['INVALID_OAUTHTOKEN', 401],
    ['UNAUTHORIZED', 401],
    ['INVALID_TOKEN', 400],
  ])('is refreshed once and the row sent again: %s (%d)', async (code, status) => {
    const scene = await openWorkScene(t);
    await meet(scene, answering(status, refusal(code), { times: 1 }));
    expect(await scene.workOff()).toMatchObject({ ended: 'idle', submitted: 1, failed: 0 });
    expect(scene.posts().map(({ code: answered }) => answered)).toEqual([code, 'SCHEDULED']);
    expect(scene.sandbox.log().filter(({ kind }) => kind === 'token')).toHaveLength(2);
    expect(await scene.engine.store.counts()).toMatchObject({ ...nothing, scheduled: 1 });
  });

  test('stops the fleet when the fresh one is refused too', async () => {
    const scene = await openWorkScene(t, 'redis', { wrongDataCenter: 'api' });
    await queueRows(scene.queue, goodRows(4));
    const stop = { code: 'INVALID_TOKEN', message: expect.stringContaining('ZOHO_DC') };
    expect(await scene.workOff(ALONE)).toMatchObject({ ended: 'stopped', failed: 0, stop });
    expect(scene.posts()).toHaveLength(2);
    expect((await scene.engine.counts()).waiting).toBe(4);
  });
});

describe('too many requests', () => {
  test('hold two workers for as long as Zoho asks, at half the calls in flight, and cost no attempt', async () => {
    const scene = await openWorkScene(t, 'redis', { latencyMs: 10 });
    scene.sandbox.configure({
      faults: [answering(429, refusal('TOO_MANY_REQUESTS', { retry_after: 2 }), { times: 1 })],
    });
    const workers = { settings: { maxInFlight: 4, concurrency: 4 } };
    scene.work(workers);
    scene.work(workers);
    const keys = await queueRows(scene.queue, goodRows(40));
    await waitFor(async () => (await scene.engine.counts()).completed === 40, { what: 'all rows' });
    // By the store's clock: a row let through just before the hold may leave a busy process some time after it.
    const entries = [...(await scene.engine.store.entries(keys)).values()];
    const claimedAt = entries.map(({ sentAtMs }) => sentAtMs).sort((a, b) => a - b);
    const waits = claimedAt.slice(1).map((at, index) => at - (claimedAt[index] ?? at));
    expect(Math.max(...waits)).toBeGreaterThanOrEqual(1_950);
    const posts = scene.posts();
    const refused = posts.find(({ code }) => code === 'TOO_MANY_REQUESTS');
    const after = posts.filter(({ atMs }) => atMs > (refused?.answeredAtMs ?? 0) + 1_900);
    expect(Math.max(...after.slice(0, 10).map(({ inFlight }) => inFlight))).toBeLessThanOrEqual(2);
    const jobs = await scene.queue.getCompleted();
    expect(jobs.map(({ attemptsMade }) => attemptsMade)).toEqual(Array(40).fill(1));
  });
});

describe('an answer that leaves open whether Zoho took the row', () => {
  const lost: readonly (readonly [string, Fault, string])[] = [
    ['500', answering(500, refusal('INTERNAL_SERVER_ERROR'), { times: 1 }), 'INTERNAL_SERVER_ERROR'],
    ['an internal error as 400', answering(400, refusal('INTERNAL_ERROR'), { times: 1 }), 'INTERNAL_ERROR'],
    ['502 of a gateway', { kind: 'http-502-html', on: 'post', share: 1, times: 1 }, 'HTTP_502'],
    ['503 that names the quota', answering(503, refusal('LIMIT_EXCEEDED'), { times: 1 }), 'LIMIT_EXCEEDED'],
    ['408', { kind: 'http-408', on: 'post', share: 1, times: 1 }, 'REQUEST_TIMEOUT'],
    ['no answer in time', { kind: 'never-answer-after', on: 'post', share: 1, times: 1 }, 'ETIMEDOUT'],
    ['a connection cut', { kind: 'cut-before', on: 'post', share: 1, times: 1 }, 'ECONNRESET'],
    ['a 2xx without a word', { kind: 'garbage-2xx', on: 'post', share: 1, times: 1 }, 'HTTP_200'],
    [
      'a 2xx that carries a refusal',
      answering(200, refusal('INVALID_DATA', about('name'), 'listed'), { times: 1 }),
      'INVALID_DATA',
    ],
    [
      'a yes whose id is a number',
      answering(202, { __zia_org_enrichment: [{ code: 'SCHEDULED', details: { id: 123 } }] }, { times: 1 }),
      'SCHEDULED',
    ],
    ['a redirect', answering(302, undefined, { times: 1 }), 'HTTP_302'],
  ];
  test.each(lost)(
    '%s: the row waits for a look-up, unsent and unfailed, while others go on',
    async (_case, fault, reason) => {
      const scene = await openWorkScene(t);
      const key = await meet(scene, fault);
      // No look-up comes in between, however slow the machine is.
      scene.work({ ...ALONE, timing: { settlingMs: 120_000 } });
      await waitFor(async () => (await scene.engine.store.counts()).uncertain === 1, { what: 'the doubt' });
      expect((await scene.engine.store.entries([key])).get(key)).toMatchObject({
        state: 'uncertain',
        reason,
        sends: 1,
      });
      await queueRows(scene.queue, goodRows(3, 'Other'));
      await waitFor(async () => (await scene.engine.counts()).completed === 3, { what: 'the other rows' });
      expect(scene.posts()).toHaveLength(4);
      await waitFor(async () => (await scene.engine.counts()).delayed === 1, { what: 'the row to be put back' });
      expect(await scene.engine.counts()).toMatchObject({ delayed: 1, failed: 0 });
      expect((await scene.queue.getJob(key))?.attemptsMade).toBe(0);
    },
  );

  test('two unreadable answers in a row stop the fleet; a yes between them does not', async () => {
    const scene = await openWorkScene(t);
    const garbage = (match: string): Fault => ({ kind: 'garbage-2xx', on: 'post', share: 1, match });
    scene.sandbox.configure({ faults: [garbage('Odd')] });
    await queueRows(scene.queue, [...goodRows(1, 'Odd'), ...goodRows(1), ...goodRows(1, 'Oddest')]);
    scene.work(ALONE);
    await waitFor(async () => (await scene.engine.store.counts()).uncertain === 2, { what: 'two uncertain' });
    expect((await scene.engine.store.control.read()).value?.mode).toBe('running');
    await queueRows(scene.queue, [...goodRows(2, 'Odder'), ...goodRows(2, 'Good')]);
    const stopped = await waitFor(async () => {
      const { value } = await scene.engine.store.control.read();
      return value?.mode === 'stopped' && value.stop;
    });
    expect(stopped).toMatchObject({ code: 'UNREADABLE_ANSWERS' });
    expect((await scene.engine.counts()).failed).toBe(0);
  });
});

describe('refusals nobody knows', () => {
  const odd = (match: string): Fault => answering(418, refusal('TEAPOT'), { match });

  test('three in a row stop the fleet and fail no fourth row', async () => {
    const scene = await openWorkScene(t);
    scene.sandbox.configure({ faults: [odd('')] });
    await queueRows(scene.queue, goodRows(6));
    expect(await scene.workOff(ALONE)).toMatchObject({
      ended: 'stopped',
      failed: 3,
      stop: { code: 'UNKNOWN_ANSWERS' },
    });
    expect(scene.posts()).toHaveLength(3);
    expect((await scene.engine.counts()).waiting).toBe(3);
  });

  test('with a yes after every second one they fail their rows only', async () => {
    const scene = await openWorkScene(t);
    scene.sandbox.configure({ faults: [odd('Odd')] });
    await queueRows(
      scene.queue,
      [1, 2, 3].flatMap((round) => [...goodRows(2, `Odd${round}`), ...goodRows(1, `Good${round}`)]),
    );
    expect(await scene.workOff(ALONE)).toMatchObject({ ended: 'idle', submitted: 3, failed: 6, stop: null });
  });
});
