import { describe, expect, test } from '@jest/globals';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import { openSandbox } from '../support/sandbox.js';
import { at, basedOn, openCaller, RESOURCE } from '../support/sandbox-caller.js';
import { setup } from '../support/setup.js';

const VALID = basedOn({ name: 'Zylker', email: 'info@zylker.example', website: 'www.zylker.example' });
const AT = (field: string) => ({ api_name: field, json_path: `$.${RESOURCE}[0].enrich_based_on.${field}` });
const NAME = AT('name');

interface Refusal {
  readonly why: string;
  readonly options?: Partial<SandboxOptions>;
  readonly body?: unknown;
  readonly query?: string;
  readonly status?: number;
  readonly envelope: 'array' | 'bare';
  readonly code: string;
  readonly details: unknown;
}

const REFUSALS: readonly Refusal[] = [
  {
    why: 'a value of two characters',
    body: basedOn({ name: 'Zy' }),
    envelope: 'array',
    code: 'INVALID_DATA',
    details: { expected_data_type: 'text', ...NAME },
  },
  {
    why: 'a value in letters that are not Latin',
    body: basedOn({ name: 'Зилкер' }),
    envelope: 'array',
    code: 'INVALID_DATA',
    details: { expected_data_type: 'text', ...NAME },
  },
  {
    why: 'a value that is no string',
    body: basedOn({ name: 'Zylker', website: 12_345 }),
    envelope: 'array',
    code: 'INVALID_DATA',
    details: { expected_data_type: 'text', ...AT('website') },
  },
  {
    why: 'a value of 256 characters',
    body: basedOn({ name: 'z'.repeat(256) }),
    envelope: 'array',
    code: 'INVALID_DATA',
    details: { maximum_length: 255, ...NAME },
  },
  {
    why: 'a key it does not know',
    body: basedOn({ name: 'Zylker', reference: 'row 1' }),
    envelope: 'array',
    code: 'INVALID_DATA',
    details: AT('reference'),
  },
  {
    why: 'no value at all',
    body: basedOn({}),
    envelope: 'array',
    code: 'EXPECTED_FIELD_MISSING',
    details: { expected_fields: [NAME, AT('email'), AT('website')] },
  },
  {
    why: 'no enrich_based_on',
    body: { [RESOURCE]: [{}] },
    envelope: 'array',
    code: 'MANDATORY_NOT_FOUND',
    details: { api_name: 'enrich_based_on', json_path: `$.${RESOURCE}[0].enrich_based_on` },
  },
  {
    why: 'two elements',
    body: { [RESOURCE]: [{ enrich_based_on: { name: 'One' } }, { enrich_based_on: { name: 'Two' } }] },
    envelope: 'bare',
    code: 'INVALID_DATA',
    details: { maximum_length: 1, api_name: RESOURCE, json_path: `$.${RESOURCE}` },
  },
  {
    why: 'a field without a mapping',
    options: { unmapped: ['email'] },
    envelope: 'array',
    code: 'NOT_ALLOWED',
    details: AT('email'),
  },
  {
    why: 'a spent quota',
    options: { quota: 0 },
    envelope: 'array',
    code: 'LIMIT_EXCEEDED',
    details: {
      limit: 0,
      limit_due_to: [{ api_name: 'enrich_based_on', json_path: `$.${RESOURCE}[0].enrich_based_on` }],
    },
  },
  { why: 'no module', query: '', envelope: 'bare', code: 'REQUIRED_PARAM_MISSING', details: { param_name: 'module' } },
  {
    why: 'a module without enrichment',
    query: 'module=Deals',
    envelope: 'bare',
    code: 'INVALID_DATA',
    details: { param_name: 'module' },
  },
  {
    why: 'a record id that is no number',
    query: 'module=Accounts&record_id=5.7E%2B18',
    envelope: 'bare',
    code: 'INVALID_DATA',
    details: { param_name: 'record_id' },
  },
  {
    why: 'a feature that is off',
    options: { featureEnabled: false },
    envelope: 'bare',
    code: 'FEATURE_NOT_ENABLED',
    details: {},
  },
  {
    why: 'an edition without the feature',
    options: { edition: 'standard' },
    envelope: 'bare',
    code: 'FEATURE_NOT_SUPPORTED',
    details: {},
  },
  {
    why: 'a profile without permission',
    options: { permission: false },
    status: 403,
    envelope: 'bare',
    code: 'NO_PERMISSION',
    details: {},
  },
  {
    why: 'a token without the scope',
    options: { scopes: ['ZohoCRM.settings.intelligence.READ'] },
    status: 401,
    envelope: 'bare',
    code: 'OAUTH_SCOPE_MISMATCH',
    details: {},
  },
  {
    why: 'a token of another data center',
    options: { wrongDataCenter: 'api' },
    status: 401,
    envelope: 'bare',
    code: 'INVALID_TOKEN',
    details: {},
  },
  {
    why: 'credits that are spent',
    options: { credits: 0 },
    status: 429,
    envelope: 'bare',
    code: 'TOO_MANY_REQUESTS',
    details: {},
  },
];

describe('a submission', () => {
  test.each(REFUSALS)('is refused as documented, without effect, because of $why', async (refusal) => {
    const { options = {}, body = VALID, query, status = 400, envelope, code, details } = refusal;
    await using t = setup();
    const sandbox = await openSandbox(t, options);
    const caller = await openCaller(sandbox);

    const answer = await caller.post(body, query);

    const error = envelope === 'array' ? at(answer.body, RESOURCE, 0) : answer.body;
    expect(answer.status).toBe(status);
    expect(error).toEqual({ code, details, message: expect.any(String), status: 'error' });
    expect(sandbox.enrichments()).toEqual([]);
    expect(sandbox.log().at(-1)).toMatchObject({ kind: 'post', status, code, enrichmentId: null });
  });

  test('is accepted with 202 and an id beyond what a number can hold, and logged with what was sent', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const caller = await openCaller(sandbox);

    const answer = await caller.post(VALID, 'module=Leads&record_id=554023000000123456');

    const id = at(answer.body, RESOURCE, 0, 'details', 'id');
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({
      [RESOURCE]: [
        { code: 'SCHEDULED', details: { id }, message: 'Org Enrichment scheduled successfully', status: 'success' },
      ],
    });
    expect(id).toMatch(/^\d{18,19}$/);
    expect(BigInt(String(id))).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
    expect(sandbox.enrichments()).toMatchObject([{ id, sent: { module: 'Leads', recordId: '554023000000123456' } }]);
    expect(sandbox.log().at(-1)).toMatchObject({ kind: 'post', status: 202, code: 'SCHEDULED', enrichmentId: id });
  });

  test('gets an id that no earlier one had, also after a reset', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const before = await (await openCaller(sandbox)).schedule('Zylker');
    sandbox.reset();
    const after = await (await openCaller(sandbox)).schedule('Zylker');
    expect(after).not.toBe(before);
  });
});

describe('a call', () => {
  test.each([
    ['without a token', {}, 'AUTHENTICATION_FAILURE'],
    ['with a bearer token', { authorization: 'Bearer sandbox' }, 'AUTHENTICATION_FAILURE'],
    ['with a token nobody issued', { authorization: 'Zoho-oauthtoken 1000.a.b' }, 'INVALID_TOKEN'],
  ])('%s is answered 401', async (_, headers, code) => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const response = await fetch(`${sandbox.url}/crm/v7/${RESOURCE}`, { headers });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code, status: 'error' });
  });

  test.each([
    ['of a version before enrichment', `/crm/v6/${RESOURCE}`, 400, 'API_NOT_SUPPORTED'],
    ['of a version nobody knows', `/crm/v99/${RESOURCE}`, 404, 'INVALID_URL_PATTERN'],
    ['of an unknown path', '/crm/v7/nothing', 404, 'INVALID_URL_PATTERN'],
    ['of an unknown root', '/nothing', 404, 'INVALID_URL_PATTERN'],
  ])('%s is refused', async (_, path, status, code) => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t));
    expect(await caller.get(path)).toMatchObject({ status, body: { code, status: 'error' } });
  });

  test('of version 8 is served like one of version 7', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t));
    await caller.schedule('Zylker');
    expect(await caller.get(`/crm/v8/${RESOURCE}`)).toMatchObject({ status: 200 });
  });
});

describe('under pressure', () => {
  test('accepts exactly the quota when 50 submissions arrive at once', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { quota: 20, latencyMs: [1, 10] });
    const caller = await openCaller(sandbox);

    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => caller.post(basedOn({ name: `Company ${index}` }))),
    );

    expect(answers.filter(({ status }) => status === 202)).toHaveLength(20);
    const refused = answers.filter(({ status }) => status === 400);
    expect(refused).toHaveLength(30);
    expect(refused.every(({ body }) => at(body, RESOURCE, 0, 'code') === 'LIMIT_EXCEEDED')).toBe(true);
    expect(sandbox.enrichments()).toHaveLength(20);
  });

  test('answers 429 to what exceeds its concurrency, and accepts nothing of it', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { concurrency: 3, latencyMs: 150 });
    const caller = await openCaller(sandbox);

    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => caller.post(basedOn({ name: `Company ${index}` }))),
    );

    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
    expect(sandbox.enrichments()).toHaveLength(3);
  });

  test('answers 429 beyond its rate', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { ratePerSecond: 5 });
    const caller = await openCaller(sandbox);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => caller.post(basedOn({ name: `Company ${index}` }))),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  });
});
