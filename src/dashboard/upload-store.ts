import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { makeScratchFolder, removeAbandonedFolders } from './scratch-folder.js';

/** A file somebody dropped, in a folder of its own that only this user can read. */
export interface Upload {
  /** Nobody can guess it. */
  readonly id: string;
  /** What people call it; on disk it has a name of ours. */
  readonly name: string;
  readonly path: string;
  readonly folder: string;
  readonly bytes: number;
}

export class UploadTooLargeError extends Error {}

export interface UploadStore {
  /** Streams `body` to disk. Throws `UploadTooLargeError` as soon as it is larger than allowed; nothing is kept then. */
  save(name: string, body: WebStream<Uint8Array>): Promise<Upload>;
  remove(upload: Upload): Promise<void>;
  /** Removes everything. Safe to call twice. */
  close(): Promise<void>;
}

/** Uploads in a private temporary folder that is made with the first of them. Those of dashboards that were killed are removed. */
export function createUploadStore(maxBytes: number): UploadStore {
  let root: Promise<string> | undefined;
  const tidied = removeAbandonedFolders();

  return {
    save: async (name, body) => {
      root ??= makeScratchFolder();
      const id = randomBytes(16).toString('base64url');
      const folder = join(await root, id);
      const path = join(folder, 'upload.csv');
      await mkdir(folder, { mode: 0o700 });
      try {
        const counter = countBytes(maxBytes);
        await pipeline(Readable.fromWeb(body), counter.stream, createWriteStream(path, { mode: 0o600 }));
        return { id, name, path, folder, bytes: counter.bytes() };
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
    remove: ({ folder }) => rm(folder, { recursive: true, force: true }),
    close: async () => {
      await tidied;
      if (root !== undefined) await rm(await root, { recursive: true, force: true });
    },
  };
}

function countBytes(maxBytes: number): { readonly stream: Transform; bytes(): number } {
  let bytes = 0;
  const stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new UploadTooLargeError());
      else done(null, chunk);
    },
  });
  return { stream, bytes: () => bytes };
}

const MOST_CHARACTERS = 100;
const LONGEST_EXTENSION = 10;

/** The last part of a name as a browser tells it, in characters that mean nothing special; long ones keep their extension. */
export function fileNameOf(given: string): string {
  const base = given.split(/[/\\]/).at(-1) ?? '';
  const name = base
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N} ._()-]/gu, '_')
    .replace(/^[.\s]+/, '')
    .trim();
  const characters = [...name];
  if (characters.length === 0) return 'upload.csv';
  if (characters.length <= MOST_CHARACTERS) return name;
  const extension = [...(/\.[^.]*$/.exec(name)?.[0] ?? '')].slice(0, LONGEST_EXTENSION);
  return [...characters.slice(0, MOST_CHARACTERS - extension.length), ...extension].join('').trim();
}
