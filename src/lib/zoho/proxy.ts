import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';

/** The proxy that calls to other machines go through. */
export interface ProxySettings {
  /** `http://` or `https://`, with user and password where it asks for them. */
  readonly url: string;
  /** NO_PROXY: hosts that are called directly, separated by commas. */
  readonly except: string;
}

/** The proxy for calls to this host, or null for none: this machine and the excepted hosts are called directly. */
export function proxyFor(hostname: string, { url, except }: ProxySettings): URL | null {
  return isLoopback(hostname) || isExcepted(hostname, except) ? null : new URL(url);
}

/** `*` is every host; `zoho.com`, `.zoho.com` and `*.zoho.com` are that host and those below it; ports are ignored. */
function isExcepted(hostname: string, except: string): boolean {
  const host = `.${hostname.toLowerCase()}`;
  return except
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => entry.replace(/:\d+$/, ''))
    .some((entry) => entry === '*' || host.endsWith(`.${entry.replace(/^\*?\./, '')}`));
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|\[?::1\]?|127\.\d+\.\d+\.\d+)$/i.test(hostname);
}

export interface TunnelOptions {
  readonly proxy: URL;
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Certificates that an `https://` proxy is trusted by instead of the usual ones (PEM). */
  readonly ca?: string;
}

/**
 * A connection through the proxy to `host:port`, with nothing sent to that host yet. Rejects with a code of the network,
 * or with `PROXY_HTTP_<status>` when the proxy refuses.
 */
export function openTunnel({ proxy, host, port, timeoutMs, ca }: TunnelOptions): Promise<Socket> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const isTls = proxy.protocol === 'https:';
  const proxyHost = proxy.hostname.replace(/^\[(.*)\]$/, '$1');
  const request = (isTls ? https : http).request({
    host: proxyHost,
    port: proxy.port === '' ? (isTls ? 443 : 80) : Number(proxy.port),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...credentialsOf(proxy) },
    agent: false,
    // Or Node would ask for the certificate of the Host header.
    ...(isTls ? { servername: isIP(proxyHost) === 0 ? proxyHost : '' } : {}),
    ...(isTls && ca !== undefined ? { ca } : {}),
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => request.destroy(failure('ETIMEDOUT', 'The proxy did not answer in time.')),
      timeoutMs,
    );
    request.once('close', () => clearTimeout(timer));
    // Stays for good: an error that comes later than the answer must find a listener.
    request.on('error', reject);
    request.once('response', ({ statusCode }) => refuse(statusCode));
    request.once('connect', ({ statusCode }, socket: Socket) => {
      clearTimeout(timer);
      if (statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        refuse(statusCode);
      }
    });
    request.end();

    function refuse(status: number | undefined): void {
      reject(failure(`PROXY_HTTP_${status}`, `The proxy refused the connection with HTTP ${status}.`));
      request.destroy();
    }
  });
}

function credentialsOf({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
