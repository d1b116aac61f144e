import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import { parseFailure } from '../lib/core/failure.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import { retryPaidRow, retryRows } from '../producers/retry-rows.js';
import { type RowRecord, rowRecords } from '../reports/row-record.js';
import { allRowsPage, findAllRows, parseAllRowsQuery } from './all-rows-page.js';
import type { Frame } from './frame.js';
import type { Monitor } from './monitor.js';
import { ROWS_PATH } from './paths.js';
import { failedJobs } from './problems.js';
import { problemRecords, problemsCsv } from './problems-csv.js';
import { formOf, viewOnly } from './request-rules.js';
import { rowPage } from './row-page.js';

export interface RowsRoutesOptions {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly frame: Frame;
  readonly monitor: Monitor;
  readonly log: Logger;
  /** Of the new jobs of rows that are paid for again. */
  readonly maxAttempts: number;
}

const KEY = /^r\d{1,2}[\w-]{10,80}$/;

/** All rows, one row, and what can be done with rows that failed or wait for a decision. */
export function rowsRoutes(options: RowsRoutesOptions): Hono {
  const { engine, queue, frame, monitor, log } = options;
  const app = new Hono();

  async function recordOf(c: Context): Promise<RowRecord | null> {
    const key = c.req.param('key') ?? '';
    if (!KEY.test(key)) return null;
    const [record] = await rowRecords(engine, queue, [key as IdentityKey]); // of that form
    return record === undefined || (record.entry === undefined && !record.hasJob) ? null : record;
  }

  app.get(ROWS_PATH, async (c) => {
    const query = parseAllRowsQuery(c.req.query());
    const [found, overview] = await Promise.all([findAllRows(engine, queue, query), monitor.latest()]);
    return c.html(allRowsPage(frame, overview, query, found));
  });

  app.get(`${ROWS_PATH}/:key`, async (c) => {
    const [record, overview] = await Promise.all([recordOf(c), monitor.latest()]);
    if (record === null) return c.notFound();
    const done = DONE[c.req.query('done') ?? ''];
    const notice = done === undefined ? null : html`<p class="hint" role="status">${done}</p>`;
    return c.html(rowPage(frame, overview, { record, inFile: null, notice }));
  });

  app.post(`${ROWS_PATH}/:key/retry`, viewOnly(frame), async (c) => {
    const record = await recordOf(c);
    if (record === null) return c.notFound();
    const { outcome, entry, key } = record;
    const { paid } = await formOf(c);
    if (entry?.state === 'scheduled') {
      const isSent = paid === 'yes' && (await retryPaidRow(key, options.maxAttempts, options));
      if (!isSent) return c.text('This row cannot be retried now.\n', 409);
    } else {
      if (outcome.status !== 'failed') return c.text('This row cannot be retried now.\n', 409);
      const job = await queue.getJob(key);
      await job?.retry('failed', { resetAttemptsMade: true });
    }
    log.info('dashboard.retried', { rows: 1 });
    return c.redirect(`${ROWS_PATH}/${key}?done=retry`, 303);
  });

  app.post(`${ROWS_PATH}/:key/decide`, viewOnly(frame), async (c) => {
    const record = await recordOf(c);
    if (record === null) return c.notFound();
    const { answer } = await formOf(c);
    const { entry, key } = record;
    if (entry?.state !== 'held' || (answer !== 'there' && answer !== 'again')) {
      return c.text('This row needs no decision any more.\n', 409);
    }
    const job = await queue.getJob(key);
    if (answer === 'again') {
      await engine.store.clear(key, entry.callId);
      await job?.retry('failed', { resetAttemptsMade: true }).catch(() => undefined);
    } else {
      await engine.store.markTaken(key, entry.callId);
      await job?.remove().catch(() => undefined);
    }
    log.info('dashboard.decided', { answer });
    return c.redirect(`${ROWS_PATH}/${key}?done=${answer}`, 303);
  });

  addProblems(app, options);
  return app;
}

/** What can be done with all rows that failed for one reason. */
function addProblems(app: Hono, { engine, queue, frame, log, maxAttempts }: RowsRoutesOptions): void {
  app.post('/problems/retry', viewOnly(frame), async (c) => {
    const { code, paid } = await formOf(c);
    if (!code) return c.text('No code is named.\n', 400);
    const { retried } = await retryRows({
      engine,
      queue,
      code,
      uncertain: false,
      paid: paid === 'yes' ? { maxAttempts } : undefined,
      signal: c.req.raw.signal,
    });
    log.info('dashboard.retried', { code, rows: retried });
    return c.redirect(`/?retried=${retried}`, 303);
  });

  app.get('/problems/:file{.+\\.csv}', async (c) => {
    const code = c.req.param('file').replace(/\.csv$/, '');
    const jobs = (await failedJobs(queue)).filter(({ failedReason }) => parseFailure(failedReason ?? '').code === code);
    const records = await problemRecords(engine, queue, code, jobs);
    if (records.length === 0) return c.notFound();
    return c.body(problemsCsv(records), 200, {
      'content-type': 'text/csv',
      'content-disposition': `attachment; filename="problems.csv"; filename*=UTF-8''${encodeURIComponent(`${code.replace(/\W/g, '_')}.csv`)}`,
    });
  });
}

const DONE: Readonly<Partial<Record<string, string>>> = {
  retry: 'The row is back in the queue.',
  again: 'The row is sent again.',
  there: 'The row counts as sent; it is never sent again.',
};
