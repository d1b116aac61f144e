import type { BigIntStats } from 'node:fs';
import { access, constants, type FileHandle, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { UsageError } from '../errors.js';
import { writeFailure } from '../file-failure.js';

/** An open file that can be read from its start as often as needed and that notices when it changes meanwhile. */
export interface InputFile {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Fills a new buffer from `position`; shorter only at the end. Throws UsageError FILE_CHANGED. */
  read(position: number, length: number): Promise<Buffer>;
  /** Throws UsageError FILE_CHANGED when the file is no longer what was opened. */
  assertUnchanged(): Promise<void>;
  /** Calling it twice is safe. */
  close(): Promise<void>;
}

/**
 * Opens a file, `-` for `stdin`. What cannot be read twice (stdin, a pipe) is first copied to a private temporary file that
 * nobody else can read and that is gone when it is closed, or when the process dies.
 * Throws UsageError when it is missing, a directory or not readable.
 */
export async function openInputFile(path: string, stdin: Readable): Promise<InputFile> {
  if (path === '-') return spool(stdin, 'standard input');
  const handle = await open(path, 'r').catch(explain(path));
  try {
    const stats = await handle.stat({ bigint: true });
    assertNoDirectory(path, stats);
    if (stats.isFile()) return new OpenFile(path, handle, stats, () => stat(path, { bigint: true }));
  } catch (error) {
    await handle.close();
    throw error;
  }
  // Not opened anew: a pipe's writer gives up when its first reader goes. The stream closes the handle.
  return spool(handle.createReadStream(), path);
}

/**
 * Throws UsageError as `openInputFile` does, without opening the file: a pipe's writer gives up when its first reader goes.
 * Resolves to the file's size in bytes, Infinity where nobody can tell.
 */
export async function assertReadable(path: string): Promise<number> {
  if (path === '-') return Number.POSITIVE_INFINITY;
  const stats = await stat(path).catch(explain(path));
  assertNoDirectory(path, stats);
  await access(path, constants.R_OK).catch(explain(path));
  return stats.isFile() ? stats.size : Number.POSITIVE_INFINITY;
}

function assertNoDirectory(path: string, stats: Pick<BigIntStats, 'isDirectory'>): void {
  if (stats.isDirectory()) throw new UsageError('NOT_A_FILE', `${path} is a directory: name a file in it.`);
}

function explain(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      throw new UsageError('FILE_NOT_FOUND', `There is no file ${path}: check the path.`, { cause: error });
    }
    throw new UsageError('FILE_NOT_READABLE', `${path} cannot be read (${error.code}): check its permissions.`, {
      cause: error,
    });
  };
}

async function spool(from: Readable, name: string): Promise<InputFile> {
  const folder = await mkdtemp(join(tmpdir(), 'zia-enrich-'));
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  let handle: FileHandle | undefined;
  try {
    handle = await open(join(folder, 'input.csv'), 'wx+', 0o600);
    for await (const chunk of from as AsyncIterable<Buffer | string>) await handle.appendFile(chunk); // a byte stream holds nothing else
    // An open file outlives its name, so not even a killed process leaves customer data behind. Windows says no: `close` does it.
    await remove().catch(() => undefined);
    const stats = await handle.stat({ bigint: true });
    return new OpenFile(name, handle, stats, async () => stats, remove);
  } catch (error) {
    await handle?.close();
    await remove();
    throw writeFailure(error, folder);
  }
}

class OpenFile implements InputFile {
  readonly size: number;
  #closed = false;

  constructor(
    readonly name: string,
    private readonly handle: FileHandle,
    private readonly opened: BigIntStats,
    private readonly statPath: () => Promise<BigIntStats>,
    private readonly remove: () => Promise<void> = async () => undefined,
  ) {
    this.size = Number(opened.size);
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - position)));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.handle.read(buffer, filled, buffer.length - filled, position + filled);
      if (bytesRead === 0) throw this.#changed();
      filled += bytesRead;
    }
    // After the read: what was read before this moment is what was opened.
    if (!isSame(await this.handle.stat({ bigint: true }), this.opened)) throw this.#changed();
    return buffer;
  }

  async assertUnchanged(): Promise<void> {
    const now = await this.statPath().catch(() => null);
    if (now === null || !isSame(now, this.opened)) throw this.#changed();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.handle.close();
    await this.remove();
  }

  #changed(): UsageError {
    return new UsageError(
      'FILE_CHANGED',
      `${this.name} changed while it was read: run the command again when nothing writes to it.`,
    );
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
