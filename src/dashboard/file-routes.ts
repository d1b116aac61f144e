import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { type Context, Hono } from 'hono';
import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { UsageError } from '../lib/errors.js';
import type { FileCase, FileCases } from './file-cases.js';
import { filePage, fileParts, filePath } from './file-page.js';
import { mapFlagsOf } from './file-preview.js';
import { type PageUpdate, renderedParts } from './live-parts.js';
import { fileNameOf, type UploadStore, UploadTooLargeError } from './upload-store.js';

export interface FileRoutesOptions {
  readonly cases: FileCases;
  readonly uploads: UploadStore;
  readonly maxBytes: number;
  readonly where: string;
}

/** Uploading a file, choosing its columns, queueing it, and downloading what became of it. */
export function fileRoutes({ cases, uploads, maxBytes, where }: FileRoutesOptions): Hono {
  const app = new Hono();
  const tooLarge = (c: Context) =>
    c.json(
      { message: `The file is larger than ${maxBytes / 1_000_000} MB, which ZIA_DASHBOARD_MAX_UPLOAD_MB sets.` },
      413,
    );
  const found = (c: Context): FileCase | undefined => cases.find(c.req.param('id') ?? '');

  app.post('/', async (c) => {
    if (Number(c.req.header('content-length') ?? 0) > maxBytes) return tooLarge(c);
    // Node's and the browser's types of the same stream differ in name only.
    const body = c.req.raw.body as WebStream<Uint8Array> | null;
    if (body === null) return c.json({ message: 'The file is empty: it needs a header row and rows below it.' }, 422);
    try {
      const { upload } = await cases.add(await uploads.save(fileNameOf(c.req.query('name') ?? ''), body));
      return c.json({ url: filePath(upload.id) }, 201);
    } catch (error) {
      if (error instanceof UploadTooLargeError) return tooLarge(c);
      if (error instanceof UsageError) return c.json({ message: error.message }, 422);
      throw error;
    }
  });

  app.get('/:id', (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    cases.refresh(file.upload.id);
    return c.html(filePage(file, where, null));
  });

  app.get('/:id/parts', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    cases.refresh(file.upload.id);
    return c.json({ parts: await renderedParts(fileParts(file)) } satisfies PageUpdate);
  });

  app.post('/:id/columns', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    const form = await c.req.parseBody();
    const choice = Object.fromEntries(MAPPED_FIELDS.map((field) => [field, String(form[field] ?? '')]));
    if (!(await cases.map(file.upload.id, mapFlagsOf(choice)))) return c.text('Its rows are being queued.\n', 409);
    return c.redirect(filePath(file.upload.id), 303);
  });

  app.post('/:id/enqueue', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    const { mapping } = await c.req.parseBody();
    if (cases.enqueue(file.upload.id, String(mapping ?? '')) === 'other-columns') {
      const notice = 'The columns were changed meanwhile, so nothing was queued: look at them below, and queue again.';
      return c.html(filePage(file, where, notice), 409);
    }
    // A second click finds the first one's work under way: both lead to the page that shows it.
    return c.redirect(filePath(file.upload.id), 303);
  });

  app.post('/:id/plan', (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    cases.replan(file.upload.id);
    return c.redirect(filePath(file.upload.id), 303);
  });

  let downloads = 0;

  /** Makes a file for one reader, streams it and removes it. */
  async function download(
    c: Context,
    { upload }: FileCase,
    part: string,
    write: (path: string) => Promise<boolean>,
  ): Promise<Response> {
    const headers = downloadHeaders(withPart(upload.name, part));
    if (c.req.method === 'HEAD') return c.body(null, 200, headers);
    downloads += 1;
    const path = join(upload.folder, `.${part}-${downloads}.csv`);
    try {
      if (!(await write(path))) return c.notFound();
      return c.body(await streamOnce(path), 200, headers);
    } catch (error) {
      await rm(path, { force: true });
      if (error instanceof UsageError) return c.text(`${error.message}\n`, 422);
      throw error;
    }
  }

  app.get('/:id/export', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    return download(c, file, 'zia', async (path) => {
      await cases.exportTo(file.upload.id, path, c.req.raw.signal);
      return true;
    });
  });

  app.get('/:id/rejects', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    return download(c, file, 'rejects', (path) => cases.rejectsTo(file.upload.id, path, c.req.raw.signal));
  });

  return app;
}

/** The file's content; the file is gone as soon as it is open, so that nothing is left of it however the reading ends. */
async function streamOnce(path: string): Promise<ReadableStream<Uint8Array>> {
  const file = await open(path);
  await rm(path, { force: true });
  // Node's and the browser's types of the same stream differ in name only.
  return Readable.toWeb(file.createReadStream()) as ReadableStream<Uint8Array>;
}

function downloadHeaders(name: string): Record<string, string> {
  return {
    'content-type': 'text/csv',
    'content-disposition': `attachment; filename="export.csv"; filename*=UTF-8''${encodeURIComponent(name)}`,
  };
}

/** `accounts.zia.csv` for `accounts.csv`. */
function withPart(name: string, part: string): string {
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? `${name}.${part}.csv` : `${name.slice(0, dot)}.${part}${name.slice(dot)}`;
}
