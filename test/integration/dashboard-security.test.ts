import { readdirSync, readlinkSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createFailedLogins } from '../../src/dashboard/failed-logins.js';
import { createFileActions } from '../../src/dashboard/file-actions.js';
import { addressOf, isLogin, isSameSecret } from '../../src/dashboard/login.js';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../src/dashboard/server.js';
import { loadConfig } from '../../src/lib/config.js';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { openDurableRedis } from '../chaos/durable-redis.js';
import { openTestEngine, quietLog, testPlace } from '../support/engines.js';
import { waitFor } from '../support/wait.js';

// Not among what the package exports.
const { appRoutes }: typeof import('@bull-board/api/dist/routes.js') = createRequire(import.meta.url)(
  new URL('../../node_modules/@bull-board/api/dist/routes.js', import.meta.url).pathname,
);

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
    actions: createFileActions({ engine, work: loadConfig({}).work, allowance: async () => null }),
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

  test('refuses a user name with a colon, which no browser can send', async () => {
    await expect(start({ user: 'ops:eu', password: 'secret' })).rejects.toMatchObject({
      code: 'DASHBOARD_BAD_USER',
      exitCode: 2,
    });
  });

  test.each(['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'])(
    'answers no proxy as long as it has no login: %s',
    async (header) => {
      const open = await start();
      const headers = { [header]: '192.0.2.1' };
      for (const path of ['/', '/files', '/rows', '/metrics', '/queues']) {
        expect([path, (await fetch(open.url + path, { headers })).status]).toEqual([path, 403]);
      }
      const guarded = await start(LOGIN);
      const login = { authorization: authorization(LOGIN.user, LOGIN.password) };
      expect((await fetch(guarded.url, { headers: { ...headers, ...login } })).status).toBe(200);
    },
  );

  test.each([
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="epoch"\r\n\r\n1'],
    ['multipart/form-data', 'epoch=1'],
    ['multipart/form-data; boundary=x', 'no form at all'],
  ])('answers a broken form with 400: %s', async (type, body) => {
    const { url } = await start({ files: FILES() });
    const headers = { 'sec-fetch-site': 'same-origin', 'content-type': type };
    for (const path of ['/resume', '/problems/retry', '/files/form']) {
      expect([path, (await fetch(url + path, { method: 'POST', headers, body })).status]).toEqual([path, 400]);
    }
  });

  test('closes the connection of a body that is too large', async () => {
    const { url } = await start({ files: FILES(), maxUploadBytes: 1_000_000 });
    for (const path of ['/resume', '/files?name=a.csv']) {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9000000\r\n\r\n`;
      // It ends only when the server closes: the rest of the body is never sent.
      const [status, headers] = await rawExchange(Number(new URL(url).port), head);
      expect([path, status, headers.get('connection')]).toEqual([path, 413, 'close']);
    }
  });

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
    const { url, routes } = await start({ host: '0.0.0.0', ...LOGIN, trustedProxy: '127.0.0.1', files: FILES() });
    const local = url.replace('0.0.0.0', '127.0.0.1');
    // Each request comes from an address of its own: too many wrong passwords from one would be answered with 429.
    let asked = 0;
    const status = async (path: string, header?: string) => {
      asked += 1;
      const login = header === undefined ? {} : { authorization: header };
      return (await fetch(local + path, { headers: { 'x-forwarded-for': `192.0.2.${asked}`, ...login } })).status;
    };
    const pages = pathsOf(routes, 'GET').filter((path) => path !== '/healthz' && path !== '/readyz');
    expect(pages).toEqual(expect.arrayContaining(['/', '/files/x/rows/1', '/files/x/export', '/rows', '/metrics']));
    for (const path of [...pages, '/queues', '/queues/api/queues', '/nothing']) {
      expect([path, await status(path)]).toEqual([path, 401]);
      expect([path, await status(path, authorization('ops', 'wrong'))]).toEqual([path, 401]);
    }
    for (const path of CHANGES) {
      expect((await fetch(local + path, { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(
        401,
      );
    }
    expect(await status('/healthz')).toBe(200);
    expect(await status('/', authorization(LOGIN.user, LOGIN.password))).toBe(200);
    expect(await status('/queues', authorization(LOGIN.user, LOGIN.password))).toBe(200);
  });

  test('has no way to change something that these tests do not try', async () => {
    const { routes } = await start({ files: FILES() });
    expect([...pathsOf(routes, 'POST')].sort()).toEqual([...CHANGES].sort());
    expect(routes.filter((route) => !/^(GET|POST) /.test(route))).toEqual([]);
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

    test('do not count a first visit without a login, and are not forgotten for a right one from the same address', async () => {
      const { url } = await start(LOGIN);
      const visit = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
      const right = { authorization: authorization(LOGIN.user, LOGIN.password) };
      for (let at = 0; at < 20; at += 1) expect(await visit({})).toBe(401);
      for (let at = 0; at < 10; at += 1) {
        expect(await visit(right)).toBe(200);
        expect(await visit({ authorization: authorization('ops', `guess ${at}`) })).toBe(401);
      }
      expect(await visit(right)).toBe(429);
    });

    test('are counted by who asks when a trusted proxy tells that, and by the last it tells', async () => {
      const { url } = await start({ ...LOGIN, trustedProxy: '127.0.0.1' });
      const visit = async (password: string, forwardedFor: string) => {
        const headers = { authorization: authorization(LOGIN.user, password), 'x-forwarded-for': forwardedFor };
        return (await fetch(url, { headers })).status;
      };
      for (let at = 0; at < 10; at += 1) expect(await visit('wrong', `203.0.113.${at}, 192.0.2.1`)).toBe(401);
      expect(await visit(LOGIN.password, '203.0.113.99, 192.0.2.1')).toBe(429);
      expect(await visit(LOGIN.password, '192.0.2.1, 192.0.2.2')).toBe(200);
    });

    test('are not counted by what anybody else tells', async () => {
      const { url } = await start({ ...LOGIN, trustedProxy: '192.0.2.9' });
      const guess = async (at: number) => {
        const headers = { authorization: authorization('ops', 'wrong'), 'x-forwarded-for': `192.0.2.${at}` };
        return (await fetch(url, { headers })).status;
      };
      for (let at = 0; at < 10; at += 1) expect(await guess(at)).toBe(401);
      expect(await guess(10)).toBe(429);
    });

    test.each([
      ['the peer', '192.0.2.1', undefined, undefined, '192.0.2.1'],
      ['the peer, whatever it claims', '192.0.2.1', '198.51.100.1', undefined, '192.0.2.1'],
      ['whom the proxy names', '::ffff:10.0.0.2', '198.51.100.1', '10.0.0.2', '198.51.100.1'],
      ['whom the proxy names in IPv6', '10.0.0.2', '2001:db8::1', '10.0.0.2', '2001:db8::1'],
      ['the proxy, when it names nobody', '10.0.0.2', 'unknown', '10.0.0.2', '10.0.0.2'],
      ['the proxy, when it says nothing', '10.0.0.2', undefined, '10.0.0.2', '10.0.0.2'],
    ])('go to the account of %s', (_whom, peer, forwardedFor, trustedProxy, expected) => {
      expect(addressOf(peer, forwardedFor, trustedProxy)).toBe(expected);
    });

    test('are remembered of ten thousand addresses at most, the latest', () => {
      const failures = createFailedLogins(() => 0);
      const addresses = Array.from({ length: 10_001 }, (_, at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
      for (const address of addresses) for (let at = 0; at < 10; at += 1) failures.add(address);
      expect(failures.blockedForMs(addresses[0] ?? '')).toBe(0);
      expect(addresses.slice(1).every((address) => failures.blockedForMs(address) > 0)).toBe(true);
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
    const fastest = (other: string) => leastCpuTime(() => isSameSecret(secret, other));
    expect(fastest(late) / fastest(early)).toBeLessThan(3);
  });

  test('compares the login so, and both halves of it whichever is wrong', () => {
    const long = 'x'.repeat(2_000_000);
    const login = { user: long, password: long };
    const fastest = (given: { user: string; password: string }) =>
      leastCpuTime(() => expect(isLogin(given, login)).toBe(false));
    const early = `y${long.slice(1)}`;
    const late = `${long.slice(1)}y`;
    const timesMs = [
      fastest({ user: early, password: long }),
      fastest({ user: long, password: early }),
      fastest({ user: late, password: early }),
      fastest({ user: early, password: late }),
    ];
    expect(Math.max(...timesMs) / Math.min(...timesMs)).toBeLessThan(3);
    expect([isLogin(login, login), isLogin({}, { user: '', password: '' })]).toEqual([true, true]);
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
    const ask = async (path: string, method = 'POST', body: URLSearchParams | null = null) => {
      const { status } = await fetch(url + path, { method, headers, body, redirect: 'manual' });
      return status === 403 ? 403 : 200;
    };
    // What each answers to its own page differs; what matters is whether it was let through.
    expect(await ask(`/queues/api/queues/${engine.queueName}/pause`, 'PUT')).toBe(expected);
    expect(await ask('/files?name=a.csv')).toBe(expected);
    for (const path of CHANGES.filter((change) => !/^\/(resume|pause|files)$/.test(change))) {
      expect([path, await ask(path)]).toEqual([path, expected]);
    }
    expect(await ask('/resume', 'POST', new URLSearchParams({ epoch: '1' }))).toBe(expected);
    expect((await engine.store.control.read()).value?.mode).toBe(expected === 403 ? 'stopped' : 'canary');
  });

  test('lets other sites link to it, and load nothing of it', async () => {
    const { url } = await start();
    const status = (mode: string) =>
      statusFor(url, 'localhost', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode });
    expect([await status('navigate'), await status('no-cors'), await status('cors')]).toEqual([200, 403, 403]);
  });

  test('sends the usual headers with every answer, and caches nothing that may hold rows', async () => {
    const { url } = await start({ ...LOGIN, files: FILES(), maxUploadBytes: 1_000_000 });
    const headers = {
      authorization: authorization(LOGIN.user, LOGIN.password),
      'sec-fetch-site': 'same-origin',
      connection: 'close',
    };
    const post = (path: string, body: string) =>
      fetch(url + path, { method: 'POST', headers, body, redirect: 'manual' });
    const uploaded = await post('/files?name=a.csv', 'Company\nAcme Ltd\nx\n');
    const { url: file } = (await uploaded.json()) as { url: string };
    const answers: [number, Headers][] = [[uploaded.status, uploaded.headers]];
    const keep = async (asked: Promise<Response>) => {
      const answer = await asked;
      answers.push([answer.status, answer.headers]);
      await answer.body?.cancel();
    };
    await keep(fetch(url));
    const paths = [
      '/',
      '/parts',
      '/assets/app.js',
      '/nothing',
      '/healthz',
      '/metrics',
      '/queues',
      '/queues/api/queues',
    ];
    for (const path of [...paths, file, `${file}/parts`, `${file}/export`, `${file}/rejects`, `${file}/`, '/files/x']) {
      await keep(fetch(url + path, { headers, redirect: 'manual' }));
    }
    await keep(fetch(url, { headers: { ...headers, 'sec-fetch-site': 'cross-site' } }));
    await keep(post('/files?name=a.csv', 'x'.repeat(1_010_000)));
    await keep(post('/resume', 'x'.repeat(1_010_000)));
    await keep(post(`${file}/plan`, ''));
    await keep(fetch(`${url}/queues/api/queues`, { method: 'PUT', headers }));
    for (let at = 0; at < 10; at += 1) await fetch(url, { headers: { authorization: authorization('ops', 'no') } });
    await keep(fetch(url, { headers }));
    const { port } = new URL(url);
    for (const raw of [
      `GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: bad host\r\n\r\n`,
      'GET / HTTP/1.1\r\n\r\n',
      'Nonsense\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
    ]) {
      answers.push(await rawExchange(Number(port), raw.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')));
    }
    for (const [status, sent] of answers) {
      const policy = sent.get('content-security-policy');
      expect([status, policy]).toEqual([status, expect.stringContaining("default-src 'none'; script-src 'self'")]);
      expect(sent.get('x-content-type-options')).toBe('nosniff');
      expect(sent.get('x-frame-options')).toBe('DENY');
      expect(sent.get('referrer-policy')).toBe('same-origin');
      expect(sent.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(sent.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(sent.get('cache-control')).toBe(
        sent.get('content-type')?.includes('javascript') ? 'no-cache' : 'no-store',
      );
      expect(sent.get('access-control-allow-origin')).toBeNull();
    }
    const statuses = new Set(answers.map(([status]) => status));
    expect([...statuses].sort()).toEqual([200, 201, 301, 303, 400, 401, 403, 404, 405, 413, 421, 429, 431]);
  });

  test('answers HEAD without doing what GET does', async () => {
    const { url } = await start({ files: FILES() });
    const head = async (path: string) => {
      const { status, headers } = await fetch(url + path, { method: 'HEAD' });
      return [status, headers.get('content-type')?.split(';')[0]];
    };
    expect(await head('/parts')).toEqual([200, 'application/json']);
    const uploaded = await fetch(`${url}/files?name=a.csv`, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin' },
      body: 'Company\nAcme Ltd\nx\n',
    });
    const { url: file } = (await uploaded.json()) as { url: string };
    for (let at = 0; at < 3; at += 1) {
      expect(await head(`${file}/export`)).toEqual([200, 'text/csv']);
      expect(await head(`${file}/rejects`)).toEqual([200, 'text/csv']);
    }
    expect(openFiles()).toEqual([]);
    expect(await (await fetch(`${url}${file}/export`)).text()).toContain('Acme Ltd');
    expect((await fetch(`${url}${file}/export`, { method: 'HEAD' })).headers.get('content-disposition')).toContain(
      'a.zia.csv',
    );
  });

  test('reads no large body but that of a file', async () => {
    const { url } = await start({ allowChanges: true, files: FILES() });
    // A connection whose body was left unread is closed in the end, and must not be used again.
    const headers = { 'sec-fetch-site': 'same-origin', connection: 'close' };
    const large = 'x'.repeat(1_010_000);
    const paths = [
      ['POST', '/resume'],
      ['POST', '/files/x/columns'],
      ['POST', '/files/x/enqueue'],
      ['PUT', `/queues/api/queues/${engine.queueName}/pause`],
      ['POST', `/queues/api/queues/${engine.queueName}/add`],
    ] as const;
    for (const [method, path] of paths) {
      const told = await fetch(url + path, { method, headers, body: large });
      const untold = await fetch(url + path, { method, headers, body: new Blob([large]).stream(), ...HALF });
      expect([path, told.status, untold.status]).toEqual([path, 413, 413]);
    }
  });

  test('shows a page of jobs at a time, however many are asked for', async () => {
    const queue = engine.openQueue();
    await queue.addBulk(
      Array.from({ length: 120 }, () => ({ name: 'enrich' as const, data: { v: 1 as const, module: 'A', name: 'x' } })),
    );
    await queue.close();
    const { url } = await start();
    const query = `activeQueue=${engine.queueName}&status=waiting&page=1&jobsPerPage=1000000`;
    const { queues } = JSON.parse(await (await fetch(`${url}/queues/api/queues?${query}`)).text());
    expect([queues[0].jobs.length, queues[0].pagination.pageCount]).toEqual([100, 2]);
  });

  test('lets bull-board change nothing, by whichever of its routes, unless asked to', async () => {
    const { url } = await start();
    const changing = appRoutes.api.flatMap(({ method, route }) =>
      [method]
        .flat()
        .flatMap((verb) => (verb === 'get' ? [] : [route].flat().map((path) => [verb.toUpperCase(), path]))),
    );
    expect(changing.length).toBeGreaterThan(15);
    for (const [method = '', path = ''] of changing) {
      const filled = path.replaceAll(':queueName', engine.queueName).replaceAll(/:\w+/g, 'x');
      const answer = await fetch(`${url}/queues${filled}`, { method, headers: { 'sec-fetch-site': 'same-origin' } });
      expect([method, path, answer.status]).toEqual([method, path, 405]);
    }
  });

  test.each([
    ['/files/x/', '/files/x'],
    ['/metrics/?a=1', '/metrics?a=1'],
    ['//evil.example.com/', '/evil.example.com'],
    ['/x%0d%0ay/', '/x%0d%0ay'],
  ])('leads from %s to %s, without a word about its own address', async (from, to) => {
    const { url } = await start();
    const { status, headers } = await rawGet(url, from);
    expect([status, headers.location]).toEqual([301, to]);
  });

  test('shows whatever a file, its name or Zoho says as text, on every page', async () => {
    const evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>';
    const own = `${evil} & 'Sons'`;
    const csv = (header: string) =>
      `${header}\n"${own.replaceAll('"', '""')}",ok.example\n"${evil.replaceAll('"', '""')}",x\n`;
    const { url } = await start({ files: FILES(), module: evil, profile: evil });
    const upload = async (body: string) => {
      const to = `${url}/files?name=${encodeURIComponent(`${evil}.csv`)}`;
      const answer = await fetch(to, { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' }, body });
      return ((await answer.json()) as { url: string }).url;
    };
    const file = await upload(csv('Company,Website'));
    // Of this one even the header row is in question.
    const odd = await upload(csv(`"${own.replaceAll('"', '""')}",Other`));
    const headers = { 'sec-fetch-site': 'same-origin' };
    const stage = async () => (await (await fetch(`${url}${file}/parts`)).text()).includes('1 new row:');
    await waitFor(stage, { what: 'the plan' });
    const mapping = new URLSearchParams({ mapping: 'name=0,website=1' });
    await fetch(`${url}${file}/enqueue`, { method: 'POST', headers, body: mapping });
    const queue = engine.openQueue();
    closers.push(() => queue.close());
    const job = await waitFor(async () => (await queue.getWaiting(0, 0))[0] ?? false, { what: 'a job' });
    const key = job.id as IdentityKey;
    const sent = { module: 'Accounts', name: own };
    const limits = { callsPerSecond: 0, maxInFlight: 9, permitTtlMs: 60_000 };
    await engine.store.admit({ key, callId: 'c1', sent, limits, claimLostAfterMs: 60_000 });
    await engine.store.settle(key, 'c1', '1' as EnrichmentId);
    await engine.store.finish(key, 'COMPLETED', { name: evil, ceo: evil, primary_contact: evil });
    await engine.store.control.change(() => stopped(INITIAL_CONTROL, { ...STOP, message: evil, code: evil, key }));
    await waitFor(async () => (await (await fetch(`${url}${file}/parts`)).text()).includes('1 company with data'));
    const paths = [
      ...[
        '/',
        '/files',
        '/rows',
        `/rows?search=${encodeURIComponent(evil)}`,
        `/rows?filter=failed&code=${encodeURIComponent(evil)}`,
      ],
      ...[
        `/rows/${key}`,
        file,
        odd,
        `${file}?ask=send`,
        `${file}/rows`,
        `${file}/rows/2`,
        `${file}/rows?code=${encodeURIComponent(evil)}`,
      ],
      ...[`${file}/rows?search=${encodeURIComponent(evil)}`, '/parts', `${file}/parts`, '/files/parts', `/?ask=resume`],
    ];
    for (const path of paths) {
      const answer = await fetch(url + path);
      const page = answer.headers.get('content-type')?.startsWith('application/json')
        ? Object.values(((await answer.json()) as { parts: Record<string, string> }).parts).join()
        : await answer.text();
      expect([path, answer.status, page.includes('<script>alert'), page.includes('<img src=x')]).toEqual([
        path,
        200,
        false,
        false,
      ]);
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

  describe('view-only', () => {
    test('changes nothing and offers nothing to change', async () => {
      const { url } = await start({ readOnly: true, files: FILES() });
      await engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
      const post = async (path: string, method = 'POST') =>
        (await fetch(url + path, { method, headers: { 'sec-fetch-site': 'same-origin' }, body: 'Company\nAcme Ltd\n' }))
          .status;
      for (const path of CHANGES) expect([path, await post(path)]).toEqual([path, 403]);
      expect(await post(`/queues/api/queues/${engine.queueName}/pause`, 'PUT')).toBe(405);
      expect((await engine.store.control.read()).value?.mode).toBe('stopped');
      const page = await (await fetch(url)).text();
      expect(page).toContain('view-only');
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
    const [clientSecret = '', refreshToken = '', accessToken = '', , redisPassword = ''] = secrets;
    const own = await openDurableRedis(
      { requirepass: redisPassword },
      { persistence: 'none', password: redisPassword },
    );
    closers.push(own.close);
    const environment = { ZOHO_CLIENT_SECRET: clientSecret, ZOHO_REFRESH_TOKEN: refreshToken, REDIS_URL: own.url };
    const { settings, remove } = await testPlace('redis');
    closers.push(remove);
    const before = { ...process.env };
    Object.assign(process.env, environment);
    closers.push(async () => {
      for (const name of Object.keys(environment)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    });
    const guarded = await openEngine({ ...settings, redisUrl: own.url }, quietLog);
    closers.push(() => guarded.close());
    await guarded.store.document('token').change(() => ({ accessToken, refreshToken }));
    await guarded.store.document('account').change(() => ({ clientSecret }));
    await guarded.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    const { work } = loadConfig({ ...environment, ZOHO_CLIENT_ID: 'client' });
    const actions = createFileActions({ engine: guarded, work, allowance: async () => null });
    const { url } = await start({
      ...LOGIN,
      engine: guarded,
      files: { actions },
      allowChanges: true,
    });
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
    const uploaded = await fetch(`${url}/files?name=a.csv`, {
      method: 'POST',
      headers: { ...headers, 'sec-fetch-site': 'same-origin' },
      body: 'Company\nAcme Ltd\nx\n',
    });
    const { url: file } = (await uploaded.json()) as { url: string };
    const downloads = ['', '/parts', '/export', '/rejects'].map((part) => file + part);
    for (const path of [...paths, ...downloads]) {
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

/** Every path that changes something, each with an id that nothing has. */
const CHANGES = [
  '/resume',
  '/pause',
  '/budget',
  '/problems/retry',
  '/rows/r1nobodyhasthiskey00000/retry',
  '/rows/r1nobodyhasthiskey00000/decide',
  '/files',
  '/files/form',
  '/files/example',
  '/files/x/columns',
  '/files/x/header',
  '/files/x/plan',
  '/files/x/enqueue',
  '/files/x/cancel',
  '/files/x/forget',
  '/files/x/drop',
];

/** The paths of these routes, each with an id that nothing has. */
function pathsOf(routes: readonly string[], method: 'GET' | 'POST'): readonly string[] {
  return routes.flatMap((route) => {
    const [verb, path = ''] = route.split(' ');
    if (verb !== method) return [];
    return [
      path
        .replace(':key', 'r1nobodyhasthiskey00000')
        .replace(/:line\{.*?\}+/, '1')
        .replace(/:file\{.*\}/, 'INVALID_DATA.csv')
        .replace(/:name\{.*\}|:name/, 'app.js')
        .replace(':id', 'x'),
    ];
  });
}

/** fetch streams a body only when told that it need not wait for its end. */
const HALF = { duplex: 'half' } as object;

/** The downloads that this process has open; uploads are read in the background too. */
function openFiles(): readonly string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    })
    .filter((path) => /zia-dashboard-.*\/\.[a-z]+-\d+\.csv/.test(path));
}

/** What comes back for text that no client would send. */
async function rawExchange(port: number, text: string): Promise<[number, Headers]> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  const [status = '', ...lines] = (answer.split('\r\n\r\n')[0] ?? '').split('\r\n');
  const headers = lines.map(
    (line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as [string, string],
  );
  return [Number(status.split(' ')[1]), new Headers(headers)];
}

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
): Promise<{ readonly status: number; readonly text: string; readonly headers: IncomingHttpHeaders }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
    });
    sent.on('error', reject).end();
  });
}

/** In microseconds, of several runs. Time on the processor, because others may use it in between. */
function leastCpuTime(work: () => void): number {
  const times = Array.from({ length: 25 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  });
  return Math.min(...times);
}
