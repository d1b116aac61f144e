import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { makeScratchFolder, removeAbandonedFolders } from './scratch-folder.js';

/** A file that the dashboard works with, and a folder for what it makes of it. */
export interface Upload {
  /** Of its content. */
  readonly id: string;
  /** What people call it; on disk it has a name of ours. */
  readonly name: string;
  readonly path: string;
  /** Of its own, for temporary files; only this user can read it. */
  readonly folder: string;
  readonly bytes: number;
}

export class UploadTooLargeError extends Error {}

export interface UploadStore {
  /** Streams `body` to disk. Throws `UploadTooLargeError` as soon as it is larger than allowed; nothing is kept then. */
  save(name: string, body: WebStream<Uint8Array>): Promise<Upload>;
  /** Moves an upload to where it survives the end of this dashboard; stays where it is when there is no such place. Safe to repeat. */
  keep(upload: Upload): Promise<Upload>;
  /** Where a file with this id would be kept; null without such a place. */
  keptPath(id: string): string | null;
  /** A file that is on this machine already. */
  reopen(file: Omit<Upload, 'folder'>): Promise<Upload>;
  /** Removes a kept file for good. */
  discard(id: string): Promise<void>;
  /** Removes temporary files, and the upload itself unless it was kept. */
  remove(upload: Upload): Promise<void>;
  /** Removes everything that is not kept. Safe to call twice. */
  close(): Promise<void>;
}

export interface UploadStoreOptions {
  readonly maxBytes: number;
  /** Where files whose rows were queued are kept; nowhere when absent. */
  readonly keepDir?: string | undefined;
}

/** Uploads in a private temporary folder that is made with the first of them. Those of dashboards that were killed are removed. */
export function createUploadStore({ maxBytes, keepDir }: UploadStoreOptions): UploadStore {
  let root: Promise<string> | undefined;
  const tidied = removeAbandonedFolders();
  const keptPath = (id: string) => (keepDir === undefined ? null : join(keepDir, `${id}.csv`));

  async function makeFolder(): Promise<string> {
    root ??= makeScratchFolder();
    const folder = join(await root, randomBytes(16).toString('base64url'));
    await mkdir(folder, { mode: 0o700 });
    return folder;
  }

  return {
    save: async (name, body) => {
      const folder = await makeFolder();
      const path = join(folder, 'upload.csv');
      try {
        const counter = countBytes(maxBytes);
        await pipeline(Readable.fromWeb(body), counter.stream, createWriteStream(path, { mode: 0o600 }));
        return { id: counter.contentId(), name, path, folder, bytes: counter.bytes() };
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
    keep: async (upload) => {
      const kept = keptPath(upload.id);
      if (keepDir === undefined || kept === null || upload.path === kept) return upload;
      try {
        await mkdir(keepDir, { recursive: true, mode: 0o700 });
        await move(upload.path, kept);
        return { ...upload, path: kept };
      } catch {
        // A folder that cannot be written to: the file is there until the dashboard ends.
        return upload;
      }
    },
    keptPath,
    reopen: async (file) => ({ ...file, folder: await makeFolder() }),
    discard: async (id) => {
      const kept = keptPath(id);
      if (kept !== null) await rm(kept, { force: true });
    },
    remove: ({ folder }) => rm(folder, { recursive: true, force: true }),
    close: async () => {
      await tidied;
      if (root !== undefined) await rm(await root, { recursive: true, force: true });
    },
  };
}

/** Also to another disk. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const half = `${to}.${randomBytes(6).toString('hex')}`;
    try {
      await copyFile(from, half);
      await rename(half, to);
    } finally {
      await rm(half, { force: true });
    }
    await rm(from, { force: true });
  }
}

function countBytes(maxBytes: number): { readonly stream: Transform; bytes(): number; contentId(): string } {
  let bytes = 0;
  const hash = createHash('sha256');
  const stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > maxBytes) done(new UploadTooLargeError());
      else done(null, chunk);
    },
  });
  // As `contentId` of a file.
  return { stream, bytes: () => bytes, contentId: () => hash.digest('base64url').slice(0, 22) };
}

const MAX_CHARACTERS = 100;
const MAX_EXTENSION = 10;

/** The last part of a name as a browser tells it, in characters that mean nothing special; long ones keep their extension. */
export function fileNameOf(given: string): string {
  const base = given.split(/[/\\]/).at(-1) ?? '';
  const name = base
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N} ._()–—&+,'@#-]/gu, '_')
    .replace(/^[.\s]+/, '')
    .trim();
  const characters = [...name];
  if (characters.length === 0) return 'upload.csv';
  if (characters.length <= MAX_CHARACTERS) return name;
  const extension = [...(/\.[^.]*$/.exec(name)?.[0] ?? '')].slice(0, MAX_EXTENSION);
  return [...characters.slice(0, MAX_CHARACTERS - extension.length), ...extension].join('').trim();
}
