import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { openTunnel, type ProxySettings, proxyFor } from './proxy.js';

/** Watches over one request: asked when a connected socket is ready for it, and remembers that it was handed one. */
export interface Fence {
  readonly mayStillSend: () => boolean;
  /** Bound on connecting, TLS included. */
  readonly connectWithinMs: number;
  /** While false, provably nothing of the request has left. */
  handedOver: boolean;
}

export interface FencedAgentOptions {
  /** Idle sockets are dropped after this time: one that the server is about to close would lose the next answer. */
  readonly idleSocketMs: number;
  /** Certificates trusted instead of the usual ones (PEM). */
  readonly ca?: string;
  /** Https goes through this proxy; plain http, which only this machine is called by, never does. */
  readonly proxy?: ProxySettings;
}

/** Request options with the fence of the request they belong to. */
export type FencedRequestOptions = http.RequestOptions & { readonly fence: Fence };

type Created = (error: Error | null, socket: Duplex) => void;
/** Goes with an error, whose receiver looks at nothing else. */
const NO_SOCKET = undefined as unknown as Duplex;

/** One address of several may be unreachable without saying so; Node's 250 ms are too short for the far side of the world. */
const ADDRESS_ATTEMPT_MS = 1_000;

/**
 * Keep-alive agents that connect first and hand the socket to the request afterwards. Node's own agents hand sockets over
 * while they connect, and what was queued leaves whenever that succeeds: a process frozen meanwhile would send a request
 * whose claim others have long treated as lost. Requests need `fence` among their options.
 */
export function createFencedAgents(options: FencedAgentOptions): {
  readonly http: http.Agent;
  readonly https: https.Agent;
} {
  const common = {
    keepAlive: true,
    timeout: options.idleSocketMs,
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
  };
  return {
    http: new FencedHttpAgent(common),
    https: new FencedHttpsAgent({ ...common, ...(options.ca === undefined ? {} : { ca: options.ca }) }, options),
  };
}

/**
 * Sends a request through one of the agents above. The fence is checked here for a socket that is used again, because
 * that one is handed over within this very call. Throws when the fence does not let it pass.
 */
export function fencedRequest(url: URL, options: FencedRequestOptions): http.ClientRequest {
  const { fence } = options;
  if (!fence.mayStillSend()) throw claimExpired();
  const request = url.protocol === 'https:' ? https.request(url, options) : http.request(url, options);
  if (request.reusedSocket) fence.handedOver = true;
  return request;
}

class FencedHttpAgent extends http.Agent {
  override createConnection(options: http.ClientRequestArgs, callback?: Created): undefined {
    const socket = super.createConnection(options) as Socket; // net.connect, says Node's documentation
    const fence = fenceOf(options);
    handOverConnected(socket, 'connect', fence, fence.connectWithinMs, callback);
  }
}

class FencedHttpsAgent extends https.Agent {
  constructor(
    options: https.AgentOptions,
    private readonly settings: FencedAgentOptions,
  ) {
    super(options);
  }

  override createConnection(options: https.RequestOptions, callback?: Created): undefined {
    const { ca, proxy: proxies } = this.settings;
    const fence = fenceOf(options);
    const host = options.host ?? 'localhost';
    const proxy = proxies === undefined ? null : proxyFor(host, proxies);
    const connect = (through: object, timeoutMs: number): void => {
      const socket = super.createConnection({ ...options, ...through }) as Socket; // tls.connect, says Node's documentation
      handOverConnected(socket, 'secureConnect', fence, timeoutMs, callback);
    };
    if (proxy === null) {
      connect({}, fence.connectWithinMs);
      return;
    }
    const startedAt = performance.now();
    const port = Number(options.port ?? 443);
    openTunnel({ proxy, host, port, timeoutMs: fence.connectWithinMs, ...(ca === undefined ? {} : { ca }) }).then(
      (socket) => connect({ socket }, Math.max(0, fence.connectWithinMs - (performance.now() - startedAt))),
      (error: Error) => callback?.(error, NO_SOCKET),
    );
  }
}

function handOverConnected(
  socket: Socket,
  connected: 'connect' | 'secureConnect',
  fence: Fence,
  timeoutMs: number,
  callback: Created | undefined,
): void {
  let settled = false;
  const timer = setTimeout(() => fail(failure('ETIMEDOUT', 'The connection was not made in time.')), timeoutMs);
  socket.once(connected, succeed);
  socket.once('close', () => fail(failure('ECONNRESET', 'The connection was closed while it was being made.')));
  // Stays for good: between connecting and the request's own listener an error would find none, and end the process.
  socket.on('error', fail);

  function succeed(): void {
    if (settled) return;
    if (!fence.mayStillSend()) {
      fail(claimExpired());
      return;
    }
    settle();
    fence.handedOver = true;
    callback?.(null, socket);
  }

  function fail(error: Error): void {
    if (settled) return;
    settle();
    socket.destroy();
    callback?.(error, socket);
  }

  function settle(): void {
    settled = true;
    clearTimeout(timer);
  }
}

function fenceOf(options: object): Fence {
  if (!('fence' in options)) throw new Error('A request through a fenced agent needs a fence.');
  return options.fence as Fence; // set by `fencedRequest`, the only way to this agent
}

function claimExpired(): Error {
  return failure('CLAIM_EXPIRED', 'The time to send this request was over.');
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
