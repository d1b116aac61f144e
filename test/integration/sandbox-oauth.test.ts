import { describe, expect, test } from '@jest/globals';
import type { SandboxOptions } from '../../src/sandbox/options.js';
import { openSandbox } from '../support/sandbox.js';
import { ACCOUNT, at, openCaller, RESOURCE } from '../support/sandbox-caller.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const REFRESH = { grant_type: 'refresh_token', ...ACCOUNT };
const { refresh_token: _, ...CLIENT } = ACCOUNT;
const GRANT = { grant_type: 'authorization_code', ...CLIENT, code: 'sandbox' };

async function ask(url: string, body: URLSearchParams | FormData | null, path = '/oauth/v2/token') {
  const response = await fetch(url + path, { method: 'POST', body });
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined };
}

function multipart(params: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(params)) form.set(name, value);
  return form;
}

describe('a refresh', () => {
  test.each([
    ['in the query', null, `/oauth/v2/token?${new URLSearchParams(REFRESH)}`],
    ['as a form', new URLSearchParams(REFRESH), undefined],
    ['as multipart', multipart(REFRESH), undefined],
  ])('sent %s gives a token for an hour that the API takes', async (_where, body, path) => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const answer = await ask(sandbox.url, body, path);
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 3_600 } });
    expect(at(answer.body, 'api_domain')).toBe(sandbox.url);
    expect(answer.body).not.toHaveProperty('refresh_token');
    const authorization = `Zoho-oauthtoken ${at(answer.body, 'access_token')}`;
    const { status } = await fetch(`${sandbox.url}/crm/v7/${RESOURCE}`, { headers: { authorization } });
    expect(status).toBe(204);
  });

  test.each([
    ['another client', { client_id: 'mine' }, {}, 'invalid_client'],
    ['another secret', { client_secret: 'mine' }, {}, 'invalid_client_secret'],
    ['another refresh token', { refresh_token: 'mine' }, {}, 'invalid_code'],
    ['the wrong data center', {}, { wrongDataCenter: 'accounts' }, 'invalid_client'],
  ] satisfies [string, Record<string, string>, Partial<SandboxOptions>, string][])(
    'with %s is refused in a 200',
    async (_what, params, options, error) => {
      await using t = setup();
      const { url } = await openSandbox(t, options);
      const answer = await ask(url, new URLSearchParams({ ...REFRESH, ...params }));
      expect(answer).toMatchObject({ status: 200, body: { error } });
      expect(answer.body).toEqual({ error });
    },
  );

  test('is throttled after as many tokens as ten minutes allow', async () => {
    await using t = setup();
    const { url } = await openSandbox(t, { tokensPerTenMinutes: 3 });
    for (const _time of [1, 2, 3]) expect((await ask(url, new URLSearchParams(REFRESH))).status).toBe(200);
    const answer = await ask(url, new URLSearchParams(REFRESH));
    expect(answer).toMatchObject({ status: 400, body: { error: 'Access Denied', status: 'failure' } });
  });

  test('is throttled, and served again, when told so while running', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    sandbox.configure({ tokenThrottled: true });
    expect((await ask(sandbox.url, new URLSearchParams(REFRESH))).status).toBe(400);
    sandbox.configure({ tokenThrottled: false });
    expect((await ask(sandbox.url, new URLSearchParams(REFRESH))).status).toBe(200);
  });

  test('meets a page of HTML while the accounts server is down, and the API goes on', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const caller = await openCaller(sandbox);
    sandbox.configure({ accountsOutage: true });
    const answer = await ask(sandbox.url, new URLSearchParams(REFRESH));
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('<html>');
    expect((await caller.get(RESOURCE)).status).toBe(204);
  });

  test('that a fault answers issues no token', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, {
      tokensPerTenMinutes: 1,
      faults: [{ kind: 'http-500', on: 'token', share: 1, times: 1 }],
    });
    expect((await ask(sandbox.url, new URLSearchParams(REFRESH))).status).toBe(500);
    expect((await ask(sandbox.url, new URLSearchParams(REFRESH))).status).toBe(200);
    expect((await ask(sandbox.url, new URLSearchParams(REFRESH))).status).toBe(400);
  });
});

describe('an access token', () => {
  test('is refused once its life is over', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, { tokenLifeSeconds: 1 }));
    const refused = await waitFor(async () => {
      const answer = await caller.get(RESOURCE);
      return answer.status === 401 && answer;
    });
    expect(refused.body).toMatchObject({ code: 'INVALID_TOKEN', details: {} });
  });

  test('ends when fifteen newer ones were issued', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t));
    for (let newer = 0; newer < 14; newer++) await caller.token();
    expect((await caller.get(RESOURCE)).status).toBe(204);
    await caller.token();
    expect((await caller.get(RESOURCE)).status).toBe(401);
  });

  test('ends when its refresh token is revoked, which then gives no other', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t);
    const caller = await openCaller(sandbox);
    const revoked = await ask(sandbox.url, new URLSearchParams({ token: 'sandbox' }), '/oauth/v2/token/revoke');
    expect(revoked.body).toEqual({ status: 'success' });
    expect((await caller.get(RESOURCE)).status).toBe(401);
    expect((await caller.token()).body).toEqual({ error: 'invalid_code' });
  });
});

test('a grant code gives a refresh token once', async () => {
  await using t = setup();
  const { url } = await openSandbox(t);
  expect((await ask(url, new URLSearchParams({ ...GRANT, code: 'other' }))).body).toEqual({ error: 'invalid_code' });
  expect((await ask(url, new URLSearchParams(GRANT))).body).toMatchObject({
    access_token: expect.any(String),
    refresh_token: 'sandbox',
  });
  expect((await ask(url, new URLSearchParams(GRANT))).body).toEqual({ error: 'invalid_code' });
});
