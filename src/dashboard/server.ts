import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Hono } from 'hono';
import type { Check } from '../lib/core/check.js';
import type { Engine } from '../lib/engine/engine.js';
import { StoreUnavailableError, UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import { createMonitoring, type MonitoringOptions } from '../lib/metrics/monitoring.js';
import type { EnrichQueue } from '../lib/queues.js';
import { knownHostOnly, type Login, notForwarded, ownPagesOnly, requiredLogin } from './access.js';
import { ASSETS_PATH, assets } from './assets.js';
import { errorPages } from './error-pages.js';
import { createFailedLogins } from './failed-logins.js';
import type { FileActions } from './file-actions.js';
import { type PreviewedFile, previewFile } from './file-preview.js';
import { fileRoutes } from './file-routes.js';
import type { Frame, FrameAccount } from './frame.js';
import { createHttpServer } from './http-server.js';
import { loginRequired } from './login.js';
import { Monitor } from './monitor.js';
import { createFileList } from './noted-files.js';
import { type OverviewFiles, overviewRoutes } from './overview-routes.js';
import { pageHeaders } from './page-headers.js';
import { FILES_PATH } from './paths.js';
import { BOARD_PATH, queueBoard } from './queue-board.js';
import { bodilessHead, MalformedBodyError, smallBodies, withoutSlash } from './request-rules.js';
import { rowsRoutes } from './rows-routes.js';
import { createUploadStore, type UploadStore } from './upload-store.js';
import { UploadedFiles } from './uploaded-files.js';

export interface DashboardOptions {
  /** Address to listen on; anything but loopback needs `user` and `password`. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Host names it answers to beside loopback; lower case. Default none. */
  readonly allowedHosts?: readonly string[];
  /** Address of a proxy that is believed who asks; default none. */
  readonly trustedProxy?: string | undefined;
  /** Show and change nothing; default false. */
  readonly readOnly?: boolean;
  /** Default 100 MB. */
  readonly maxUploadBytes?: number;
  readonly engine: Engine;
  readonly log: Logger;
  /** Lets bull-board's buttons change jobs; false by default. */
  readonly allowChanges?: boolean;
  /** The configured limits, for show. */
  readonly limits?: { readonly ratePerSecond: number; readonly maxInFlight: number };
  /** Files from the browser; none when absent. `keepDir` is where those are kept whose rows were queued. */
  readonly files?: { readonly actions: FileActions; readonly keepDir?: string | undefined } | undefined;
  /** Tries of a row; default 5. */
  readonly maxAttempts?: number;
  /** The CRM module that rows are meant for; default Accounts. */
  readonly module?: string;
  /** The name of the settings in use. */
  readonly profile?: string | null;
  /** The Zoho account, for show; null without credentials. */
  readonly account?: FrameAccount | null;
  /** What doctor says; asked once, while nothing is queued yet. */
  readonly checks?: (() => Promise<readonly Check[]>) | undefined;
  /** Has Zoho asked for the allowance and the store told. */
  readonly allowance?: (() => Promise<unknown>) | undefined;
  /** What a worker in this process tells of itself, for `/metrics` and `/readyz`. */
  readonly worker?: Pick<MonitoringOptions, 'calls' | 'obstacles'>;
}

export interface Dashboard {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** All that its own pages answer, such as `POST /files/:id/enqueue`; those of bull-board are not among them. */
  readonly routes: readonly string[];
  /** Ends open connections, removes uploads and closes the queue, not the engine. Safe to call twice. */
  close(): Promise<void>;
}

const DEFAULT_MAX_UPLOAD_BYTES = 100_000_000;
const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_LIMITS = { ratePerSecond: 10, maxInFlight: 5 };

/** What the routes are made of. */
interface Parts {
  readonly frame: Frame;
  readonly monitor: Monitor;
  readonly files: (OverviewFiles & { readonly uploads: UploadStore }) | null;
}

/**
 * Serves the overview at `/`, uploaded files at `/files`, bull-board at `/queues`, `/metrics`, `/healthz` and `/readyz`.
 * Throws `UsageError` when it may not or cannot listen there.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { host, port, engine, log } = options;
  const login = requiredLogin(host, options.user, options.password);
  if (options.readOnly && options.allowChanges) {
    throw new UsageError(
      'DASHBOARD_READ_ONLY',
      'A read-only dashboard lets nobody change jobs: leave --allow-changes out, or set ZIA_DASHBOARD_READ_ONLY=false.',
    );
  }
  const queue = engine.openQueue();
  const parts = openParts(options, queue, login);
  const app = dashboardApp(options, queue, login, parts);
  const server = await createHttpServer(app);
  const closeParts = async () => {
    await parts.monitor.close();
    await parts.files?.openFiles.close();
    await parts.files?.uploads.close();
    await queue.close();
  };
  try {
    server.listen(port, host.replace(/^\[(.*)\]$/, '$1'));
    await once(server, 'listening');
  } catch (error) {
    await closeParts();
    throw cannotListen(host, port, error);
  }
  // A TCP server's address is an object: only pipes have a string.
  const url = `http://${bracketed(host)}:${(server.address() as AddressInfo).port}`;
  log.info('dashboard.started', { url, login: login !== null });
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    await closeParts();
  };
  return { url, routes: routesOf(app), close: () => (closing ??= close()) };
}

/** Without what is done to every request. */
function routesOf({ routes }: Hono): readonly string[] {
  const own = routes.filter(({ method, path }) => method !== 'ALL' && !path.startsWith(BOARD_PATH));
  return [...new Set(own.map(({ method, path }) => `${method} ${path}`))];
}

function openParts(options: DashboardOptions, queue: EnrichQueue, login: Login | null): Parts {
  const { engine, log, module = 'Accounts', maxUploadBytes = DEFAULT_MAX_UPLOAD_BYTES } = options;
  const frame: Frame = {
    where: `${engine.description}, queue ${engine.queueName}`,
    queueName: engine.queueName,
    profile: options.profile ?? null,
    account: options.account ?? null,
    module,
    user: login?.user ?? null,
    readOnly: options.readOnly ?? false,
    ...(options.limits ?? DEFAULT_LIMITS),
  };
  const monitor = new Monitor({ engine, queue, log, allowance: options.allowance });
  if (options.files === undefined) return { frame, monitor, files: null };
  const { actions, keepDir } = options.files;
  const uploads = createUploadStore({ maxBytes: maxUploadBytes, keepDir });
  const preview = (file: PreviewedFile) => previewFile(file, { module, store: engine.store });
  const list = createFileList({ store: engine.store, openFiles: () => openFiles, uploads, module });
  const openFiles: UploadedFiles = new UploadedFiles({ actions, uploads, preview, note: list.note, log });
  return { frame, monitor, files: { openFiles, list, uploads, maxBytes: maxUploadBytes } };
}

function dashboardApp(options: DashboardOptions, queue: EnrichQueue, login: Login | null, parts: Parts): Hono {
  const { host, engine, log, allowedHosts = [], allowChanges = false } = options;
  const app = new Hono();
  app.use(bodilessHead());
  app.use(pageHeaders());
  app.use(knownHostOnly({ host, allowedHosts, hasLogin: login !== null }));
  if (login === null) app.use(notForwarded());
  const monitoring = createMonitoring({ engine, queue, ...options.worker });
  // Health is for whoever watches over the process; the figures are for those who may see the overview.
  for (const path of ['/healthz', '/readyz']) app.get(path, (c) => monitoring.fetch(c.req.raw));
  const { trustedProxy } = options;
  // Browsers forget a login that is refused.
  app.get('/logout', (c) => {
    c.header('WWW-Authenticate', 'Basic realm="zia-bulk-enrich", charset="UTF-8"');
    return c.text('You are logged out. Close this window, or log in again.\n', login === null ? 404 : 401);
  });
  if (login !== null) app.use(loginRequired({ login, failures: createFailedLogins(), trustedProxy, log }));
  app.use(errorPages(parts.frame));
  app.use(ownPagesOnly());
  app.use(smallBodies(FILES_PATH));
  app.get('/metrics', (c) => monitoring.fetch(c.req.raw));
  app.notFound(withoutSlash);
  app.route(ASSETS_PATH, assets());
  const { frame, monitor, files } = parts;
  app.route('/', overviewRoutes({ engine, frame, monitor, files, checks: options.checks, log }));
  app.route(
    '/',
    rowsRoutes({ engine, queue, frame, monitor, log, maxAttempts: options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS }),
  );
  if (files !== null) app.route(FILES_PATH, fileRoutes({ ...files, frame, monitor, engine, queue }));
  app.route(BOARD_PATH, queueBoard(queue, allowChanges));
  app.onError((error, c) => {
    if ('getResponse' in error) return error.getResponse();
    if (error instanceof MalformedBodyError) return c.text('That is no form this dashboard can read.\n', 400);
    // Nobody is there to be told, and nothing is wrong here.
    if (c.req.raw.signal.aborted) return c.body(null, 400);
    log.error('dashboard.request-failed', { path: c.req.path, message: error.message });
    return error instanceof StoreUnavailableError
      ? c.text('The queue cannot be read right now; the log of the dashboard says why.\n', 503)
      : c.text('That did not work; the log of the dashboard says why.\n', 500);
  });
  return app;
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
