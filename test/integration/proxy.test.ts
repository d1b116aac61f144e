import { afterEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/lib/config.js';
import type { Answer } from '../../src/lib/core/answer.js';
import { type ProxySettings, proxyFor } from '../../src/lib/zoho/proxy.js';
import { createTransport, type TransportRequest, type TransportSettings } from '../../src/lib/zoho/transport.js';
import { withScene } from '../support/cli-scene.js';
import {
  type ConnectProxy,
  type ConnectProxyOptions,
  companyCa,
  companyCaFile,
  openConnectProxy,
  openZohoFront,
} from '../support/connect-proxy.js';
import { httpAnswer, openRawServer, type RawServer, testCertificate } from '../support/raw-server.js';
import { setup } from '../support/setup.js';
import { openTcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

const HOSTS: readonly (readonly [hostname: string, except: string, viaProxy: boolean])[] = [
  ['www.zohoapis.com', '', true],
  ['www.zohoapis.com', 'example.com, internal', true],
  ['www.zohoapis.com', 'zohoapis.com', false],
  ['www.zohoapis.com', '.zohoapis.com', false],
  ['www.zohoapis.com', 'internal, *.zohoapis.com:443', false],
  ['www.zohoapis.com', 'WWW.ZohoAPIs.com', false],
  ['www.zohoapis.com', 'apis.com', true],
  ['www.zohoapis.com', '*', false],
  ['localhost', '', false],
  ['127.0.0.1', '', false],
  ['::1', '', false],
];

test.each(HOSTS)('%s with NO_PROXY=%p goes through the proxy: %p', (hostname, except, viaProxy) => {
  expect(proxyFor(hostname, { url: 'http://proxy.example:3128', except })?.hostname ?? null).toBe(
    viaProxy ? 'proxy.example' : null,
  );
});

describe('settings', () => {
  test.each([
    [{ HTTPS_PROXY: 'http://proxy.example:3128' }, 'http://proxy.example:3128/'],
    [{ https_proxy: 'proxy.example:3128' }, 'http://proxy.example:3128/'],
    [{ HTTPS_PROXY: 'https://one.example', https_proxy: 'http://two.example' }, 'https://one.example/'],
    [{ HTTPS_PROXY: '' }, undefined],
  ])('%p means %p', (env, url) => {
    expect(loadConfig(env).zoho.proxy?.url).toBe(url);
  });

  test('a proxy of another kind is refused, and its password is not shown', () => {
    const load = () => loadConfig({ HTTPS_PROXY: 'socks5://user:hunter2@proxy.example:1080' });
    expect(load).toThrow(/HTTPS_PROXY: expected an http:\/\/ or https:\/\/ address/);
    expect(load).not.toThrow(/hunter2/);
  });
});

interface Company {
  readonly api: RawServer;
  readonly proxy: ConnectProxy;
  send(more?: Partial<TransportRequest>): Promise<Answer>;
}

/** Zoho behind a company's proxy, and a client that is told of it. */
async function company(
  options: Partial<ConnectProxyOptions> = {},
  settings: Partial<TransportSettings & ProxySettings> = {},
): Promise<Company> {
  const api = t.closing(
    await openRawServer({ onRequest: (socket) => socket.write(httpAnswer(200, '{"ok":true}')) }),
    (opened) => opened.close(),
  );
  const front = t.closing(await openZohoFront(api.port), (opened) => opened.close());
  const proxy = t.closing(await openConnectProxy({ targetPort: front.port, ...options }), (opened) => opened.close());
  const { url = proxy.url, except = '', ...more } = settings;
  const transport = t.closing(
    createTransport({
      requestTimeoutMs: 5_000,
      userAgent: 'test',
      ca: companyCa() + testCertificate(),
      proxy: { url, except },
      ...more,
    }),
    (opened) => opened.close(),
  );
  return {
    api,
    proxy,
    send: (request) =>
      transport.send({
        method: 'POST',
        url: new URL('https://www.zohoapis.com/crm'),
        headers: {},
        body: '{}',
        ...request,
      }),
  };
}

const notSent = (code: string) => ({ kind: 'no-response', sent: false, code });

describe('a call through the proxy', () => {
  test.each([false, true])('reaches Zoho through a tunnel that is used again (TLS to the proxy: %p)', async (tls) => {
    const { api, proxy, send } = await company({ tls });
    expect(await send()).toMatchObject({ kind: 'response', status: 200, body: { ok: true } });
    expect(await send()).toMatchObject({ kind: 'response', status: 200 });
    expect(proxy.asked).toEqual(['www.zohoapis.com:443']);
    expect(api.requests.map(({ line }) => line)).toEqual(['POST /crm HTTP/1.1', 'POST /crm HTTP/1.1']);
    expect(api.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test.each([407, 403, 502])('that the proxy refuses with %d never left', async (status) => {
    const { api, send } = await company({ status });
    expect(await send()).toEqual(notSent(`PROXY_HTTP_${status}`));
    expect(api.bytes()).toBe(0);
  });

  test('never leaves when the proxy is away, or silent', async () => {
    const closed = await openTcpProxy({ host: '127.0.0.1', port: 9 });
    await closed.close();
    const away = await company({}, { url: `http://127.0.0.1:${closed.port}` });
    expect(await away.send()).toEqual(notSent('ECONNREFUSED'));
    const { send } = await company({ silent: true }, { connectTimeoutMs: 200 });
    expect(await send()).toEqual(notSent('ETIMEDOUT'));
  });

  test('whose claim expires while the tunnel is made sends nothing', async () => {
    const { api, proxy, send } = await company();
    let asked = 0;
    expect(await send({ mayStillSend: () => ++asked === 1 })).toEqual(notSent('CLAIM_EXPIRED'));
    expect(proxy.asked).toHaveLength(1);
    await waitFor(() => api.openSockets() === 0, { what: 'the tunnel to be given up' });
    expect(api.bytes()).toBe(0);
  });

  test('is refused when Zoho shows a certificate that nobody here trusts', async () => {
    const { api, send } = await company({}, { ca: testCertificate() });
    expect(await send()).toMatchObject({ kind: 'no-response', sent: false });
    expect(api.bytes()).toBe(0);
  });
});

test('the commands call Zoho through HTTPS_PROXY, trusting the company’s certificate authority', () =>
  withScene('redis', {}, async (scene) => {
    const { port } = new URL(scene.sandbox.url);
    const front = t.closing(await openZohoFront(Number(port), { asLocalhost: true }), (opened) => opened.close());
    const proxy = t.closing(await openConnectProxy({ targetPort: front.port }), (opened) => opened.close());
    const behind = {
      ZOHO_ACCOUNTS_URL: '',
      ZOHO_API_DOMAIN: 'https://www.zohoapis.com',
      HTTPS_PROXY: proxy.url.replace('//', '//user:p%40ss@'),
      NODE_EXTRA_CA_CERTS: companyCaFile(),
    };
    const file = await scene.csv('a.csv', 3);
    expect((await scene.run(['enqueue', file], behind)).code).toBe(0);
    const worker = await scene.run(['worker', '--until-idle', '--no-wait'], behind);
    expect(worker).toMatchObject({ code: 0, stdout: expect.stringContaining('3 rows sent') });
    expect(worker.stderr).not.toContain('p%40ss');
    expect(scene.sandbox.log().filter(({ kind }) => kind === 'post')).toHaveLength(3);
    expect(new Set(proxy.asked)).toEqual(new Set(['accounts.zoho.com:443', 'www.zohoapis.com:443']));
    expect(new Set(proxy.credentials)).toEqual(new Set([`Basic ${btoa('user:p@ss')}`]));
  }));
