import { Hono } from 'hono';
import { html } from 'hono/html';
import type { Check } from '../lib/core/check.js';
import { formatRows } from '../lib/core/format.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import { liftStop, raisePause } from '../lib/store/lift-stop.js';
import { setBudget } from '../lib/store/set-budget.js';
import { budgetAsked } from './budget-card.js';
import { filesCard, listedFiles } from './files-page.js';
import type { Frame } from './frame.js';
import { type PageUpdate, pointsAfter, renderedParts } from './live-parts.js';
import type { Html } from './markup.js';
import type { Monitor, OverviewState } from './monitor.js';
import type { FileList } from './noted-files.js';
import { checkList, overviewPage, overviewParts, overviewTab, startCard } from './overview-page.js';
import { formOf, viewOnly } from './request-rules.js';
import type { UploadedFiles } from './uploaded-files.js';

/** Files, as the overview shows them. */
export interface OverviewFiles {
  readonly openFiles: UploadedFiles;
  readonly list: FileList;
  readonly maxBytes: number;
}

export interface OverviewRoutesOptions {
  readonly engine: Engine;
  readonly frame: Frame;
  readonly monitor: Monitor;
  readonly files: OverviewFiles | null;
  readonly checks: (() => Promise<readonly Check[]>) | undefined;
  readonly log: Logger;
}

/** The overview, what keeps it up to date, and its controls: pause, resume and budget. */
export function overviewRoutes({ engine, frame, monitor, files, checks, log }: OverviewRoutesOptions): Hono {
  const app = new Hono();
  const checked = createChecks(checks);
  let rendered: { readonly of: OverviewState; readonly parts: ReturnType<typeof renderedParts> } | null = null;

  app.get('/', async (c) => {
    const overview = await monitor.snapshot();
    const listed = files === null ? [] : listedFiles(files.openFiles.list(), await files.list.shown());
    const isFresh = listed.length === 0;
    if (isFresh) checked.ask();
    const maxBytes = files === null || frame.readOnly ? null : files.maxBytes;
    return c.html(
      overviewPage(overview, frame, {
        files: files === null ? null : filesCard(listed, maxBytes),
        start: isFresh && files !== null ? startCard(checked.found(), frame) : null,
        notice: retriedNotice(c.req.query('retried')),
        asks: (['resume', 'retry-paid'] as const).find((ask) => ask === c.req.query('ask')) ?? null,
      }),
    );
  });

  app.get('/parts', async (c) => {
    const overview = await monitor.latest();
    // All viewers of one snapshot share its text.
    if (rendered?.of !== overview) rendered = { of: overview, parts: renderedParts(overviewParts(overview, frame)) };
    const found = checked.found();
    const more = found === null ? {} : await renderedParts({ checks: checkList(found) });
    const points = pointsAfter(overview.history, Number(c.req.query('after') ?? 0));
    const update: PageUpdate = {
      tab: overviewTab(overview, frame),
      parts: { ...(await rendered.parts), ...more },
      points,
    };
    return c.json(update);
  });

  app.post('/pause', viewOnly(frame), async (c) => {
    const who = frame.user === null ? 'in the browser' : `by ${frame.user} in the browser`;
    const { changed } = await raisePause(engine.store.control, `Paused ${who}.`);
    log.info('dashboard.paused', { changed });
    return c.redirect('/', 303);
  });

  app.post('/budget', viewOnly(frame), async (c) => {
    const rows = budgetAsked(await formOf(c));
    if (rows === undefined) return c.text('A budget is a whole number of rows, or off.\n', 400);
    await setBudget(engine.store, rows);
    log.info('dashboard.budget-set', { rows });
    return c.redirect('/', 303);
  });

  app.post('/resume', viewOnly(frame), async (c) => {
    const { epoch } = await formOf(c);
    const { outcome } = await liftStop(engine.store.control, Number(epoch ?? Number.NaN));
    log.info('dashboard.resumed', { changed: outcome === 'lifted' });
    if (outcome === 'other-stop') {
      const text = 'Another stop came meanwhile, so nothing was resumed: see on the overview what it is.\n';
      return c.text(text, 409);
    }
    return c.redirect('/', 303);
  });

  return app;
}

function retriedNotice(text: string | undefined): Html | null {
  const many = Number(text);
  if (text === undefined || !Number.isSafeInteger(many) || many < 0) return null;
  return html`<p class="hint" role="status">${many === 0 ? 'No rows to retry.' : `${formatRows(many)} back in the queue.`}</p>`;
}

/** What doctor says, asked for once; a page that comes before the answer gets it with a later part. */
function createChecks(checks: OverviewRoutesOptions['checks']) {
  let found: readonly Check[] | null = checks === undefined ? [] : null;
  let isAsked = false;
  return {
    found: () => found,
    ask: () => {
      if (checks === undefined || isAsked) return;
      isAsked = true;
      checks().then(
        (answer) => {
          found = answer;
        },
        // Asked again with the next page.
        () => {
          isAsked = false;
        },
      );
    },
  };
}
