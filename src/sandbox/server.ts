import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerAdmin, isAdmin } from './admin.js';
import { INTERNAL_ERROR, type SandboxAnswer } from './answers.js';
import { createApi } from './api.js';
import { nowMs, type SandboxEvent } from './effects.js';
import { createEnrichmentBook } from './enrichments.js';
import { createFaultChooser, type FaultCourse } from './faults.js';
import { DEFAULT_OPTIONS, type SandboxOptions } from './options.js';
import { createRecordBook } from './records.js';
import type { Sandbox } from './sandbox.js';
import { createTokenDesk, formParams } from './tokens.js';

export type { Sandbox } from './sandbox.js';

/** Somebody who works in the CRM's own pages. */
const ANOTHER_USER = '554023000000235099';

export type StartOptions = Partial<SandboxOptions> & { readonly port?: number; readonly host?: string };

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** Starts the stand-in. Port 0 takes a free one. Rejects when the port is taken. On a loopback `host` it answers loopback names only. */
export async function startSandbox({ port = 0, host = '127.0.0.1', ...given }: StartOptions = {}): Promise<Sandbox> {
  let options: SandboxOptions = { ...DEFAULT_OPTIONS, ...given };
  const log: SandboxEvent[] = [];
  const tokens = createTokenDesk();
  const book = createEnrichmentBook();
  const random = seededRandom(options.seed);
  const api = createApi({ tokens, book, records: createRecordBook(book), faults: createFaultChooser(random) });
  const server = createServer({ keepAlive: true, keepAliveTimeout: 30_000 }, (request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  server.listen(port, host);
  await once(server, 'listening');
  const listeningPort = (server.address() as AddressInfo).port; // a TCP server's address
  const url = `http://${host}:${listeningPort}`;
  let inFlight = 0;
  // Else a web page could ask it through a name of its own that it points at this machine (DNS rebinding).
  const isOpen = !LOOPBACK.test(host);

  const sandbox: Sandbox = {
    url,
    port: listeningPort,
    get options() {
      return options;
    },
    configure: (patch) => {
      options = { ...options, ...patch };
    },
    log: () => log,
    enrich: (sent, createdBy = ANOTHER_USER) => book.accept(sent, createdBy),
    enrichments: () => book.all(),
    reset: () => {
      log.length = 0;
      book.reset();
      tokens.reset();
    },
    close: async () => {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return sandbox;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isOpen && !LOOPBACK.test((request.headers.host ?? '').replace(/:\d+$/, ''))) {
      response.writeHead(421).end('The sandbox answers this machine only.\n');
      return;
    }
    const body = await readText(request);
    const target = new URL(request.url ?? '/', url);
    if (isAdmin(target)) return write(response, answerAdmin(request.method ?? 'GET', target, body, sandbox), 0);
    if (target.pathname.startsWith('/oauth/v2/token')) return serveToken(request, response, target, body);
    return serveApi(request, response, target, body);
  }

  async function serveToken(
    request: IncomingMessage,
    response: ServerResponse,
    target: URL,
    body: string,
  ): Promise<void> {
    const event = record('token', request, target, 0);
    const params = formParams(target, request.headers['content-type'] ?? '', body);
    const course = api.faultOf('token', undefined, options);
    const act = () =>
      target.pathname.endsWith('/revoke') ? tokens.revoke(params) : tokens.answer(params, options, url);
    // A fault that answers instead of Zoho issues no token and uses up no grant code.
    const answer = course === undefined || course.accepts ? act() : INTERNAL_ERROR;
    await leave(response, event, answer, course);
  }

  async function serveApi(
    request: IncomingMessage,
    response: ServerResponse,
    target: URL,
    body: string,
  ): Promise<void> {
    inFlight += 1;
    const event = record(api.kindOf(request.method ?? 'GET', target), request, target, inFlight);
    let over = false;
    const ended = () => {
      if (!over) inFlight -= 1;
      over = true;
    };
    response.once('close', ended);
    const { answer, course } = api.answer({ request, target, body, event, log, options });
    await leave(response, event, answer, course);
  }

  function record(kind: SandboxEvent['kind'], request: IncomingMessage, target: URL, calls: number): SandboxEvent {
    const event: SandboxEvent = {
      kind,
      method: request.method ?? 'GET',
      path: target.pathname,
      atMs: nowMs(),
      inFlight: calls,
      answeredAtMs: null,
      status: null,
      code: null,
      enrichmentId: null,
      sent: null,
    };
    log.push(event);
    return event;
  }

  async function leave(
    response: ServerResponse,
    event: SandboxEvent,
    usual: SandboxAnswer,
    course: FaultCourse | undefined,
  ): Promise<void> {
    const delayMs = latency() + (course?.extraMs ?? 0);
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
    if (course?.leaves === 'nothing') return;
    if (course?.leaves === 'cut') {
      response.destroy();
      return;
    }
    const answer = course === undefined || course.leaves === 'usual' ? usual : course.leaves;
    event.status = answer.status;
    event.code = answer.code;
    event.answeredAtMs = nowMs();
    write(response, answer, options.clockOffsetMs, options.credits);
  }

  function latency(): number {
    const { latencyMs } = options;
    if (typeof latencyMs === 'number') return latencyMs;
    return latencyMs[0] + random() * (latencyMs[1] - latencyMs[0]);
  }
}

function write(
  response: ServerResponse,
  answer: SandboxAnswer,
  clockOffsetMs: number,
  credits: number | null = null,
): void {
  const text =
    answer.body === undefined ? '' : typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    ...(text === '' ? {} : { 'content-type': text.startsWith('<') ? 'text/html' : 'application/json;charset=UTF-8' }),
    ...(answer.status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }),
    ...(clockOffsetMs === 0 ? {} : { date: new Date(Date.now() + clockOffsetMs).toUTCString() }),
    ...(credits === null ? {} : { 'x-api-credits-remaining': String(credits) }),
    ...answer.headers,
  });
  response.end(text);
}

async function readText(request: IncomingMessage): Promise<string> {
  if (request.method === 'GET') return '';
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // a request without encoding yields buffers
  return Buffer.concat(chunks).toString('utf8');
}

/** A small seeded generator (mulberry32): the same seed gives the same run. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
