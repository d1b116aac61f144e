import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { TokenState } from '../../src/lib/core/token-lease.js';
import type { Logger } from '../../src/lib/logger.js';
import type { Document } from '../../src/lib/store/store.js';
import type { AccessTokens } from '../../src/lib/zoho/access-tokens.js';
import { type AccessTokensOptions, FleetTokens } from '../../src/lib/zoho/access-tokens.js';
import { serversOf } from '../../src/lib/zoho/data-centers.js';
import { refreshAccessToken } from '../../src/lib/zoho/oauth.js';
import { createTransport } from '../../src/lib/zoho/transport.js';
import { ENGINE_KINDS, type EngineKind, openTestEngine, quietLog } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { openTokenServer, type TokenServer, tokenBody } from '../support/token-server.js';
import { waitFor } from '../support/wait.js';

const CREDENTIALS = { clientId: '1000.CLIENT', clientSecret: 'very-secret-value', refreshToken: '1000.refresh.token' };
const WORKERS = 8;

let t: TestScope;
let accounts: TokenServer;
beforeEach(async () => {
  t = setup();
  accounts = t.closing(await openTokenServer(), (server) => server.close());
});
afterEach(() => t.close());

/** A fleet on one store. Its cells count how often they are asked. */
async function openFleet(kind: EngineKind = 'redis') {
  const { engine, close } = await openTestEngine(kind);
  t.closing(engine, close);
  const document = engine.store.document<TokenState>('token');
  let asked = 0;
  const counted: Document<TokenState> = {
    read: () => {
      asked++;
      return document.read();
    },
    change: (next) => {
      asked++;
      return document.change(next);
    },
  };
  const servers = serversOf({ dc: 'us', apiVersion: 'v7', accountsUrl: accounts.url });
  let hired = 0;
  const worker = (options: Partial<AccessTokensOptions> = {}): AccessTokens => {
    const transport = t.closing(createTransport({ requestTimeoutMs: 2_000, userAgent: 'test' }), (opened) =>
      opened.close(),
    );
    return new FleetTokens({
      document: counted,
      refresh: () => refreshAccessToken({ transport, servers }, CREDENTIALS),
      credentialsId: 'credentials',
      defaultApiDomain: servers.defaultApiDomain,
      workerId: `worker-${++hired}`,
      leaseMs: 3_000,
      random: Math.random,
      log: quietLog,
      ...options,
    });
  };
  return { document, worker, workers: () => Array.from({ length: WORKERS }, () => worker()), asked: () => asked };
}

const all = (workers: readonly AccessTokens[]) => Promise.all(workers.map((tokens) => tokens.get()));
const token = (accessToken: string) => ({ kind: 'token', accessToken, apiDomain: 'https://www.zohoapis.com' });
const each = (answer: unknown) => Array.from({ length: WORKERS }, () => answer);

describe.each(ENGINE_KINDS)('on %s', (kind) => {
  test('eight workers that start at once ask for one token', async () => {
    const { workers } = await openFleet(kind);
    expect(await all(workers())).toEqual(each(token('token-1')));
    expect(accounts.requests).toHaveLength(1);
  });
});

test('a token in hand is used without asking the store', async () => {
  const { worker, asked } = await openFleet();
  const tokens = worker();
  await tokens.get();
  const before = asked();
  for (let times = 0; times < 1_000; times++) expect(await tokens.get()).toEqual(token('token-1'));
  expect(asked()).toBe(before);
});

test('a refused token is refreshed once, however many workers say so', async () => {
  const { workers } = await openFleet();
  const fleet = workers();
  await all(fleet);
  await Promise.all(fleet.map((tokens) => tokens.reject('token-1')));
  expect(await all(fleet)).toEqual(each(token('token-2')));
  await Promise.all(fleet.map((tokens) => tokens.reject('token-1')));
  expect(await all(fleet)).toEqual(each(token('token-2')));
  expect(accounts.requests).toHaveLength(2);
});

test('before its end the token is refreshed once, and nobody waits for that', async () => {
  let answer: (() => void) | undefined;
  accounts.answer = (number) => {
    if (number === 1) return { body: tokenBody('token-1', 5) };
    return new Promise((resolve) => {
      answer = () => resolve({ body: tokenBody(`token-${number}`) });
    });
  };
  const { workers } = await openFleet();
  const fleet = workers();
  await all(fleet);
  await waitFor(
    async () => {
      expect(await all(fleet)).toEqual(each(token('token-1')));
      return accounts.requests.length === 2;
    },
    { what: 'the refresh to begin' },
  );
  expect(await all(fleet)).toEqual(each(token('token-1')));
  answer?.();
  await waitFor(async () => (await all(fleet)).every((got) => got.kind === 'token' && got.accessToken === 'token-2'), {
    what: 'the new token to reach everybody',
  });
  expect(accounts.requests).toHaveLength(2);
});

test('a throttled fleet asks once and then not for ten minutes', async () => {
  accounts.answer = () => ({
    status: 400,
    body: { error: 'Access Denied', error_description: 'x', status: 'failure' },
  });
  const { workers, document } = await openFleet();
  const fleet = workers();
  for (const answer of [...(await all(fleet)), ...(await all(fleet))]) {
    expect(answer).toMatchObject({ kind: 'wait', reason: 'throttled' });
    expect(answer.kind === 'wait' && answer.waitMs).toBeGreaterThan(590_000);
  }
  expect(accounts.requests).toHaveLength(1);
  const { value, nowMs } = await document.read();
  expect((value?.notBeforeMs ?? 0) - nowMs).toBeGreaterThan(590_000);
});

test('wrong credentials are asked about once by the whole fleet', async () => {
  accounts.answer = () => ({ body: { error: 'invalid_client' } });
  const { workers } = await openFleet();
  expect(await all(workers())).toEqual(each(expect.objectContaining({ kind: 'permanent', code: 'invalid_client' })));
  expect(accounts.requests).toHaveLength(1);
});

test('corrected credentials are asked about at once', async () => {
  accounts.answer = (number) => ({ body: number === 1 ? { error: 'invalid_client' } : tokenBody('token-2') });
  const { worker } = await openFleet();
  await worker().get();
  expect(await worker({ credentialsId: 'corrected' }).get()).toEqual(token('token-2'));
});

test('an accounts server that was away for a moment is asked again', async () => {
  accounts.answer = (number) => (number === 1 ? { status: 503, body: '' } : { body: tokenBody(`token-${number}`) });
  const { workers } = await openFleet();
  const fleet = workers();
  expect(await all(fleet)).toEqual(each({ kind: 'outage', code: 'OAUTH_HTTP_503' }));
  await waitFor(async () => (await all(fleet)).every(({ kind }) => kind === 'token'), { what: 'a token' });
  expect(accounts.requests).toHaveLength(2);
});

test('the refresh of a worker that died is taken over when its lease ends', async () => {
  const { worker } = await openFleet();
  const never = new Promise<never>(() => undefined);
  void worker({ refresh: () => never, leaseMs: 800 }).get();
  const other = worker();
  await waitFor(async () => {
    const answer = await other.get();
    return answer.kind === 'token';
  });
  expect(accounts.requests).toHaveLength(1);
});

test('waiting for the refresh of another worker has an end', async () => {
  const { worker, document } = await openFleet();
  const never = new Promise<never>(() => undefined);
  // One length for both: a lease that ends later than any can counts as one from before the clock was set back.
  const leaseMs = 60_000;
  void worker({ refresh: () => never, leaseMs }).get();
  await waitFor(async () => (await document.read()).value !== null, { what: 'the lease' });
  expect(await worker({ patienceMs: 400, leaseMs }).get()).toEqual({ kind: 'wait', waitMs: 150, reason: 'refreshing' });
  expect(accounts.requests).toHaveLength(0);
});

test('nothing but the token itself is kept, and no secret is logged', async () => {
  const lines: string[] = [];
  const write = (event: string, fields = {}) => lines.push(JSON.stringify([event, fields]));
  const log: Logger = { error: write, warn: write, info: write, debug: write, child: () => log };
  const { worker, document } = await openFleet();
  const tokens = worker({ log });
  await tokens.get();
  accounts.answer = () => ({ body: { error: `no ${CREDENTIALS.clientSecret}` } });
  await tokens.reject('token-1');
  await tokens.get();
  const kept = JSON.stringify((await document.read()).value);
  expect(lines).not.toHaveLength(0);
  for (const secret of [...Object.values(CREDENTIALS), 'token-1']) expect(lines.join('\n')).not.toContain(secret);
  for (const secret of Object.values(CREDENTIALS)) expect(kept).not.toContain(secret);
});
