import type http from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { got, type Request } from 'got';
import type { Answer, AnswerHeaders } from '../core/answer.js';
import { MAX_RETRY_AFTER_MS } from '../core/classify.js';
import { createFencedAgents, type Fence, fencedRequest } from './fenced-agent.js';
import type { ProxySettings } from './proxy.js';

export interface TransportSettings {
  /** From the start of a call to the last byte of its answer, unless a request says less. */
  readonly requestTimeoutMs: number;
  /** Default 5 s; never more than the time for the whole call. */
  readonly connectTimeoutMs?: number;
  /** Default: 3 s. */
  readonly idleSocketMs?: number;
  readonly userAgent: string;
  /** Certificates trusted instead of the usual ones (PEM). */
  readonly ca?: string;
  readonly proxy?: ProxySettings;
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: that of the transport. */
  readonly timeoutMs?: number;
  /** Default: always. */
  readonly mayStillSend?: () => boolean;
}

/** One HTTP exchange a call: no retries, no redirects; every outcome is an `Answer`, nothing is thrown. */
export interface Transport {
  send(request: TransportRequest): Promise<Answer>;
  /** Destroys all sockets: a call under way ends as one whose answer was lost. Safe to call twice. */
  close(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_SOCKET_MS = 3_000;
/** Answers to a submission are small, and a result may hold a large logo. */
const MAX_BODY_BYTES = { POST: 1_000_000, GET: 10_000_000 };
const UTF8 = new TextDecoder();

export function createTransport(settings: TransportSettings): Transport {
  const { requestTimeoutMs, userAgent, ca, proxy } = settings;
  const agents = createFencedAgents({
    idleSocketMs: settings.idleSocketMs ?? IDLE_SOCKET_MS,
    ...(ca === undefined ? {} : { ca }),
    ...(proxy === undefined ? {} : { proxy }),
  });
  const client = got.extend({
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: true,
    headers: { 'user-agent': userAgent },
    agent: agents,
  });

  return {
    send: ({ method, url, headers, body, timeoutMs = requestTimeoutMs, mayStillSend = always }) => {
      // Node does not end a request that has no socket yet, so the request timeout alone would wait for this one.
      const connectWithinMs = Math.min(settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, timeoutMs);
      const fence: Fence = { mayStillSend, connectWithinMs, handedOver: false };
      const stream = client.stream(url, {
        method,
        headers,
        timeout: { request: timeoutMs },
        ...(body === undefined ? {} : { body }),
        request: async (target, { headers: sent, agent }) => {
          await closedSocketsLeft();
          // Only what is used: got names 45 options, which Node copies three times for every call.
          return fencedRequest(target, { method, headers: sent, agent, fence } as Parameters<typeof fencedRequest>[1]);
        },
      });
      return readAnswer(stream, fence, MAX_BODY_BYTES[method]);
    },
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** The same transport for calls that nobody waits longer for. Closing it closes nothing: that is for whoever made it. */
export function within(transport: Transport, timeoutMs: number): Transport {
  return { send: (request) => transport.send({ ...request, timeoutMs }), close: () => undefined };
}

const always = (): boolean => true;

/**
 * Lets sockets that the server closed leave the pool before one is taken from it: after a busy moment the news waits in
 * the kernel. Polling for it, ending the socket and destroying it take a turn of the event loop each.
 */
async function closedSocketsLeft(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

async function readAnswer(stream: Request, fence: Fence, maxBytes: number): Promise<Answer> {
  let head: http.IncomingMessage | undefined;
  stream.once('response', (response: http.IncomingMessage) => {
    head = response;
  });
  // Errors are read from the iteration below; one that comes later tells nothing new.
  stream.on('error', () => undefined);
  let body: unknown;
  let tooLarge = false;
  let code = 'ECONNRESET';
  try {
    const bytes = await readBody(stream, maxBytes);
    tooLarge = bytes === undefined;
    body = parseJson(bytes);
  } catch (error) {
    code = codeOf(error);
  }
  if (head?.statusCode === undefined) return { kind: 'no-response', sent: fence.handedOver, code };
  const headers = answerHeaders(head.headers);
  return { kind: 'response', status: head.statusCode, headers, body, ...(tooLarge && { tooLarge }) };
}

/** Undefined when it is larger than the cap: leaving the loop destroys the stream and its socket. */
async function readBody(stream: Request, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(bytes: Buffer | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(UTF8.decode(bytes)); // the decoder takes a byte order mark away
  } catch {
    return undefined;
  }
}

function answerHeaders(headers: http.IncomingHttpHeaders): AnswerHeaders {
  const dateMs = parseDate(headers.date);
  return {
    retryAfterMs: parseRetryAfter(headers['retry-after'], dateMs),
    creditsRemaining: parseWhole(headers['x-api-credits-remaining']),
    dateMs,
  };
}

/** Seconds, or a date; a date is compared with the server's own clock where it tells the time. */
function parseRetryAfter(text: string | undefined, serverNowMs: number | null): number | null {
  const seconds = parseWhole(text);
  const untilMs = seconds === null ? parseDate(text) : null;
  if (seconds === null && untilMs === null) return null;
  const waitMs = seconds === null ? (untilMs ?? 0) - (serverNowMs ?? Date.now()) : seconds * 1_000;
  return Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS);
}

function parseDate(text: string | undefined): number | null {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

function parseWhole(value: string | string[] | undefined): number | null {
  return typeof value === 'string' && /^\d{1,15}$/.test(value.trim()) ? Number(value) : null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
