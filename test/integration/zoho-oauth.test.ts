import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { serversOf, type ZohoServers } from '../../src/lib/zoho/data-centers.js';
import {
  credentialsId,
  exchangeGrantCode,
  type OAuthSettings,
  refreshAccessToken,
  revokeRefreshToken,
} from '../../src/lib/zoho/oauth.js';
import { createTransport } from '../../src/lib/zoho/transport.js';
import { setup, type TestScope } from '../support/setup.js';
import { openTokenServer, type TokenServer, tokenBody } from '../support/token-server.js';

const CREDENTIALS = { clientId: '1000.CLIENT', clientSecret: 'very+secret&value', refreshToken: '1000.refresh.token' };

let t: TestScope;
let accounts: TokenServer;
beforeEach(async () => {
  t = setup();
  accounts = t.closing(await openTokenServer(), (server) => server.close());
});
afterEach(() => t.close());

function settings(apiDomain?: string): OAuthSettings {
  const servers = serversOf({
    dc: 'eu',
    apiVersion: 'v7',
    accountsUrl: accounts.url,
    ...(apiDomain === undefined ? {} : { apiDomain }),
  });
  const transport = t.closing(createTransport({ requestTimeoutMs: 2_000, userAgent: 'test' }), (opened) =>
    opened.close(),
  );
  return { servers, transport };
}

async function refreshed(body: unknown, status = 200, apiDomain?: string): Promise<unknown> {
  accounts.answer = () => ({ status, body });
  const answer = await refreshAccessToken(settings(apiDomain), CREDENTIALS);
  for (const secret of Object.values(CREDENTIALS)) expect(JSON.stringify(answer)).not.toContain(secret);
  return answer;
}

const token = (rest: object = {}) => ({
  kind: 'token',
  accessToken: 'abc',
  apiDomain: 'https://www.zohoapis.com',
  lifeMs: 3_600_000,
  ...rest,
});

test('secrets travel in the body, never in the address', async () => {
  await refreshed(tokenBody('abc'));
  expect(accounts.requests).toMatchObject([
    {
      path: '/oauth/v2/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      form: {
        grant_type: 'refresh_token',
        client_id: CREDENTIALS.clientId,
        client_secret: CREDENTIALS.clientSecret,
        refresh_token: CREDENTIALS.refreshToken,
      },
    },
  ]);
});

describe('a token', () => {
  const without = (name: string) => ({ ...tokenBody('abc'), [name]: undefined });
  test.each<[string, object, unknown]>([
    ['as documented', tokenBody('abc'), token()],
    ['without expires_in', without('expires_in'), token()],
    ['with expires_in as text', { ...tokenBody('abc'), expires_in: '600' }, token({ lifeMs: 600_000 })],
    ['with expires_in in milliseconds', { ...tokenBody('abc'), expires_in: 3_600_000 }, token()],
    ['with expires_in_sec', { ...tokenBody('abc'), expires_in: 60_000, expires_in_sec: 60 }, token({ lifeMs: 60_000 })],
    ['with expires_in nonsense', { ...tokenBody('abc'), expires_in: 'soon' }, token()],
    ['with expires_in 0', { ...tokenBody('abc'), expires_in: 0 }, token()],
    ['without api_domain', without('api_domain'), token({ apiDomain: null })],
    [
      'for a sandbox org',
      { ...tokenBody('abc'), api_domain: 'https://sandbox.zohoapis.eu' },
      token({ apiDomain: 'https://sandbox.zohoapis.eu' }),
    ],
    [
      'from a server on this machine that names another',
      { ...tokenBody('abc'), api_domain: 'http://127.0.0.1:9/' },
      token({ apiDomain: 'http://127.0.0.1:9' }),
    ],
  ])('%s', async (_case, body, expected) => {
    expect(await refreshed(body)).toEqual(expected);
  });

  test('an explicit API domain wins over the one in the answer', async () => {
    expect(await refreshed(tokenBody('abc'), 200, 'https://api.example')).toEqual(
      token({ apiDomain: 'https://api.example' }),
    );
  });

  test.each([
    'https://www.zohoapis.com.evil.example',
    'https://evil.example',
    'http://www.zohoapis.com',
    'https://user@www.zohoapis.com',
    'https://www.zohoapis.com:8443',
    'ftp://127.0.0.1',
    'www.zohoapis.com',
  ])('is not taken for the API domain %s', async (api_domain) => {
    expect(await refreshed({ ...tokenBody('abc'), api_domain })).toMatchObject({
      kind: 'permanent',
      code: 'UNKNOWN_API_DOMAIN',
    });
  });
});

describe('no token', () => {
  const permanent = (code: string) => ({ kind: 'permanent', code });
  const throttled = { kind: 'throttled', code: 'OAUTH_THROTTLED' };
  const unreadable = (status: number) => ({ kind: 'outage', code: `OAUTH_HTTP_${status}`, answered: true });
  test.each<[string, number, unknown, object]>([
    ['a wrong client with status 200', 200, { error: 'invalid_client' }, permanent('invalid_client')],
    ['a wrong client with status 400', 400, { error: 'invalid_client' }, permanent('invalid_client')],
    ['a wrong secret', 200, { error: 'invalid_client_secret' }, permanent('invalid_client_secret')],
    ['a revoked refresh token', 200, { error: 'invalid_code' }, permanent('invalid_code')],
    [
      'a known code with a description',
      400,
      { error: 'invalid_code', error_description: 'x' },
      permanent('invalid_code'),
    ],
    ['access_denied', 400, { error: 'access_denied' }, permanent('access_denied')],
    ['a code nobody knows', 200, { error: 'general_error' }, permanent('general_error')],
    ['a text that is no code', 200, { error: `no ${CREDENTIALS.clientSecret}` }, permanent('OAUTH_REFUSED')],
    [
      'throttled with status 400',
      400,
      { error_description: 'You have made too many requests continuously.', error: 'Access Denied', status: 'failure' },
      throttled,
    ],
    ['throttled with status 200', 200, { error: 'Access Denied' }, throttled],
    [
      'throttled in another language',
      400,
      { error: '访问被拒绝', error_description: '请稍后再试', status: 'failure' },
      throttled,
    ],
    ['throttled, only the status tells', 400, { error: '访问被拒绝', status: 'failure' }, throttled],
    ['429', 429, 'slow down', throttled],
    ['500', 500, { error: 'invalid_client_or_so' }, { kind: 'outage', code: 'OAUTH_HTTP_500', answered: false }],
    ['HTML', 200, '<html>Access Denied</html>', unreadable(200)],
    ['an empty body', 200, '', unreadable(200)],
    ['an empty object', 200, {}, unreadable(200)],
    ['an empty token', 200, { access_token: '' }, unreadable(200)],
    ['a token with a line break', 200, { access_token: 'a\nb' }, unreadable(200)],
    ['a redirect', 302, '', unreadable(302)],
    ['a server in trouble, in OAuth words', 400, { error: 'server_error' }, unreadable(400)],
  ])('%s', async (_case, status, body, expected) => {
    expect(await refreshed(body, status)).toMatchObject(expected);
  });

  test('an accounts server that is away', async () => {
    const at = settings();
    await accounts.close();
    expect(await refreshAccessToken(at, CREDENTIALS)).toEqual({
      kind: 'outage',
      code: 'ECONNREFUSED',
      answered: false,
    });
  });
});

describe('logging in and out', () => {
  test('a grant code becomes a refresh token', async () => {
    accounts.answer = () => ({ body: { ...tokenBody('abc'), refresh_token: '1000.new' } });
    expect(await exchangeGrantCode(settings(), CREDENTIALS, '1000.code')).toEqual({
      ...token(),
      kind: 'granted',
      refreshToken: '1000.new',
    });
    expect(accounts.requests[0]?.form).toMatchObject({ grant_type: 'authorization_code', code: '1000.code' });
  });

  test('a code that was used before is refused', async () => {
    accounts.answer = () => ({ body: { error: 'invalid_code' } });
    expect(await exchangeGrantCode(settings(), CREDENTIALS, '1000.code')).toMatchObject({
      kind: 'permanent',
      code: 'invalid_code',
    });
  });

  test('an answer without a refresh token is no login', async () => {
    expect(await exchangeGrantCode(settings(), CREDENTIALS, '1000.code')).toMatchObject({ code: 'NO_REFRESH_TOKEN' });
  });

  test('revoking says whether it worked', async () => {
    accounts.answer = () => ({ body: { status: 'success' } });
    expect(await revokeRefreshToken(settings(), '1000.refresh.token')).toEqual({ kind: 'revoked' });
    accounts.answer = () => ({ status: 400, body: { error: 'invalid_code' } });
    expect(await revokeRefreshToken(settings(), '1000.refresh.token')).toMatchObject({ kind: 'permanent' });
    expect(accounts.requests.map(({ path }) => path)).toEqual(['/oauth/v2/token/revoke', '/oauth/v2/token/revoke']);
  });
});

test('credentials are told apart by a fingerprint that gives none of them away', () => {
  const servers: ZohoServers = serversOf({ dc: 'us', apiVersion: 'v7' });
  const id = credentialsId(servers, CREDENTIALS);
  expect(credentialsId(servers, { ...CREDENTIALS })).toBe(id);
  expect(credentialsId(servers, { ...CREDENTIALS, refreshToken: 'other' })).not.toBe(id);
  expect(credentialsId(serversOf({ dc: 'eu', apiVersion: 'v7' }), CREDENTIALS)).not.toBe(id);
  expect(id).toMatch(/^[\w-]{22}$/);
});
