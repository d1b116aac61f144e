import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { type Context, Hono } from 'hono';
import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { AppError } from '../lib/errors.js';
import { renderedParts } from './events.js';
import type { FileCase, FileCases } from './file-cases.js';
import { filePage, fileParts, filePath } from './file-page.js';
import { mapFlagsOf } from './file-preview.js';
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
      if (error instanceof AppError) return c.json({ message: error.message }, 422);
      throw error;
    }
  });

  app.get('/:id', (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    cases.refresh(file.upload.id);
    return c.html(filePage(file, where));
  });

  app.get('/:id/parts', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    cases.refresh(file.upload.id);
    return c.json({ parts: Object.fromEntries(await renderedParts(fileParts(file))) });
  });

  app.post('/:id/columns', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    const form = await c.req.formData();
    const choice = Object.fromEntries(MAPPED_FIELDS.map((field) => [field, String(form.get(field) ?? '')]));
    if (!(await cases.map(file.upload.id, mapFlagsOf(choice)))) return c.text('Its rows are being queued.\n', 409);
    return c.redirect(filePath(file.upload.id), 303);
  });

  app.post('/:id/enqueue', (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    // A second click finds the first one's work under way: both lead to the page that shows it.
    cases.enqueue(file.upload.id);
    return c.redirect(filePath(file.upload.id), 303);
  });

  let exports = 0;
  app.get('/:id/export', async (c) => {
    const file = found(c);
    if (file === undefined) return c.notFound();
    exports += 1;
    const path = join(file.upload.folder, `.export-${exports}.csv`);
    try {
      await cases.exportTo(file.upload.id, path);
    } catch (error) {
      if (error instanceof AppError) return c.text(`${error.message}\n`, 422);
      throw error;
    }
    return download(c, path, withPart(file.upload.name, 'zia'), () => rm(path, { force: true }));
  });

  app.get('/:id/rejects', (c) => {
    const file = found(c);
    const rejects = file?.stage.kind === 'enqueued' ? file.stage.report.rejectsFile : null;
    if (file === undefined || rejects === null) return c.notFound();
    return download(c, rejects, withPart(file.upload.name, 'rejects'), async () => undefined);
  });

  return app;
}

function download(c: Context, path: string, name: string, after: () => Promise<void>): Response {
  const stream = createReadStream(path);
  stream.once('close', () => void after());
  return c.body(Readable.toWeb(stream) as ReadableStream<Uint8Array>, 200, {
    'content-type': 'text/csv',
    'content-disposition': `attachment; filename="export.csv"; filename*=UTF-8''${encodeURIComponent(name)}`,
  });
}

/** `accounts.zia.csv` for `accounts.csv`. */
function withPart(name: string, part: string): string {
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? `${name}.${part}.csv` : `${name.slice(0, dot)}.${part}${name.slice(dot)}`;
}
