import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../src/dashboard/server.js';
import { INITIAL_CONTROL, resumed, stopped } from '../../src/lib/core/control.js';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { jobOptions } from '../../src/lib/queues.js';
import { ENGINE_KINDS, openTestEngine, quietLog } from '../support/engines.js';

const KEY = 'r1AAAAAAAAAAAAAAAAAAAAAA' as IdentityKey;
const STOP = { code: 'LIMIT_EXCEEDED', message: 'Quota <spent>.', sinceMs: 1_750_000_000_000, key: null, line: null };

describe.each(ENGINE_KINDS)('dashboard on the %s engine', (kind) => {
  let engine: Engine;
  let closers: (() => Promise<void>)[];
  beforeEach(async () => {
    const opened = await openTestEngine(kind);
    engine = opened.engine;
    closers = [opened.close];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function start(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
    const dashboard = await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog, ...options });
    closers.push(dashboard.close);
    return dashboard;
  }

  async function enqueueOne(): Promise<void> {
    const queue = engine.openQueue();
    await queue.add('enrich', { v: 1, module: 'Accounts', name: 'Acme Ltd' }, jobOptions(KEY, 5));
    await queue.close();
  }

  test('shows engine, counts and a stop with its reason, all escaped', async () => {
    await enqueueOne();
    const { url } = await start();
    expect(await (await fetch(url)).text()).toMatch(/Running[\s\S]*waiting<\/th><td>1</);
    await engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    const page = await (await fetch(url)).text();
    expect(page).toContain('LIMIT_EXCEEDED');
    expect(page).toContain('Quota &lt;spent&gt;.');
    expect(page).toContain('npm run resume');
    await engine.store.control.change((control) => resumed(control ?? INITIAL_CONTROL));
    expect(await (await fetch(url)).text()).toContain('One row is tried before the rest');
  });

  test('shows the queue and its jobs in bull-board', async () => {
    await enqueueOne();
    const { url } = await start();
    const query = `activeQueue=${engine.queueName}&status=waiting&page=1&jobsPerPage=10`;
    const answer = await fetch(`${url}/queues/api/queues?${query}`);
    const { queues } = JSON.parse(await answer.text());
    expect(queues).toMatchObject([{ name: engine.queueName, readOnlyMode: true, counts: { waiting: 1 } }]);
    expect(queues[0].jobs).toMatchObject([{ id: KEY, data: { name: 'Acme Ltd' } }]);
    expect((await fetch(`${url}/queues/api/redis/stats`)).status).toBe(200);
  });

  test('answers /healthz while the queue can be read', async () => {
    const { url } = await start();
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
  });

  test('changes jobs only when asked to', async () => {
    await enqueueOne();
    const clean = async ({ url }: Dashboard) => {
      const path = `${url}/queues/api/queues/${engine.queueName}/${KEY}/clean`;
      return (await fetch(path, { method: 'PUT', headers: { origin: url } })).status;
    };
    expect(await clean(await start())).toBe(405);
    expect((await engine.counts()).waiting).toBe(1);
    expect(await clean(await start({ allowChanges: true }))).toBe(204);
    expect((await engine.counts()).waiting).toBe(0);
  });
});

describe('dashboard access', () => {
  let engine: Engine;
  let closers: (() => Promise<void>)[];
  beforeEach(async () => {
    const opened = await openTestEngine('redis');
    engine = opened.engine;
    closers = [opened.close];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function start(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
    const dashboard = await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog, ...options });
    closers.push(dashboard.close);
    return dashboard;
  }

  const LOGIN = { user: 'ops', password: 'pässword:1' };
  const authorization = (user: string, password: string) =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

  test.each(['0.0.0.0', '::', '192.0.2.1', 'dashboard.example.com'])(
    'refuses to listen on %s without a login',
    async (host) => {
      await expect(start({ host })).rejects.toMatchObject({ code: 'DASHBOARD_NEEDS_LOGIN', exitCode: 2 });
    },
  );

  test.each([
    { user: 'ops', password: undefined },
    { user: undefined, password: 'secret' },
    { user: 'ops', password: '' },
  ])('refuses half a login: %j', async (half) => {
    await expect(start(half)).rejects.toMatchObject({ code: 'DASHBOARD_LOGIN_INCOMPLETE', exitCode: 2 });
  });

  test.each(['127.0.0.1', 'localhost', '::1'])('listens on %s without a login', async (host) => {
    const { url } = await start({ host });
    expect((await fetch(url)).status).toBe(200);
  });

  test('asks for the login on every page but /healthz', async () => {
    const { url } = await start({ host: '0.0.0.0', ...LOGIN });
    const local = url.replace('0.0.0.0', '127.0.0.1');
    const status = async (path: string, header?: string) =>
      (await fetch(local + path, { headers: header === undefined ? {} : { authorization: header } })).status;
    for (const path of ['/', '/queues', '/queues/api/queues', '/nothing']) {
      expect([path, await status(path)]).toEqual([path, 401]);
      expect([path, await status(path, authorization('ops', 'wrong'))]).toEqual([path, 401]);
    }
    expect(await status('/healthz')).toBe(200);
    expect(await status('/', authorization(LOGIN.user, LOGIN.password))).toBe(200);
    expect(await status('/queues', authorization(LOGIN.user, LOGIN.password))).toBe(200);
  });

  test.each([
    ['localhost:3000', 200],
    ['127.0.0.1', 200],
    ['[::1]:80', 200],
    ['evil.example.com', 421],
    ['127.0.0.1.evil.example.com:3000', 421],
    ['localhost.evil.example.com', 421],
  ])('answers a request for host %s with %i when it has no login', async (host, expected) => {
    const { url } = await start();
    for (const path of ['/', '/queues/api/queues', '/healthz'])
      expect(await statusFor(url + path, host)).toBe(expected);
  });

  test.each([
    ['another site', { origin: 'http://evil.example.com', 'sec-fetch-site': 'cross-site' }, 403],
    ['a form without an origin', { 'content-type': 'application/x-www-form-urlencoded' }, 403],
    ['the page itself', { 'sec-fetch-site': 'same-origin' }, 204],
  ])('treats a change asked for by %s as it should', async (_name, headers: Record<string, string>, expected) => {
    const { url } = await start({ allowChanges: true });
    const pause = `${url}/queues/api/queues/${engine.queueName}/pause`;
    const { status } = await fetch(pause, { method: 'PUT', headers });
    // bull-board answers a change with 200 or 204; what matters is whether it was let through.
    expect(status === 403 ? 403 : 204).toBe(expected);
  });

  test('asks nobody else for anything: pages, styles and scripts come from here', async () => {
    const { url } = await start();
    const board = await fetch(`${url}/queues`);
    const page = await board.text();
    const linked = [...page.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(linked.length).toBeGreaterThan(3);
    for (const link of linked) {
      expect(link).not.toMatch(/^(https?:)?\/\//);
      expect((await fetch(new URL(link, `${url}/queues/`))).status).toBe(200);
    }
    const policy = board.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('http');
    expect(board.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('finds the queue with a slash at the end too', async () => {
    const { url } = await start();
    expect((await fetch(`${url}/queues/`)).status).toBe(200);
  });

  test('serves no file but the board’s own', async () => {
    const { url } = await start();
    for (const path of ['/queues/static/../../../package.json', '/queues/static/%2e%2e/%2e%2e/package.json']) {
      expect(await rawStatus(url, path)).toBe(404);
    }
  });

  test('says what to change when the port is taken', async () => {
    const { url } = await start();
    await expect(start({ port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: 'DASHBOARD_CANNOT_LISTEN',
      exitCode: 2,
      message: expect.stringContaining('another program uses it'),
    });
  });

  test('closes twice without harm and ends open connections', async () => {
    const dashboard = await start();
    await fetch(dashboard.url, { headers: { connection: 'keep-alive' } });
    await Promise.all([dashboard.close(), dashboard.close()]);
    await expect(fetch(dashboard.url)).rejects.toThrow();
  });
});

/** fetch sets Host itself, so a plain request is made. */
function statusFor(url: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: { host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject).end();
  });
}

/** fetch tidies the path, so a plain request is made. */
function rawStatus(url: string, path: string): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject).end();
  });
}
