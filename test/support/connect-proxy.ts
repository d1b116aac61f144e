import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), 'utf8');

export interface ConnectProxyOptions {
  /** Where every tunnel leads to, whatever was asked for. */
  readonly targetPort: number;
  /** Refuses with this status instead of opening a tunnel. */
  readonly status?: number;
  /** Takes the question and never answers. */
  readonly silent?: boolean;
  /** Speaks TLS itself, with the certificate of `testCertificate()`. */
  readonly tls?: boolean;
}

/** A company's proxy on loopback: it knows CONNECT and nothing else. */
export interface ConnectProxy {
  readonly url: string;
  /** What was asked for, such as `www.zohoapis.com:443`. */
  readonly asked: readonly string[];
  /** The Proxy-Authorization headers that came along. */
  readonly credentials: readonly (string | undefined)[];
  close(): Promise<void>;
}

export async function openConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const asked: string[] = [];
  const credentials: (string | undefined)[] = [];
  const server = options.tls ? https.createServer({ key: fixture('key'), cert: fixture('cert') }) : http.createServer();
  const sockets = trackSockets(server);
  server.on('connect', (request, client: Socket) => {
    asked.push(request.url ?? '');
    credentials.push(request.headers['proxy-authorization']);
    client.on('error', () => client.destroy());
    if (options.silent) return;
    if (options.status !== undefined) {
      client.end(`HTTP/1.1 ${options.status} X\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target = connect(options.targetPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(target).pipe(client);
    });
    sockets.add(target);
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  });
  const port = await listening(server);
  return {
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    asked,
    credentials,
    close: () => closed(server, sockets),
  };
}

/** A server that shows the certificate the company's authority made for Zoho's names, and passes everything to `port`. */
export async function openZohoFront(
  port: number,
  { asLocalhost = false } = {},
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createTlsServer({ key: fixture('zoho-key'), cert: fixture('zoho-cert') }, (client) => {
    const target = connect(port, '127.0.0.1');
    sockets.add(target);
    const toTarget = asLocalhost ? client.pipe(namingLocalhost()) : client;
    toTarget.pipe(target).pipe(client);
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
  });
  const sockets = trackSockets(server);
  return { port: await listening(server), close: () => closed(server, sockets) };
}

/** Requests as if they had been sent to localhost: the sandbox answers to no other name. */
function namingLocalhost(): Transform {
  return new Transform({
    transform: (bytes: Buffer, _encoding, done) =>
      done(null, Buffer.from(bytes.toString('latin1').replace(/\r\nhost: [^\r]*/i, '\r\nhost: localhost'), 'latin1')),
  });
}

/** The file of the company's certificate authority. */
export const companyCaFile = (): string => new URL('../fixtures/tls/company-ca.pem', import.meta.url).pathname;
export const companyCa = (): string => fixture('company-ca');

type Listener = http.Server | ReturnType<typeof createTlsServer>;

function trackSockets(server: Listener): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return sockets;
}

async function listening(server: Listener): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function closed(server: Listener, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}
