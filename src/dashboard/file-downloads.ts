import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Context, Hono } from 'hono';
import { UsageError } from '../lib/errors.js';
import type { UploadedFile } from './uploaded-file.js';
import type { UploadedFiles } from './uploaded-files.js';

export interface FileDownloadsOptions {
  readonly openFiles: UploadedFiles;
  /** An open file; null when there is none. */
  readonly openFile: (c: Context) => Promise<UploadedFile | null>;
}

/** What can be downloaded of a file: the export by purpose, and its rejects. */
export function fileDownloads({ openFiles, openFile }: FileDownloadsOptions): Hono {
  const app = new Hono();
  let downloads = 0;

  /** Makes a file for one reader, streams it and removes it. */
  async function download(
    c: Context,
    { upload }: UploadedFile,
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
    const file = await openFile(c);
    if (file === null) return c.notFound();
    const { part, only } = PURPOSES[c.req.query('only') ?? ''] ?? { part: 'zia', only: undefined };
    return download(c, file, part, async (path) => {
      await openFiles.exportTo(file.upload.id, path, c.req.raw.signal, only);
      return true;
    });
  });

  app.get('/:id/rejects', async (c) => {
    const file = await openFile(c);
    if (file === null) return c.notFound();
    return download(c, file, 'rejects', (path) => openFiles.rejectsTo(file.upload.id, path, c.req.raw.signal));
  });

  return app;
}

/** What an export can be made for. */
const PURPOSES: Readonly<
  Partial<Record<string, { readonly part: string; readonly only: readonly ('enriched' | 'failed' | 'rejected')[] }>>
> = {
  enriched: { part: 'enriched', only: ['enriched'] },
  problems: { part: 'problems', only: ['failed', 'rejected'] },
};

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
