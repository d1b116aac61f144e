import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), 'utf8');

/** The certificate of the TLS servers below, good for localhost and 127.0.0.1. */
export const testCertificate = (): string => fixture('cert');

export interface RawRequest {
  /** Such as `POST /path HTTP/1.1`. */
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Counts from 1, over all connections. */
  readonly number: number;
}

/** A server that speaks HTTP byte by byte, so that it can also speak it badly. */
export interface RawServer {
  readonly port: number;
  readonly url: string;
  /** Every request that arrived whole. */
  readonly requests: readonly RawRequest[];
  readonly connections: () => number;
  /** Bytes that arrived (decrypted), whole requests or not. */
  readonly bytes: () => number;
  readonly openSockets: () => number;
  close(): Promise<void>;
}

export interface RawServerOptions {
  readonly onConnection?: (socket: Socket) => void;
  readonly onRequest?: (socket: Socket, request: RawRequest) => void;
  readonly tls?: boolean;
}

export async function openRawServer(options: RawServerOptions): Promise<RawServer> {
  const requests: RawRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let bytes = 0;
  const server = options.tls
    ? createTlsServer({ key: fixture('key'), cert: fixture('cert') }, accept)
    : createServer(accept);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });

  function accept(socket: Socket): void {
    socket.on('error', () => undefined);
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      received += chunk.toString('latin1');
      for (let cut = cutRequest(received); cut !== undefined; cut = cutRequest(received)) {
        received = cut.rest;
        const request = { ...cut.request, number: requests.length + 1 };
        requests.push(request);
        options.onRequest?.(socket, request);
      }
    });
    options.onConnection?.(socket);
  }

  return {
    port,
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    bytes: () => bytes,
    openSockets: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A complete HTTP answer. */
export function httpAnswer(
  status: number,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers });
  const head = [`HTTP/1.1 ${status} X`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body as string)]);
}

function cutRequest(received: string): { request: Omit<RawRequest, 'number'>; rest: string } | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [line = '', ...fields] = received.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const bodyEnd = end + 4 + Number(headers['content-length'] ?? 0);
  if (received.length < bodyEnd) return undefined;
  const body = Buffer.from(received.slice(end + 4, bodyEnd), 'latin1').toString('utf8');
  return { request: { line, headers, body }, rest: received.slice(bodyEnd) };
}
