import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join, parse, resolve } from 'node:path';
import type { Store } from '../lib/store/store.js';

/** Tells rejects files that are as this program left them from those that somebody corrected. */
export interface OwnRejects {
  /**
   * Where rejects go that were meant for `path`: there, or to the first `accounts.rejects-2.csv` that is nobody else's. A
   * file that says the same, by its SHA-256 in base64url, is as good as our own.
   */
  pathFor(path: string, digest?: string): Promise<string>;
  /** Notes a file that was just written. */
  note(path: string): Promise<void>;
}

/** The store's `rejects` document: what this program wrote where, oldest first. */
type Notes = readonly { readonly path: string; readonly digest: string }[];

/** It is small and rewritten whole. */
const MAX_NOTES = 200;

export function ownRejects(store: Pick<Store, 'document'>): OwnRejects {
  const document = () => store.document<Notes>('rejects');
  return {
    pathFor: async (path, wanted) => {
      const { value } = await document().read();
      for (let number = 1; ; number += 1) {
        const candidate = numbered(path, number);
        const digest = await digestOf(candidate);
        const isOwn = value?.some((note) => note.path === resolve(candidate) && note.digest === digest) ?? false;
        if (digest === null || digest === wanted || isOwn) return candidate;
      }
    },
    note: async (path) => {
      const digest = await digestOf(path);
      if (digest === null) return;
      const note = { path: resolve(path), digest };
      await document().change((value) =>
        [...(value ?? []).filter((known) => known.path !== note.path), note].slice(-MAX_NOTES),
      );
    },
  };
}

function numbered(path: string, number: number): string {
  if (number === 1) return path;
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-${number}${ext}`);
}

/** Null when there is no such file. */
async function digestOf(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer); // no encoding is set
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null; // other errors have another code, or none
    throw error;
  }
  return hash.digest('base64url');
}
