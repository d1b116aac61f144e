import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerAdmin, isAdmin } from './admin.js';
import { INTERNAL_ERROR, type SandboxAnswer } from './answers.js';
import { type Api, createApi } from './api.js';
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
  const sandbox = new SandboxServer(host, { ...DEFAULT_OPTIONS, ...given });
  await sandbox.listen(port);
  return sandbox;
}

class SandboxServer implements Sandbox {
  options: SandboxOptions;
  port = 0;
  readonly #host: string;
  readonly #log: SandboxEvent[] = [];
  readonly #tokens = createTokenDesk();
  readonly #book = createEnrichmentBook();
  readonly #random: () => number;
  readonly #api: Api;
  readonly #server: Server;
  #inFlight = 0;

  constructor(host: string, options: SandboxOptions) {
    this.#host = host;
    this.options = options;
    this.#random = seededRandom(options.seed);
    this.#api = createApi({
      tokens: this.#tokens,
      book: this.#book,
      records: createRecordBook(this.#book),
      faults: createFaultChooser(this.#random),
    });
    this.#server = createServer({ keepAlive: true, keepAliveTimeout: 30_000 }, (request, response) => {
      void this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, this.#host);
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port; // a TCP server's address
  }

  get url(): string {
    return `http://${this.#host}:${this.port}`;
  }

  configure(patch: Partial<SandboxOptions>): void {
    this.options = { ...this.options, ...patch };
  }

  log(): readonly SandboxEvent[] {
    return this.#log;
  }

  enrich(...[sent, createdBy = ANOTHER_USER]: Parameters<Sandbox['enrich']>): ReturnType<Sandbox['enrich']> {
    return this.#book.accept(sent, createdBy);
  }

  enrichments(): ReturnType<Sandbox['enrichments']> {
    return this.#book.all();
  }

  reset(): void {
    this.#log.length = 0;
    this.#book.reset();
    this.#tokens.reset();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Else a web page could ask it through a name of its own that it points at this machine (DNS rebinding).
    if (LOOPBACK.test(this.#host) && !LOOPBACK.test((request.headers.host ?? '').replace(/:\d+$/, ''))) {
      response.writeHead(421).end('The sandbox answers this machine only.\n');
      return;
    }
    const body = await readText(request);
    const target = new URL(request.url ?? '/', this.url);
    if (isAdmin(target)) return write(response, answerAdmin(request.method ?? 'GET', target, body, this), 0);
    if (target.pathname.startsWith('/oauth/v2/token')) return this.#serveToken(request, response, target, body);
    return this.#serveApi(request, response, target, body);
  }

  async #serveToken(request: IncomingMessage, response: ServerResponse, target: URL, body: string): Promise<void> {
    const event = this.#record('token', request, target, 0);
    const params = formParams(target, request.headers['content-type'] ?? '', body);
    const course = this.#api.faultOf('token', undefined, this.options);
    const act = () =>
      target.pathname.endsWith('/revoke')
        ? this.#tokens.revoke(params)
        : this.#tokens.answer(params, this.options, this.url);
    // A fault that answers instead of Zoho issues no token and uses up no grant code.
    const answer = course === undefined || course.accepts ? act() : INTERNAL_ERROR;
    await this.#leave(response, event, answer, course);
  }

  async #serveApi(request: IncomingMessage, response: ServerResponse, target: URL, body: string): Promise<void> {
    this.#inFlight += 1;
    const event = this.#record(this.#api.kindOf(request.method ?? 'GET', target), request, target, this.#inFlight);
    let over = false;
    const ended = () => {
      if (!over) this.#inFlight -= 1;
      over = true;
    };
    response.once('close', ended);
    const { answer, course } = this.#api.answer({
      request,
      target,
      body,
      event,
      log: this.#log,
      options: this.options,
    });
    await this.#leave(response, event, answer, course);
  }

  #record(kind: SandboxEvent['kind'], request: IncomingMessage, target: URL, calls: number): SandboxEvent {
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
    this.#log.push(event);
    return event;
  }

  async #leave(
    response: ServerResponse,
    event: SandboxEvent,
    usual: SandboxAnswer,
    course: FaultCourse | undefined,
  ): Promise<void> {
    const delayMs = this.#latency() + (course?.extraMs ?? 0);
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
    write(response, answer, this.options.clockOffsetMs, this.options.credits);
  }

  #latency(): number {
    const { latencyMs } = this.options;
    if (typeof latencyMs === 'number') return latencyMs;
    return latencyMs[0] + this.#random() * (latencyMs[1] - latencyMs[0]);
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
