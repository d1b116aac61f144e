import { createWriteStream } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../lib/errors.js';
import { writeFailure } from '../lib/file-failure.js';

/** Where an export goes; `-` as a name means stdout. */
export type Target =
  | { readonly kind: 'stdout' }
  /** Written beside its final place and moved there when complete. */
  | { readonly kind: 'file'; readonly path: string }
  /** A pipe or device: written as it is. */
  | { readonly kind: 'device'; readonly path: string };

/**
 * Looks at where an export is to go, before anything is read. Throws `UsageError` when it is a folder, is in no folder,
 * or is the very file that is read, under whatever name.
 */
export async function resolveTarget(out: string, input: string | null): Promise<Target> {
  if (out === '-') return { kind: 'stdout' };
  const found = await stat(out).catch(() => null);
  if (found === null) {
    const folder = await stat(dirname(out)).catch(() => null);
    if (folder?.isDirectory()) return { kind: 'file', path: out };
    throw new UsageError('OUT_NO_FOLDER', `${out} cannot be written: there is no folder ${dirname(out)}.`);
  }
  if (found.isDirectory()) {
    throw new UsageError('OUT_IS_FOLDER', `${out} is a folder: give --out the name of a file.`);
  }
  if (!found.isFile()) return { kind: 'device', path: out };
  const source = input === null ? null : await stat(input).catch(() => null);
  if (source !== null && source.dev === found.dev && source.ino === found.ino) {
    throw new UsageError('OUT_IS_INPUT', `${out} is the input file itself: give --out another name.`);
  }
  return { kind: 'file', path: await realpath(out) };
}

/** Writes all of `text` to the target, no faster than it takes it. A file appears complete or not at all. */
export async function writeTo(target: Target, text: AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
  const source = Readable.from(text, { objectMode: true, highWaterMark: 1 });
  const options = signal === undefined ? {} : { signal };
  switch (target.kind) {
    case 'stdout':
      return pipeline(source, process.stdout, { ...options, end: false });
    case 'device':
      return pipeline(source, createWriteStream(target.path), options).catch((error: unknown) => {
        throw writeFailure(error, target.path);
      });
    case 'file':
      return writeWhole(target.path, source, options);
  }
}

const REFUSALS: readonly string[] = ['EACCES', 'EPERM', 'EROFS'];

async function writeWhole(path: string, source: Readable, options: { signal?: AbortSignal }): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await pipeline(source, createWriteStream(temporary, { flush: true }), options);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    const { code = '' } = error as NodeJS.ErrnoException; // other errors simply have no code
    if (!REFUSALS.includes(code)) throw writeFailure(error, path);
    throw new UsageError('OUT_NOT_WRITABLE', `${path} cannot be written: its folder refuses new files (${code}).`, {
      cause: error,
    });
  }
}
