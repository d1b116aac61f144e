import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Answer } from '../../src/lib/core/answer.js';
import type { EnrichmentId } from '../../src/lib/core/ids.js';
import { createZohoClient, createZohoReadApi, type ZohoClient } from '../../src/lib/zoho/client.js';
import { createTransport, type Transport, type TransportSettings } from '../../src/lib/zoho/transport.js';
import {
  httpAnswer,
  openRawServer,
  type RawServer,
  type RawServerOptions,
  testCertificate,
} from '../support/raw-server.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const TOKEN = '1000.secret-access-token';
const ID = '111112000000000001';
const SENT = { module: 'Accounts', name: 'Acme, Inc. – Zürich', website: 'www.acme.example' };
const SCHEDULED = JSON.stringify({
  __zia_org_enrichment: [{ code: 'SCHEDULED', details: { id: ID }, message: 'ok', status: 'success' }],
});
const always = () => true;

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

function transportWith(settings: Partial<TransportSettings> = {}): Transport {
  return t.closing(createTransport({ requestTimeoutMs: 5_000, userAgent: 'test', ...settings }), (opened) =>
    opened.close(),
  );
}

function client(settings: Partial<TransportSettings> = {}): ZohoClient {
  return createZohoClient(transportWith(settings), 'v7');
}

async function server(options: RawServerOptions): Promise<RawServer> {
  return t.closing(await openRawServer(options), (opened) => opened.close());
}

function answering(bytes: Buffer | string): RawServerOptions {
  return { onRequest: (socket) => socket.write(bytes) };
}

function submit(zoho: ZohoClient, url: string, mayStillSend: () => boolean = always): Promise<Answer> {
  return zoho.createEnrichment({ accessToken: TOKEN, apiDomain: url }, SENT, mayStillSend);
}

/** What one server makes of one submission. */
async function exchange(
  options: RawServerOptions,
  settings: Partial<TransportSettings> = {},
): Promise<{ answer: Answer; api: RawServer }> {
  const api = await server(options);
  const answer = await submit(client(settings), api.url);
  expect(JSON.stringify(answer)).not.toContain(TOKEN);
  return { answer, api };
}

const notSent = (code: string) => ({ kind: 'no-response', sent: false, code });
const lost = (code: string) => ({ kind: 'no-response', sent: true, code });
const response = (status: number, body: unknown) => ({ kind: 'response', status, body });

describe('what is sent', () => {
  test('a submission is one POST with exactly the fields of the row', async () => {
    const api = await server(answering(httpAnswer(202, SCHEDULED)));
    const zoho = createZohoClient(transportWith(), 'v8');
    const credentials = { accessToken: TOKEN, apiDomain: api.url };
    const answer = await zoho.createEnrichment(credentials, { ...SENT, recordId: '5725767000000' }, always);
    expect(answer).toMatchObject(response(202, JSON.parse(SCHEDULED)));
    expect(api.requests).toHaveLength(1);
    expect(api.requests[0]).toMatchObject({
      line: 'POST /crm/v8/__zia_org_enrichment?module=Accounts&record_id=5725767000000 HTTP/1.1',
      headers: { authorization: `Zoho-oauthtoken ${TOKEN}`, 'content-type': 'application/json', 'user-agent': 'test' },
      body: '{"__zia_org_enrichment":[{"enrich_based_on":{"name":"Acme, Inc. – Zürich","website":"www.acme.example"}}]}',
    });
  });

  test('reads ask for the newest first, by id, and for what the account says about itself', async () => {
    const api = await server(answering(httpAnswer(200, '{}')));
    const credentials = { accessToken: TOKEN, apiDomain: api.url };
    const zoho = client();
    const reads = createZohoReadApi(transportWith(), 'v7');
    await zoho.listEnrichments(credentials, { page: 2, perPage: 100 });
    await zoho.getEnrichment(credentials, ID as EnrichmentId);
    await reads.getEnrichmentConfig(credentials);
    await reads.getFeature(credentials, 'data_enrichment');
    await reads.getOrg(credentials);
    await reads.getUserCount(credentials);
    expect(api.requests.map(({ line }) => line)).toEqual([
      'GET /crm/v7/__zia_org_enrichment?sort_by=created_time&sort_order=desc&page=2&per_page=100 HTTP/1.1',
      `GET /crm/v7/__zia_org_enrichment/${ID} HTTP/1.1`,
      'GET /crm/v7/settings/zia/data_enrichment HTTP/1.1',
      'GET /crm/v7/__features/data_enrichment HTTP/1.1',
      'GET /crm/v7/org HTTP/1.1',
      'GET /crm/v7/users/actions/count?type=ActiveConfirmedUsers HTTP/1.1',
    ]);
  });

  test('a hundred submissions at once are a hundred requests', async () => {
    const api = await server(answering(httpAnswer(202, SCHEDULED)));
    const zoho = client();
    const answers = await Promise.all(Array.from({ length: 100 }, () => submit(zoho, api.url)));
    expect(answers.every((answer) => answer.kind === 'response')).toBe(true);
    expect(api.requests).toHaveLength(100);
  });

  test.each([500, 503, 429, 408, 302])('status %d is not asked again', async (status) => {
    const { answer, api } = await exchange(
      answering(httpAnswer(status, '', { location: '/elsewhere', 'retry-after': '0' })),
    );
    expect(answer).toMatchObject({ kind: 'response', status });
    expect(api.requests).toHaveLength(1);
  });
});

describe('never sent', () => {
  test('nobody listens', async () => {
    const api = await openRawServer({});
    await api.close();
    expect(await submit(client(), api.url)).toEqual(notSent('ECONNREFUSED'));
  });

  test('the host has no address', async () => {
    const answer = await submit(client(), 'https://zoho.invalid');
    expect(answer).toMatchObject({ kind: 'no-response', sent: false });
    expect(answer.kind === 'no-response' && ['ENOTFOUND', 'EAI_AGAIN']).toContain('code' in answer && answer.code);
  });

  test('a connection that is never made', async () => {
    const port = await openDeafPort();
    const answer = await submit(client({ connectTimeoutMs: 300 }), `http://127.0.0.1:${port}`);
    expect(answer).toEqual(notSent('ETIMEDOUT'));
  });

  test('a request timeout while connecting', async () => {
    const port = await openDeafPort();
    const answer = await submit(client({ connectTimeoutMs: 5_000, requestTimeoutMs: 300 }), `http://127.0.0.1:${port}`);
    expect(answer).toEqual(notSent('ETIMEDOUT'));
  });

  test('a certificate nobody vouches for', async () => {
    const api = await server({ tls: true, ...answering(httpAnswer(202, SCHEDULED)) });
    expect(await submit(client(), api.url)).toEqual(notSent('DEPTH_ZERO_SELF_SIGNED_CERT'));
    expect(api.requests).toHaveLength(0);
  });

  test('a TLS handshake that is never answered', async () => {
    const api = await server({});
    const answer = await submit(client({ connectTimeoutMs: 300 }), api.url.replace('http:', 'https:'));
    expect(answer).toEqual(notSent('ETIMEDOUT'));
  });

  test('a TLS handshake answered in plain text', async () => {
    const api = await server({ onConnection: (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n') });
    const answer = await submit(client(), api.url.replace('http:', 'https:'));
    expect(answer).toMatchObject({ kind: 'no-response', sent: false });
  });

  test('a TLS handshake cut by the server', async () => {
    const api = await server({ onConnection: (socket) => socket.resetAndDestroy() });
    const answer = await submit(client(), api.url.replace('http:', 'https:'));
    expect(answer).toEqual(notSent('ECONNRESET'));
  });

  test('a token that cannot be a header', async () => {
    const api = await server({});
    const answer = await client().createEnrichment({ accessToken: 'a\nb', apiDomain: api.url }, SENT, always);
    expect(answer).toMatchObject({ kind: 'no-response', sent: false });
  });

  /** A port whose queue of connections is full, so that one more is neither made nor refused. */
  async function openDeafPort(): Promise<number> {
    const script = `require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(String(this.address().port))})`;
    const child = t.closing(spawn(process.execPath, ['-e', script]), (running) => running.kill('SIGKILL'));
    const [line] = await once(child.stdout, 'data');
    const port = Number(line);
    child.kill('SIGSTOP');
    for (let filled = false; !filled; ) {
      const filler: Socket = t.closing(connect(port, '127.0.0.1'), (socket) => socket.destroy());
      filler.on('error', () => undefined);
      filled = await Promise.race([
        once(filler, 'connect').then(() => false),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 200)),
      ]);
    }
    return port;
  }
});

describe('the fence', () => {
  test.each([false, true])('a claim that expires while connecting is not sent (TLS: %p)', async (tls) => {
    const api = await server({ tls, ...answering(httpAnswer(202, SCHEDULED)) });
    let asked = 0;
    const answer = await submit(client({ ca: testCertificate() }), api.url, () => ++asked === 1);
    expect(answer).toEqual(notSent('CLAIM_EXPIRED'));
    await waitFor(() => api.connections() === 1 && api.openSockets() === 0, { what: 'the connection to be given up' });
    expect(api.bytes()).toBe(0);
  });

  test('a claim that expired before the call makes no connection', async () => {
    const api = await server(answering(httpAnswer(202, SCHEDULED)));
    expect(await submit(client(), api.url, () => false)).toEqual(notSent('CLAIM_EXPIRED'));
    expect(api.connections()).toBe(0);
  });

  test('an expired claim is not sent on a socket that is used again, and the next call still is', async () => {
    const api = await server(answering(httpAnswer(202, SCHEDULED)));
    const zoho = client();
    await submit(zoho, api.url);
    expect(await submit(zoho, api.url, () => false)).toEqual(notSent('CLAIM_EXPIRED'));
    expect(await submit(zoho, api.url)).toMatchObject({ status: 202 });
    expect(api.requests).toHaveLength(2);
    expect(api.connections()).toBe(1);
  });

  test('over TLS, with a certificate that is trusted, a submission arrives and the socket is used again', async () => {
    const api = await server({ tls: true, ...answering(httpAnswer(202, SCHEDULED)) });
    const zoho = client({ ca: testCertificate() });
    expect(await submit(zoho, api.url)).toMatchObject({ status: 202 });
    expect(await submit(zoho, api.url)).toMatchObject({ status: 202 });
    expect(api.connections()).toBe(1);
  });
});

describe('sent, and no answer', () => {
  test('cut off before the request was read', async () => {
    const { answer, api } = await exchange({
      onConnection: (socket) => {
        socket.pause();
        setTimeout(() => socket.resetAndDestroy(), 50);
      },
    });
    expect(answer).toEqual(lost('ECONNRESET'));
    expect(api.requests).toHaveLength(0);
  });

  test('cut off after the request was read', async () => {
    const { answer, api } = await exchange({ onRequest: (socket) => socket.resetAndDestroy() });
    expect(answer).toEqual(lost('ECONNRESET'));
    expect(api.requests).toHaveLength(1);
  });

  test('closed after the request was read', async () => {
    const { answer } = await exchange({ onRequest: (socket) => socket.end() });
    expect(answer).toEqual(lost('ECONNRESET'));
  });

  test('never answered', async () => {
    const { answer, api } = await exchange({}, { requestTimeoutMs: 300 });
    expect(answer).toEqual(lost('ETIMEDOUT'));
    expect(api.requests).toHaveLength(1);
  });

  test('headers that drip', async () => {
    const { answer } = await exchange(
      { onRequest: (socket) => drip(socket, 'HTTP/1.1 202 X\r\n', 'x-drop: 1\r\n') },
      { requestTimeoutMs: 400 },
    );
    expect(answer).toEqual(lost('ETIMEDOUT'));
  });

  test('an answer that is no HTTP', async () => {
    const { answer } = await exchange(answering('SSH-2.0-OpenSSH\r\n\r\n'));
    expect(answer).toMatchObject({ kind: 'no-response', sent: true });
  });
});

describe('answers that cannot be read keep their status', () => {
  test.each<[string, Buffer | string]>([
    ['an empty body', httpAnswer(202, '')],
    ['204', httpAnswer(204, '')],
    ['HTML', httpAnswer(202, '<html>', { 'content-type': 'text/html' })],
    ['half a JSON', httpAnswer(202, '{"a":')],
    ['broken gzip', httpAnswer(202, 'no gzip', { 'content-encoding': 'gzip' })],
    ['cut gzip', httpAnswer(202, gzipSync(SCHEDULED).subarray(0, 30), { 'content-encoding': 'gzip' })],
    ['more than a megabyte', httpAnswer(202, JSON.stringify('x'.repeat(1_000_001)))],
    [
      'a gzip that swells',
      httpAnswer(202, gzipSync(JSON.stringify('x'.repeat(50_000_000))), { 'content-encoding': 'gzip' }),
    ],
    ['a redirect', httpAnswer(302, '', { location: 'http://127.0.0.1:1/' })],
  ])('%s', async (_case, bytes) => {
    const { answer, api } = await exchange(answering(bytes));
    expect(answer).toMatchObject({ kind: 'response', body: undefined });
    expect(api.requests).toHaveLength(1);
  });

  test('a body cut short by a closed connection', async () => {
    const { answer } = await exchange({
      onRequest: (socket) => socket.end('HTTP/1.1 202 X\r\ncontent-length: 500\r\n\r\n{"a":1}'),
    });
    expect(answer).toMatchObject({ ...response(202, undefined) });
  });

  test('a chunked body cut by a reset', async () => {
    const { answer } = await exchange({
      onRequest: (socket) => {
        socket.write('HTTP/1.1 202 X\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n', () => {
          setTimeout(() => socket.resetAndDestroy(), 50);
        });
      },
    });
    expect(answer).toMatchObject({ ...response(202, undefined) });
  });

  test('a body that drips', async () => {
    const { answer } = await exchange(
      { onRequest: (socket) => drip(socket, 'HTTP/1.1 202 X\r\ncontent-length: 900\r\n\r\n', ' ') },
      { requestTimeoutMs: 400 },
    );
    expect(answer).toMatchObject({ ...response(202, undefined) });
  });

  test('a body without end is not read on', async () => {
    const api = await server({
      onRequest: (socket) => {
        socket.write('HTTP/1.1 202 X\r\n\r\n');
        const more = (): void => {
          while (!socket.destroyed && socket.write('x'.repeat(65_536))) {}
        };
        socket.on('drain', more);
        more();
      },
    });
    const answer = await submit(client(), api.url);
    expect(answer).toMatchObject({ ...response(202, undefined) });
    await waitFor(() => api.openSockets() === 0, { what: 'the socket to be dropped' });
  });
});

describe('answers that can be read', () => {
  test.each<[string, Buffer | string, unknown]>([
    ['a wrong content type', httpAnswer(200, '{"a":1}', { 'content-type': 'text/html' }), { a: 1 }],
    ['gzip', httpAnswer(200, gzipSync('{"a":1}'), { 'content-encoding': 'gzip' }), { a: 1 }],
    ['a byte order mark', httpAnswer(200, '\uFEFF{"a":1}'), { a: 1 }],
    ['an interim answer first', `HTTP/1.1 103 X\r\n\r\n${httpAnswer(200, '{"a":1}').toString()}`, { a: 1 }],
    ['chunks', 'HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n', { a: 1 }],
  ])('%s', async (_case, bytes, body) => {
    const { answer } = await exchange(answering(bytes));
    expect(answer).toMatchObject(response(200, body));
  });

  test('JSON nested very deeply', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const api = await server(answering(httpAnswer(200, deep)));
    expect(await submit(client(), api.url)).toMatchObject({ kind: 'response', status: 200 });
  });

  test.each<[string, Record<string, string>, object]>([
    ['seconds', { 'retry-after': '7' }, { retryAfterMs: 7_000 }],
    [
      'a date, by the server’s clock',
      { 'retry-after': 'Wed, 21 Oct 2015 07:28:30 GMT', date: 'Wed, 21 Oct 2015 07:28:00 GMT' },
      { retryAfterMs: 30_000, dateMs: Date.UTC(2015, 9, 21, 7, 28) },
    ],
    ['a date that is past', { 'retry-after': 'Wed, 21 Oct 2015 07:28:30 GMT' }, { retryAfterMs: 0 }],
    ['longer than a day', { 'retry-after': '99999999' }, { retryAfterMs: 86_400_000 }],
    ['nonsense', { 'retry-after': 'soon', date: 'today' }, { retryAfterMs: null, dateMs: null }],
    ['credits', { 'x-api-credits-remaining': '12' }, { creditsRemaining: 12 }],
    ['nothing', {}, { retryAfterMs: null, creditsRemaining: null, dateMs: null }],
  ])('headers: %s', async (_case, headers, expected) => {
    const { answer } = await exchange(answering(httpAnswer(429, '{}', headers)));
    expect(answer).toMatchObject({ headers: expected });
  });
});

describe('sockets that are kept', () => {
  test('an idle socket that the server closed is not used again', async () => {
    const api = await server({
      onRequest: (socket) => {
        socket.write(httpAnswer(202, SCHEDULED));
        setTimeout(() => socket.end(), 20);
      },
    });
    const zoho = client();
    for (let round = 1; round <= 3; round++) {
      expect(await submit(zoho, api.url)).toMatchObject({ status: 202 });
      await waitFor(() => api.openSockets() === 0, { what: 'the server to close its socket' });
    }
    expect(api.requests).toHaveLength(3);
  });

  test('a socket closed in the very moment of the next request is never taken for a request not sent', async () => {
    const api = await server({ onRequest: (socket) => socket.end(httpAnswer(202, SCHEDULED)) });
    const zoho = client();
    const answers: Answer[] = [];
    for (let round = 0; round < 200; round++) answers.push(await submit(zoho, api.url));
    const answered = answers.filter(({ kind }) => kind === 'response').length;
    const unsent = answers.filter((answer) => answer.kind === 'no-response' && !answer.sent).length;
    expect(unsent).toBe(0);
    expect(api.requests.length).toBeGreaterThanOrEqual(answered);
    expect(api.requests.length).toBeLessThanOrEqual(answers.length);
  });

  test('an event loop that was busy while the server closed its socket notices before it sends', async () => {
    const script = `require('net').createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => {
        socket.write('HTTP/1.1 202 X\\r\\ncontent-length: 2\\r\\n\\r\\n{}');
        setTimeout(() => socket.end(), 20);
      });
    }).listen(0, '127.0.0.1', function () { console.log(String(this.address().port)); })`;
    const child = t.closing(spawn(process.execPath, ['-e', script]), (running) => running.kill('SIGKILL'));
    const [line] = await once(child.stdout, 'data');
    const zoho = client();
    for (let round = 0; round < 5; round++) {
      expect(await submit(zoho, `http://127.0.0.1:${Number(line)}`)).toMatchObject({ status: 202 });
      for (const start = performance.now(); performance.now() - start < 60; ) {}
    }
  });

  test('an idle socket is dropped after its time, and a slow answer is not', async () => {
    const api = await server({
      onRequest: (socket) => {
        setTimeout(() => socket.write(httpAnswer(202, SCHEDULED)), 400);
      },
    });
    const zoho = client({ idleSocketMs: 150 });
    expect(await submit(zoho, api.url)).toMatchObject({ status: 202 });
    expect(api.openSockets()).toBe(1);
    await waitFor(() => api.openSockets() === 0, { what: 'the idle socket to be dropped' });
  });

  test('closing drops idle sockets, twice as well as once', async () => {
    const api = await server(answering(httpAnswer(202, SCHEDULED)));
    const transport = transportWith();
    await submit(createZohoClient(transport, 'v7'), api.url);
    transport.close();
    transport.close();
    await waitFor(() => api.openSockets() === 0, { what: 'the socket to be dropped' });
  });
});

function drip(socket: Socket, first: string, drop: string): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(drop), 50);
  socket.on('close', () => clearInterval(timer));
}
