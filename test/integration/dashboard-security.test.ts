import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fileDesk } from '../../src/cli/file-desk.js';
import { createFailedLogins } from '../../src/dashboard/failed-logins.js';
import { isSameSecret } from '../../src/dashboard/login.js';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../src/dashboard/server.js';
import { loadConfig } from '../../src/lib/config.js';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openTestEngine, quietLog } from '../support/engines.js';

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

  const FILES = () => ({
    desk: fileDesk({ engine, config: loadConfig({}) }, async () => null),
    module: 'Accounts',
  });
  const STOP = { code: 'LIMIT_EXCEEDED', message: 'Quota spent.', sinceMs: 1_750_000_000_000, key: null, line: null };
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

  test('asks for the login everywhere but for health', async () => {
    const { url } = await start({ host: '0.0.0.0', ...LOGIN });
    const local = url.replace('0.0.0.0', '127.0.0.1');
    const status = async (path: string, header?: string) =>
      (await fetch(local + path, { headers: header === undefined ? {} : { authorization: header } })).status;
    for (const path of [
      '/',
      '/events',
      '/metrics',
      '/files/x',
      '/assets/app.js',
      '/queues',
      '/queues/api/queues',
      '/nothing',
    ]) {
      expect([path, await status(path)]).toEqual([path, 401]);
      expect([path, await status(path, authorization('ops', 'wrong'))]).toEqual([path, 401]);
    }
    for (const path of ['/resume', '/files', '/files/x/enqueue']) {
      expect((await fetch(local + path, { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(
        401,
      );
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
    ['dash.example.com:3000', 200],
    ['DASH.example.com', 200],
    ['192.0.2.7:3000', 200],
    ['[2001:db8::1]:3000', 200],
    ['evil.example.com', 421],
    ['dash.example.com.evil.example.com', 421],
  ])('answers a request for host %s with %i when it has a login', async (host, expected) => {
    const { url } = await start({ host: '0.0.0.0', ...LOGIN, allowedHosts: ['dash.example.com'] });
    const local = url.replace('0.0.0.0', '127.0.0.1');
    expect(await statusFor(local, host, { authorization: authorization(LOGIN.user, LOGIN.password) })).toBe(expected);
    expect(await statusFor(`${local}/healthz`, host)).toBe(expected);
  });

  describe('failed logins', () => {
    test('block an address after ten, also from the right login, but not other addresses', async () => {
      const { url } = await start(LOGIN);
      const login = (password: string) =>
        fetch(url, { headers: { authorization: authorization(LOGIN.user, password) } });
      for (let at = 0; at < 10; at += 1) expect((await login(`guess ${at}`)).status).toBe(401);
      const refused = await login(LOGIN.password);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(200);
    });

    test('do not count a first visit without a login, and are forgotten after a right one', async () => {
      const { url } = await start(LOGIN);
      const visit = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
      for (let at = 0; at < 20; at += 1) expect(await visit({})).toBe(401);
      for (let round = 0; round < 3; round += 1) {
        for (let at = 0; at < 9; at += 1) await visit({ authorization: authorization('ops', 'wrong') });
        expect(await visit({ authorization: authorization(LOGIN.user, LOGIN.password) })).toBe(200);
      }
    });

    test('are counted by network and forgotten after five minutes', () => {
      let nowMs = 0;
      const failures = createFailedLogins(() => nowMs);
      for (let at = 0; at < 10; at += 1) failures.add(`2001:db8:1:2::${at}`);
      expect(failures.blockedForMs('2001:db8:1:2:ffff::1')).toBe(300_000);
      expect(failures.blockedForMs('2001:db8:1:3::1')).toBe(0);
      expect(failures.blockedForMs('192.0.2.1')).toBe(0);
      nowMs = 300_000;
      expect(failures.blockedForMs('2001:db8:1:2::1')).toBe(0);
    });
  });

  test('compares secrets in a time that does not tell where they differ', () => {
    const secret = 'x'.repeat(2_000_000);
    const early = `y${secret.slice(1)}`;
    const late = `${secret.slice(1)}y`;
    expect([isSameSecret(secret, secret), isSameSecret(secret, early), isSameSecret(secret, late)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([isSameSecret('', ''), isSameSecret('a', ''), isSameSecret('a', 'aa')]).toEqual([true, false, false]);
    // A plain comparison finds the early difference a thousand times sooner.
    const fastest = (other: string) =>
      Math.min(
        ...Array.from({ length: 9 }, () => {
          const startedAt = performance.now();
          isSameSecret(secret, other);
          return performance.now() - startedAt;
        }),
      );
    expect(fastest(late) / fastest(early)).toBeLessThan(3);
  });

  const OWN_HOST = 'its own host';
  test.each([
    ['another site', { origin: 'http://evil.example.com', 'sec-fetch-site': 'cross-site' }, 403],
    ['another site that names no site', { origin: 'http://evil.example.com' }, 403],
    ['a page of another port', { origin: OWN_HOST, 'sec-fetch-site': 'same-site' }, 403],
    ['a form without an origin', { 'content-type': 'application/x-www-form-urlencoded' }, 403],
    ['a page without an origin', { origin: 'null' }, 403],
    ['nobody, in JSON', { 'content-type': 'application/json' }, 403],
    ['the page itself', { 'sec-fetch-site': 'same-origin' }, 200],
    ['the page itself, over plain http', { origin: OWN_HOST }, 200],
  ])('treats a change asked for by %s as it should', async (_name, given: Record<string, string>, expected) => {
    const { url } = await start({ allowChanges: true, files: FILES() });
    await engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    const headers = given.origin === OWN_HOST ? { ...given, origin: url } : given;
    const ask = async (path: string, method = 'POST') => {
      const { status } = await fetch(url + path, { method, headers, redirect: 'manual' });
      return status === 403 ? 403 : 200;
    };
    // What each answers to its own page differs; what matters is whether it was let through.
    expect(await ask(`/queues/api/queues/${engine.queueName}/pause`, 'PUT')).toBe(expected);
    expect(await ask('/files?name=a.csv')).toBe(expected);
    expect(await ask('/resume')).toBe(expected);
    expect((await engine.store.control.read()).value?.mode).toBe(expected === 403 ? 'stopped' : 'probing');
  });

  test('lets other sites link to it, and load nothing of it', async () => {
    const { url } = await start();
    const status = (mode: string) =>
      statusFor(url, 'localhost', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode });
    expect([await status('navigate'), await status('no-cors'), await status('cors')]).toEqual([200, 403, 403]);
  });

  test('sends the usual headers with every answer, and caches nothing that may hold rows', async () => {
    const { url } = await start({ ...LOGIN, files: FILES() });
    const headers = { authorization: authorization(LOGIN.user, LOGIN.password) };
    const answers = await Promise.all([
      fetch(url),
      ...['/', '/files/x', '/nothing', '/healthz', '/queues/api/queues'].map((path) => fetch(url + path, { headers })),
    ]);
    for (const { headers: sent } of answers) {
      expect(sent.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
      expect(sent.get('x-content-type-options')).toBe('nosniff');
      expect(sent.get('x-frame-options')).toBe('DENY');
      expect(sent.get('referrer-policy')).toBe('same-origin');
      expect(sent.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(sent.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(sent.get('cache-control')).toBe('no-store');
      expect(sent.get('access-control-allow-origin')).toBeNull();
    }
  });

  test('has no inline script or style on its own pages', async () => {
    const { url } = await start({ files: FILES() });
    await engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    const answer = await fetch(url);
    const page = await answer.text();
    expect(answer.headers.get('content-security-policy')).not.toContain('unsafe');
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:/i);
  });

  describe('read-only', () => {
    test('changes nothing and offers nothing to change', async () => {
      const { url } = await start({ readOnly: true, files: FILES() });
      await engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
      const post = async (path: string, method = 'POST') =>
        (await fetch(url + path, { method, headers: { 'sec-fetch-site': 'same-origin' }, body: 'Company\nAcme Ltd\n' }))
          .status;
      expect(await post('/resume')).toBe(403);
      expect(await post('/files?name=a.csv')).toBe(404);
      expect(await post(`/queues/api/queues/${engine.queueName}/pause`, 'PUT')).toBe(405);
      expect((await engine.store.control.read()).value?.mode).toBe('stopped');
      const page = await (await fetch(url)).text();
      expect(page).toContain('read-only');
      expect(page).not.toMatch(/<form|<dialog|<button/);
    });

    test('does not go with --allow-changes', async () => {
      await expect(start({ readOnly: true, allowChanges: true })).rejects.toMatchObject({
        code: 'DASHBOARD_READ_ONLY',
        exitCode: 2,
      });
    });
  });

  test('tells no secret, whatever is asked for', async () => {
    const secrets = ['secret-of-client', 'refresh-token-1', 'access-token-1', LOGIN.password, 'redis-password'];
    await engine.store.cell('token').change(() => ({ accessToken: secrets[2], refreshToken: secrets[1] }));
    await engine.store.cell('account').change(() => ({ clientSecret: secrets[0] }));
    const { url } = await start({ ...LOGIN, files: FILES(), allowChanges: true });
    const headers = { authorization: authorization(LOGIN.user, LOGIN.password) };
    const queue = `activeQueue=${engine.queueName}&status=latest&page=1&jobsPerPage=100`;
    const paths = [
      '/',
      '/files/token',
      '/.env',
      '/../.env',
      '/assets/../server.js',
      '/assets/%2e%2e/server.js',
      '/assets/..%2f..%2f..%2f.env',
      '/files/..%2f..%2f..%2fetc%2fpasswd',
      '/files/..%2f..%2f.env/export',
      '/queues',
      `/queues/api/queues?${queue}`,
      '/queues/api/redis/stats',
      '/queues/static/..%2f..%2f..%2f..%2f.env',
      '/queues/api/queues/zia/token',
      '/healthz',
      '/metrics',
      '/env',
      '/config',
    ];
    for (const path of paths) {
      const { status, text } = await rawGet(url, path, headers);
      for (const secret of secrets) expect([path, text.includes(secret)]).toEqual([path, false]);
      if (/\.\.|%2e|%2f|env|config/i.test(path)) expect([path, status]).toEqual([path, 404]);
    }
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
      expect((await rawGet(url, path)).status).toBe(404);
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
function statusFor(url: string, host: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: { ...headers, host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject).end();
  });
}

/** fetch tidies the path, so a plain request is made. */
function rawGet(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end();
  });
}
