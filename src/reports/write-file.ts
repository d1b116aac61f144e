import { createWriteStream } from 'node:fs';
import { access, constants, lstat, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { assertNever } from '../lib/core/assert-never.js';
import { utf8Bytes } from '../lib/csv/encoding.js';
import { UsageError } from '../lib/errors.js';
import { writeFailure } from '../lib/file-failure.js';
import { createOutput, type OutputOptions } from '../lib/output-file.js';

/** Where an export goes; `-` as a name means stdout. */
export type Target =
  | { readonly kind: 'stdout' }
  /** Written beside its final place and moved there when complete. */
  | { readonly kind: 'file'; readonly path: string }
  /** A pipe or device: written as it is. */
  | { readonly kind: 'device'; readonly path: string };

/** Where every user may put links and pipes of the system's own, such as /dev/stdout. */
const DEVICES = /^\/(?:dev\/(?!shm\/)|proc\/)/;

/**
 * Looks at where an export is to go, before anything is read. A link counts as what it leads to only under /dev; elsewhere
 * the export takes its place. Throws `UsageError` when it is a folder, is in no folder, or in one that refuses new files, or
 * is the very file that is read, under whatever name; also for a pipe or device that nobody `named`.
 */
export async function resolveTarget(
  out: string,
  input: string | null,
  { named = true }: { readonly named?: boolean } = {},
): Promise<Target> {
  if (out === '-') return { kind: 'stdout' };
  const found = await stat(out).catch(() => null);
  if (found === null) {
    const folder = await stat(dirname(out)).catch(() => null);
    if (folder?.isDirectory()) return fileIn(out);
    throw new UsageError('OUT_NO_FOLDER', `${out} cannot be written: there is no folder ${dirname(out)}.`);
  }
  if (found.isDirectory()) {
    throw new UsageError('OUT_IS_FOLDER', `${out} is a folder: name a file in it.`);
  }
  const source = input === null ? null : await stat(input).catch(() => null);
  if (source !== null && source.dev === found.dev && source.ino === found.ino) {
    throw new UsageError('OUT_IS_INPUT', `${out} is the input file itself: give --out another name.`);
  }
  const isLink = (await lstat(out)).isSymbolicLink();
  if (isLink && !DEVICES.test(resolve(out))) return fileIn(out);
  if (found.isFile() && !isLink) return fileIn(out);
  if (named) return { kind: 'device', path: out };
  throw new UsageError(
    'OUT_IS_NO_FILE',
    `${out} is a pipe or device that somebody put there: remove it, or use --out.`,
  );
}

async function fileIn(path: string): Promise<Target> {
  await access(dirname(path), constants.W_OK).catch(refused(path));
  return { kind: 'file', path };
}

export interface WriteOptions extends OutputOptions {
  readonly signal?: AbortSignal | undefined;
  /** Runs when everything is written, before the file takes its place; only for files. */
  readonly beforeMove?: ((path: string) => Promise<void>) | undefined;
}

/** Writes all of `text` to the target, no faster than it takes it. A file appears complete or not at all. */
export async function writeTo(target: Target, text: AsyncIterable<string>, options: WriteOptions = {}): Promise<void> {
  if (target.kind === 'file') return writeWhole(target.path, text, options);
  const source = Readable.from(bytesOf(text), { objectMode: true, highWaterMark: 1 });
  const streaming = options.signal === undefined ? {} : { signal: options.signal };
  switch (target.kind) {
    case 'stdout':
      return pipeline(source, process.stdout, { ...streaming, end: false });
    case 'device':
      return pipeline(source, createWriteStream(target.path), streaming).catch((error: unknown) => {
        throw writeFailure(error, target.path);
      });
    default:
      return assertNever(target);
  }
}

/** Bytes of the input that were no UTF-8 leave as they came. */
async function* bytesOf(text: AsyncIterable<string>): AsyncGenerator<string | Buffer> {
  for await (const part of text) yield part.isWellFormed() ? part : utf8Bytes(part);
}

const REFUSALS: readonly string[] = ['EACCES', 'EPERM', 'EROFS'];

async function writeWhole(path: string, text: AsyncIterable<string>, options: WriteOptions): Promise<void> {
  const output = await createOutput(path, options).catch(refused(path));
  const source = Readable.from(text, { objectMode: true, highWaterMark: 1 });
  try {
    if (options.signal !== undefined) addAbortSignal(options.signal, source);
    for await (const part of source) await output.append(String(part));
    await output.commit({ beforeMove: async () => options.beforeMove?.(path) });
  } catch (error) {
    await output.discard();
    refused(path)(error);
  }
}

function refused(path: string): (error: unknown) => never {
  return (error) => {
    const { code = '' } = error as NodeJS.ErrnoException; // other errors simply have no code
    if (!REFUSALS.includes(code)) throw writeFailure(error, path);
    throw new UsageError('OUT_NOT_WRITABLE', `${path} cannot be written: its folder refuses new files (${code}).`, {
      cause: error,
    });
  };
}
