import { type Context, Hono } from 'hono';
import type { IdentityKey } from '../lib/core/ids.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichQueue } from '../lib/queues.js';
import { rowRecords } from '../reports/row-record.js';
import type { Frame } from './frame.js';
import type { Monitor } from './monitor.js';
import { filePath } from './paths.js';
import { rowPage } from './row-page.js';
import { fileRowsPage, parseRowsQuery, ROWS_PER_PAGE } from './rows-page.js';
import type { UploadedFile } from './uploaded-file.js';
import type { UploadedFiles } from './uploaded-files.js';

export interface FileRowRoutesOptions {
  readonly openFiles: UploadedFiles;
  readonly frame: Frame;
  readonly monitor: Monitor;
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly openFile: (c: Context) => Promise<UploadedFile | null>;
}

/** How long a page waits for the first count of a file's rows; after that it says so, and is asked for again. */
const FIRST_COUNT_MS = 200;

/** The table of a file's rows, and the page of one of them. */
export function fileRowRoutes({ openFiles, frame, monitor, engine, queue, openFile }: FileRowRoutesOptions): Hono {
  const app = new Hono();

  app.get('/:id/rows', async (c) => {
    const [file, overview] = await Promise.all([openFile(c), monitor.latest()]);
    if (file === null) return c.notFound();
    const rows = await openFiles.rows(file.upload.id, FIRST_COUNT_MS);
    const query = parseRowsQuery(c.req.query());
    const { status, code, search, without, page } = query;
    const found =
      rows?.find({
        statuses: status === null ? undefined : [status],
        code: code ?? undefined,
        search,
        without: without ?? undefined,
        offset: (page - 1) * ROWS_PER_PAGE,
        limit: ROWS_PER_PAGE,
      }) ?? null;
    const enriched = (found?.rows ?? []).flatMap((row) =>
      row.status === 'enriched' && row.sentAs !== undefined ? [row.sentAs] : [],
    );
    const results = enriched.length === 0 ? new Map<IdentityKey, never>() : await engine.store.results(enriched);
    return c.html(fileRowsPage(frame, overview, { file, query, found, results }));
  });

  app.get('/:id/rows/:line{[0-9]{1,10}}', async (c) => {
    const [file, overview] = await Promise.all([openFile(c), monitor.latest()]);
    const rows = file === null ? null : await openFiles.rows(file.upload.id, FIRST_COUNT_MS);
    const row = rows?.onLine(Number(c.req.param('line')));
    if (file === null || row === undefined) return c.notFound();
    const [record = null] = row.sentAs === undefined ? [] : await rowRecords(engine, queue, [row.sentAs]);
    const outcome = { status: row.status, notes: [], ...(row.error !== undefined && { error: row.error }) };
    const isKnown = record !== null && (record.entry !== undefined || record.hasJob);
    const inFile = { row, outcome, name: file.upload.name, href: `${filePath(file.upload.id)}/rows` };
    return c.html(rowPage(frame, overview, { record: isKnown ? record : null, inFile, notice: null }));
  });

  return app;
}
