import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { type Context, Hono } from 'hono';
import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { formatRows } from '../lib/core/format.js';
import type { Engine } from '../lib/engine/engine.js';
import { UsageError } from '../lib/errors.js';
import type { EnrichQueue } from '../lib/queues.js';
import { fileDownloads } from './file-downloads.js';
import { filePage, fileParts } from './file-page.js';
import { mapFlagsOf } from './file-preview.js';
import { fileRowRoutes } from './file-row-routes.js';
import { filesPage, filesPageParts, listedFiles, missingFilePage } from './files-page.js';
import type { Frame } from './frame.js';
import { headersFor, isHeaderDoubtful, underHeader } from './header-row.js';
import { iconOf, tabTitle } from './layout.js';
import { type PageUpdate, renderedParts } from './live-parts.js';
import type { Monitor } from './monitor.js';
import type { FileList } from './noted-files.js';
import { filePath } from './paths.js';
import { formOf, MalformedBodyError, viewOnly } from './request-rules.js';
import { parseSendChoice } from './send-dialog.js';
import { fileNameOf, type UploadStore, UploadTooLargeError } from './upload-store.js';
import type { UploadedFile } from './uploaded-file.js';
import type { UploadedFiles } from './uploaded-files.js';

export interface FileRoutesOptions {
  readonly openFiles: UploadedFiles;
  readonly list: FileList;
  readonly uploads: UploadStore;
  readonly maxBytes: number;
  readonly frame: Frame;
  readonly monitor: Monitor;
  readonly engine: Engine;
  readonly queue: EnrichQueue;
}

const EXAMPLE = new URL('../../examples/accounts.csv', import.meta.url);

/** What the routes of files share. */
interface Shared extends FileRoutesOptions {
  readonly app: Hono;
  /** Null in a dashboard that takes none. */
  readonly shownMaxBytes: number | null;
  /** An open file; null when there is none. */
  readonly openFile: (c: Context) => Promise<UploadedFile | null>;
}

/** Uploading a file, choosing its columns, sending its rows, and downloading what became of it. */
export function fileRoutes(options: FileRoutesOptions): Hono {
  const { list, frame, maxBytes } = options;
  const app = new Hono();
  const openFile = async (c: Context) => (await list.find(c.req.param('id') ?? '')).open;
  const shared: Shared = { ...options, app, openFile, shownMaxBytes: frame.readOnly ? null : maxBytes };
  addFileList(shared);
  addUploads(shared);
  addFilePage(shared);
  addFileActions(shared);
  app.route('/', fileDownloads({ ...options, openFile }));
  app.route('/', fileRowRoutes({ ...options, openFile }));
  return app;
}

function addFileList({ app, openFiles, list, frame, monitor, shownMaxBytes }: Shared): void {
  app.get('/', async (c) => {
    const [noted, overview] = await Promise.all([list.shown(), monitor.latest()]);
    return c.html(filesPage(frame, overview, listedFiles(openFiles.list(), noted), shownMaxBytes));
  });

  app.get('/parts', async (c) => {
    const overview = await monitor.latest();
    return c.json({
      tab: { title: tabTitle('Files', frame, overview), icon: iconOf(overview) },
      parts: await renderedParts(filesPageParts(frame, overview)),
    } satisfies PageUpdate);
  });
}

function addUploads({ app, openFiles, list, uploads, maxBytes, frame, openFile }: Shared): void {
  const tooLarge = (c: Context) =>
    c.json(
      { message: `The file is larger than ${maxBytes / 1_000_000} MB, which ZIA_DASHBOARD_MAX_UPLOAD_MB sets.` },
      413,
      // The rest of the file is on its way: the next request would have to wait for all of it.
      { connection: 'close' },
    );

  app.post('/', viewOnly(frame), async (c) => {
    if (Number(c.req.header('content-length') ?? 0) > maxBytes) return tooLarge(c);
    // Node's and the browser's types of the same stream differ in name only.
    const body = c.req.raw.body as WebStream<Uint8Array> | null;
    if (body === null) return c.json({ message: 'The file is empty: it needs a header row and rows below it.' }, 422);
    try {
      const { upload } = await add(await uploads.save(fileNameOf(c.req.query('name') ?? ''), body));
      return c.json({ url: filePath(upload.id) }, 201);
    } catch (error) {
      if (error instanceof UploadTooLargeError) return tooLarge(c);
      if (error instanceof UsageError) return c.json({ message: error.message }, 422);
      throw error;
    }
  });

  /** What browsers without a script send. */
  app.post('/form', viewOnly(frame), async (c) => {
    const form = await c.req.parseBody().catch((cause: unknown) => {
      throw new MalformedBodyError('The body is no form.', { cause });
    });
    if (!(form.file instanceof File)) return c.text('No file was chosen.\n', 400);
    return addAndShow(c, form.file.name, form.file.stream());
  });

  app.post('/example', viewOnly(frame), async (c) =>
    addAndShow(c, 'example.csv', new Blob([await readFile(EXAMPLE)]).stream()),
  );

  /** The file under a header row of ours, in place of the one without. */
  app.post('/:id/header', viewOnly(frame), async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    const { upload, preview, noted } = file;
    if (noted !== null || !isHeaderDoubtful(preview)) return c.text('This file has a header row.\n', 409);
    const bytes = Readable.from(underHeader(upload.path, headersFor(preview), preview));
    const answer = await addAndShow(c, upload.name, Readable.toWeb(bytes) as ReadableStream);
    if (answer.status === 303) await openFiles.remove(upload.id);
    return answer;
  });

  /** A file that was queued before is found with what is noted of it. */
  async function add(upload: Awaited<ReturnType<UploadStore['save']>>): Promise<UploadedFile> {
    const noted = (await list.all()).find(({ id }) => id === upload.id) ?? null;
    return openFiles.add(upload, { noted, mapFlags: [] });
  }

  async function addAndShow(c: Context, name: string, body: ReadableStream): Promise<Response> {
    try {
      const { upload } = await add(await uploads.save(fileNameOf(name), body as WebStream<Uint8Array>));
      return c.redirect(filePath(upload.id), 303);
    } catch (error) {
      if (error instanceof UsageError) return c.text(`${error.message}\n`, 422);
      throw error;
    }
  }
}

function addFilePage({ app, openFiles, list, frame, monitor, openFile, shownMaxBytes }: Shared): void {
  app.get('/:id', async (c) => {
    const [{ open: file, noted }, overview] = await Promise.all([list.find(c.req.param('id')), monitor.latest()]);
    if (file === null)
      return noted === null ? c.notFound() : c.html(missingFilePage(frame, overview, noted, shownMaxBytes));
    refresh(file);
    const asks = c.req.query('ask') === 'send' ? parseSendChoice(c.req.query()) : null;
    const notice = doneNotice(c.req.query());
    return c.html(filePage(file, frame, overview, { notice, asks }));
  });

  app.get('/:id/parts', async (c) => {
    const [file, overview] = await Promise.all([openFile(c), monitor.latest()]);
    if (file === null) return c.notFound();
    refresh(file);
    return c.json({
      tab: { title: tabTitle(file.upload.name, frame, overview), icon: iconOf(overview) },
      parts: await renderedParts(fileParts(file, frame, overview)),
    } satisfies PageUpdate);
  });

  function refresh(file: UploadedFile): void {
    openFiles.refresh(file.upload.id);
    void list.noteOutcomes(file).catch(() => undefined);
  }
}

function addFileActions({ app, openFiles, list, frame, monitor, openFile }: Shared): void {
  async function refused(c: Context, file: UploadedFile, notice: string): Promise<Response> {
    return c.html(filePage(file, frame, await monitor.latest(), { notice, asks: null }), 409);
  }

  app.post('/:id/columns', viewOnly(frame), async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    const form = await formOf(c);
    const choice = Object.fromEntries(MAPPED_FIELDS.map((field) => [field, form[field] ?? '']));
    if (!(await openFiles.map(file.upload.id, mapFlagsOf(choice)))) {
      return refused(c, file, 'Wait until the rows are queued, then change the columns.');
    }
    return c.redirect(filePath(file.upload.id), 303);
  });

  app.post('/:id/enqueue', viewOnly(frame), async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    const { mapping = '', limit = '' } = await formOf(c);
    const wanted = Number(limit);
    if (limit !== '' && !(Number.isSafeInteger(wanted) && wanted > 0))
      return c.text('How many rows is not a number.\n', 400);
    if (openFiles.enqueue(file.upload.id, mapping, limit === '' ? undefined : wanted) === 'other-columns') {
      const notice = 'The columns were changed meanwhile, so nothing was queued: look at them below, and send again.';
      return refused(c, file, notice);
    }
    // A second click finds the first one's work under way: both lead to the page that shows it.
    return c.redirect(`${filePath(file.upload.id)}#stage-title`, 303);
  });

  app.post('/:id/cancel', viewOnly(frame), async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    const cancelled = await openFiles.cancel(file.upload.id);
    if (cancelled === null) return c.text('Wait until the rows are queued, then take them out again.\n', 409);
    return c.redirect(`${filePath(file.upload.id)}?cancelled=${cancelled}`, 303);
  });

  app.post('/:id/forget', viewOnly(frame), async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    const report = await openFiles.forget(file.upload.id);
    if (report === null) return c.text('Wait until the rows are queued, then forget them.\n', 409);
    const stay = report.left === 0 ? '' : `&left=${report.left}`;
    return c.redirect(`${filePath(file.upload.id)}?forgotten=${report.forgotten}${stay}`, 303);
  });

  app.post('/:id/plan', viewOnly(frame), async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    openFiles.replan(file.upload.id);
    return c.redirect(filePath(file.upload.id), 303);
  });

  app.post('/:id/drop', viewOnly(frame), async (c) => {
    await list.drop(c.req.param('id'));
    return c.redirect('/files', 303);
  });
}

/** What was done, as the address after it tells. */
function doneNotice({ cancelled, forgotten, left }: Readonly<Record<string, string>>): string | null {
  const rows = (text: string | undefined) => (/^\d{1,9}$/.test(text ?? '') ? formatRows(Number(text)) : null);
  if (rows(cancelled) !== null) return `${rows(cancelled)} taken out of the queue.`;
  if (rows(forgotten) === null) return null;
  const stay = rows(left) === null ? '' : ` ${rows(left)} left: being sent, or uncertain; forget again later.`;
  return `${rows(forgotten)} forgotten.${stay}`;
}
