import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono, type MiddlewareHandler } from 'hono';
import type { EnrichQueue } from '../lib/queues.js';

/** Where bull-board is mounted; its pages carry absolute links. */
export const BOARD_PATH = '/queues';

const MAX_JOBS = 100;

/** The page of one job. */
export function jobUrl(queueName: string, jobId: string): string {
  return `${BOARD_PATH}/queue/${encodeURIComponent(queueName)}/${encodeURIComponent(jobId)}`;
}

/**
 * bull-board over one queue. Read-only unless `allowChanges`: its buttons work on jobs and know nothing of the ledger,
 * the stop or fresh attempts, which the commands `retry`, `pause` and `resume` do.
 */
export function queueBoard(queue: EnrichQueue, allowChanges: boolean): Hono {
  const serverAdapter = new HonoAdapter(serveStatic);
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: !allowChanges })],
    serverAdapter,
    options: { uiConfig: { boardTitle: 'zia-bulk-enrich', miscLinks: [{ text: 'Overview', url: '/' }] } },
  });
  const board = new Hono();
  if (!allowChanges) board.use(onlyLooking());
  board.get('/api/queues', pagesOfJobs());
  board.use(async (c, next) => {
    await next();
    if (c.res.headers.get('content-type')?.startsWith('text/html')) c.res = await withoutOutsideLinks(c.res);
  });
  board.route('/', serverAdapter.registerPlugin());
  return board;
}

/** However many jobs a request asks for, it gets no more than a page of them. */
function pagesOfJobs(): MiddlewareHandler {
  return async (c, next) => {
    const url = new URL(c.req.url);
    if (Number(url.searchParams.get('jobsPerPage')) > MAX_JOBS) {
      url.searchParams.set('jobsPerPage', String(MAX_JOBS));
      c.req.raw = new Request(url, c.req.raw);
    }
    await next();
  };
}

/** bull-board asks each of its routes to heed its read-only mode; a new one may forget. */
function onlyLooking(): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      return c.json({ error: { key: 'ERRORS.QUEUE_READ_ONLY' } }, 405);
    }
    await next();
    return undefined;
  };
}

/** bull-board's page asks a font service for its fonts, which would tell that service who looks at the queue and when. */
async function withoutOutsideLinks(page: Response): Promise<Response> {
  const body = (await page.text()).replace(/<link\b[^>]*\bhref="https?:[^>]*>/g, '');
  return new Response(body, { status: page.status, headers: page.headers });
}
