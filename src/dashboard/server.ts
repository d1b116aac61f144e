import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { csrf } from 'hono/csrf';
import { secureHeaders } from 'hono/secure-headers';
import { trimTrailingSlash } from 'hono/trailing-slash';
import type { Engine } from '../lib/engine/engine.js';
import { UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import { type Login, loopbackHostOnly, requiredLogin } from './access.js';
import { landingPage } from './landing-page.js';
import { BOARD_PATH, queueBoard } from './queue-board.js';

export interface DashboardOptions {
  /** Address to listen on; anything but loopback needs `user` and `password`. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly engine: Engine;
  readonly log: Logger;
  /** Lets bull-board's buttons change jobs; false by default. */
  readonly allowChanges?: boolean;
}

export interface Dashboard {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Ends open connections and closes the queue, not the engine. Safe to call twice. */
  close(): Promise<void>;
}

/** Serves `/`, bull-board at `/queues`, and `/healthz`. Throws `UsageError` when it may not or cannot listen there. */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { host, port, engine, log } = options;
  const login = requiredLogin(host, options.user, options.password);
  const queue = engine.openQueue();
  const app = dashboardApp(engine, queue, login, options.allowChanges ?? false, log);
  const server = createAdaptorServer({ fetch: app.fetch });
  try {
    server.listen(port, host.replace(/^\[(.*)\]$/, '$1'));
    await once(server, 'listening');
  } catch (error) {
    await queue.close();
    throw cannotListen(host, port, error);
  }
  // A TCP server's address is an object: only pipes have a string.
  const url = `http://${bracketed(host)}:${(server.address() as AddressInfo).port}`;
  log.info('dashboard.started', { url, login: login !== null });
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
    await closed;
    await queue.close();
  };
  return { url, close: () => (closing ??= close()) };
}

function dashboardApp(
  engine: Engine,
  queue: EnrichQueue,
  login: Login | null,
  allowChanges: boolean,
  log: Logger,
): Hono {
  const app = new Hono();
  app.use(pageHeaders());
  if (login === null) app.use(loopbackHostOnly());
  app.get('/healthz', async (c) => {
    await engine.counts();
    return c.text('ok\n');
  });
  if (login !== null) app.use(basicAuth({ username: login.user, password: login.password, realm: 'zia-bulk-enrich' }));
  app.use(csrf());
  app.use(trimTrailingSlash());
  app.get('/', async (c) => c.html(landingPage(await overview(engine))));
  app.route(BOARD_PATH, queueBoard(queue, allowChanges));
  app.onError((error, c) => {
    if ('getResponse' in error) return error.getResponse();
    log.error('dashboard.request-failed', { path: c.req.path, message: error.message });
    return c.text('The queue cannot be read right now; the log of the dashboard says why.\n', 503);
  });
  return app;
}

async function overview(engine: Engine) {
  const [queue, ledger, control] = await Promise.all([
    engine.counts(),
    engine.store.counts(),
    engine.store.control.read(),
  ]);
  return { engine: engine.description, queueName: engine.queueName, queue, ledger, control: control.value };
}

/** Nothing is loaded from elsewhere and nobody may frame the pages. bull-board sets styles inline. */
function pageHeaders() {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      workerSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
    xFrameOptions: 'DENY',
    // Plain HTTP here; a proxy that adds TLS decides for itself.
    strictTransportSecurity: false,
  });
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function cannotListen(host: string, port: number, cause: unknown): UsageError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'; // net rejects with nothing else
  const reason = code === 'EADDRINUSE' ? 'another program uses it' : code;
  return new UsageError(
    'DASHBOARD_CANNOT_LISTEN',
    `The dashboard cannot listen on ${bracketed(host)}:${port} (${reason}); choose another with ZIA_DASHBOARD_HOST or ZIA_DASHBOARD_PORT.`,
    { cause },
  );
}
