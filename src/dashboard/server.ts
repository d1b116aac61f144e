import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Hono } from 'hono';
import type { Engine } from '../lib/engine/engine.js';
import { StoreUnavailableError, UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import { createMonitoring, type MonitoringOptions } from '../lib/metrics/monitoring.js';
import type { EnrichQueue } from '../lib/queues.js';
import { liftStop } from '../lib/store/lift-stop.js';
import { knownHostOnly, type Login, ownPagesOnly, requiredLogin } from './access.js';
import { ASSETS_PATH, assets } from './assets.js';
import { errorPages } from './error-pages.js';
import { createFailedLogins } from './failed-logins.js';
import type { FileActions } from './file-actions.js';
import { createFileCases, type FileCases } from './file-cases.js';
import { filesCard } from './file-page.js';
import { type PreviewedFile, previewFile } from './file-preview.js';
import { fileRoutes } from './file-routes.js';
import { createHttpServer } from './http-server.js';
import { type PageUpdate, pointsAfter, renderedParts } from './live-parts.js';
import { loginRequired } from './login.js';
import { createMonitor, type Monitor, type Picture } from './monitor.js';
import type { OverviewFrame } from './overview-frame.js';
import { overviewPage, overviewParts } from './overview-page.js';
import { pageHeaders } from './page-headers.js';
import { BOARD_PATH, queueBoard } from './queue-board.js';
import { bodilessHead, smallBodies, withoutSlash } from './request-rules.js';
import { createUploadStore, type UploadStore } from './upload-store.js';

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
  /** Files from the browser; none when absent. */
  readonly files?: { readonly actions: FileActions; readonly module: string } | undefined;
  /** Has Zoho asked for the allowance and the store told. */
  readonly allowance?: (() => Promise<unknown>) | undefined;
  /** What a worker in this process tells of itself, for `/metrics` and `/readyz`. */
  readonly worker?: Pick<MonitoringOptions, 'calls' | 'obstacles'>;
}

export interface Dashboard {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Ends open connections, removes uploads and closes the queue, not the engine. Safe to call twice. */
  close(): Promise<void>;
}

/** Where files are sent and looked at. */
const FILES_PATH = '/files';
const DEFAULT_MAX_UPLOAD_BYTES = 100_000_000;
const DEFAULT_LIMITS = { ratePerSecond: 10, maxInFlight: 5 };

/** What the routes are made of. */
interface Parts {
  readonly frame: OverviewFrame;
  readonly monitor: Monitor;
  readonly files: { readonly cases: FileCases; readonly uploads: UploadStore; readonly maxBytes: number } | null;
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
  const parts = openParts(options, queue);
  const server = await createHttpServer(dashboardApp(options, queue, login, parts));
  const closeParts = async () => {
    await parts.monitor.close();
    await parts.files?.cases.close();
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
  return { url, close: () => (closing ??= close()) };
}

function openParts(options: DashboardOptions, queue: EnrichQueue): Parts {
  const { engine, log, readOnly = false, maxUploadBytes = DEFAULT_MAX_UPLOAD_BYTES } = options;
  const frame: OverviewFrame = {
    where: `${engine.description}, queue ${engine.queueName}`,
    queueName: engine.queueName,
    readOnly,
    ...(options.limits ?? DEFAULT_LIMITS),
  };
  const monitor = createMonitor({ engine, queue, log, allowance: options.allowance });
  if (options.files === undefined || readOnly) return { frame, monitor, files: null };
  const { actions, module } = options.files;
  const uploads = createUploadStore(maxUploadBytes);
  const preview = (file: PreviewedFile) => previewFile(file, { module, store: engine.store });
  const cases = createFileCases({ actions, uploads, preview, log });
  return { frame, monitor, files: { cases, uploads, maxBytes: maxUploadBytes } };
}

function dashboardApp(options: DashboardOptions, queue: EnrichQueue, login: Login | null, parts: Parts): Hono {
  const { host, engine, log, allowedHosts = [], allowChanges = false } = options;
  const app = new Hono();
  app.use(bodilessHead());
  app.use(pageHeaders());
  app.use(knownHostOnly({ host, allowedHosts, hasLogin: login !== null }));
  const monitoring = createMonitoring({ engine, queue, ...options.worker });
  // Health is for whoever watches over the process; the figures are for those who may see the overview.
  for (const path of ['/healthz', '/readyz']) app.get(path, (c) => monitoring.fetch(c.req.raw));
  const { trustedProxy } = options;
  if (login !== null) app.use(loginRequired({ login, failures: createFailedLogins(), trustedProxy, log }));
  app.use(errorPages(parts.frame.where));
  app.use(ownPagesOnly());
  app.use(smallBodies(FILES_PATH));
  app.get('/metrics', (c) => monitoring.fetch(c.req.raw));
  app.notFound(withoutSlash);
  app.route(ASSETS_PATH, assets());
  overviewRoutes(app, options, parts);
  if (parts.files !== null) app.route(FILES_PATH, fileRoutes({ ...parts.files, where: parts.frame.where }));
  app.route(BOARD_PATH, queueBoard(queue, allowChanges));
  app.onError((error, c) => {
    if ('getResponse' in error) return error.getResponse();
    // Nobody is there to be told, and nothing is wrong here.
    if (c.req.raw.signal.aborted) return c.body(null, 400);
    log.error('dashboard.request-failed', { path: c.req.path, message: error.message });
    return error instanceof StoreUnavailableError
      ? c.text('The queue cannot be read right now; the log of the dashboard says why.\n', 503)
      : c.text('That did not work; the log of the dashboard says why.\n', 500);
  });
  return app;
}

function overviewRoutes(app: Hono, { engine, log }: DashboardOptions, { frame, monitor, files }: Parts): void {
  app.get('/', async (c) => {
    const picture = await monitor.look();
    const extra = files === null ? null : filesCard(files.cases.list(), files.maxBytes);
    return c.html(overviewPage(picture, frame, extra));
  });
  let rendered: { readonly of: Picture; readonly parts: ReturnType<typeof renderedParts> } | null = null;
  app.get('/parts', async (c) => {
    const picture = await monitor.latest();
    // All viewers of one snapshot share its text.
    if (rendered?.of !== picture) rendered = { of: picture, parts: renderedParts(overviewParts(picture, frame)) };
    const points = pointsAfter(picture.history, Number(c.req.query('after') ?? 0));
    return c.json({ parts: await rendered.parts, points } satisfies PageUpdate);
  });
  app.post('/resume', async (c) => {
    if (frame.readOnly) return c.text('This dashboard is read-only.\n', 403);
    const { epoch } = await c.req.parseBody();
    const { outcome } = await liftStop(engine.store.control, Number(epoch));
    log.info('dashboard.resumed', { changed: outcome === 'lifted' });
    if (outcome === 'other-stop') {
      const text = 'Another stop came meanwhile, so nothing was resumed: see on the overview what it is.\n';
      return c.text(text, 409);
    }
    return c.redirect('/', 303);
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
