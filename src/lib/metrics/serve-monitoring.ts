import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, type ServerType } from '@hono/node-server';
import type { Hono } from 'hono';
import { UsageError } from '../errors.js';
import { hostOf, isLoopback } from '../loopback.js';

export interface MonitoringServer {
  /** Where it listens, such as `http://127.0.0.1:9464`. */
  readonly url: string;
  readonly port: number;
  /** Ends open connections. Safe to call twice. */
  close(): Promise<void>;
}

/** So many workers on one machine find a port each. */
const PORTS_TRIED = 100;

/**
 * Serves `app` on `host` (an IPv6 address with or without brackets) and `port`, or on the next free port when that is taken; port 0 takes any.
 * On a loopback address it answers loopback names only: a web page that this machine's user visits would else read it through
 * a name of its own that it points here (DNS rebinding). Throws `UsageError` when it cannot listen there.
 */
export async function serveMonitoring(app: Hono, host: string, port: number): Promise<MonitoringServer> {
  const address = host.replaceAll(/[[\]]/g, '');
  const answers = (name: string | null) => !isLoopback(address) || isLoopback(hostOf(name ?? undefined));
  const server = createAdaptorServer({
    fetch: (request) =>
      answers(request.headers.get('host'))
        ? app.fetch(request)
        : new Response('Set ZIA_METRICS_HOST to let others than this machine ask.\n', { status: 421 }),
  });
  await listen(server, address, port);
  // A TCP server's address is an object: only pipes have a string.
  const taken = (server.address() as AddressInfo).port;
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${taken}`,
    port: taken,
    close: () => (closing ??= close()),
  };
}

async function listen(server: ServerType, host: string, first: number): Promise<void> {
  for (let port = first; ; port++) {
    try {
      server.listen(port, host);
      await once(server, 'listening');
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'; // net rejects with nothing else
      if (code === 'EADDRINUSE' && port < Math.min(first + PORTS_TRIED, 65_535)) continue;
      throw new UsageError(
        'METRICS_CANNOT_LISTEN',
        `The metrics cannot be served on ${host}:${port} (${code}); choose another with ZIA_METRICS_HOST or ZIA_METRICS_PORT.`,
        { cause: error },
      );
    }
  }
}
