import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { UsageError } from '../lib/errors.js';
import { writeFailure } from '../lib/file-failure.js';

/** A file in the making: its records so far beside the place where it is to be, and how far they reach. */
export interface PartialFile<S> {
  /** What an earlier run left, when it is resumed; else null. */
  readonly resumed: S | null;
  /** Appends `text` and remembers `state` with it: after a kill at any moment both are as of the latest whole call. */
  append(text: string, state: S): Promise<void>;
  /** Moves the file to its final name and removes what was remembered. */
  finish(): Promise<void>;
  /** Closes it and leaves it for a later run. Safe to call twice. */
  close(): Promise<void>;
}

interface Remembered<S> {
  readonly version: 1;
  /** What the file is made of: another choice does not go on with it. */
  readonly choice: string;
  readonly bytes: number;
  readonly state: S;
}

/**
 * Opens the file in the making for `path`: the one that a run with the same `choice` left, when `resume` is set, else a new
 * one. Throws `UsageError` when it cannot be written.
 */
export async function openPartialFile<S>(
  path: string,
  { choice, resume }: { readonly choice: string; readonly resume: boolean },
): Promise<PartialFile<S>> {
  const partial = `${path}.partial`;
  const memory = `${partial}.json`;
  const left = resume ? await remembered<S>(memory, partial, choice) : null;
  const file = await openToWrite(partial, path, left === null);
  let bytes = left?.bytes ?? 0;
  let closed = false;
  await file.truncate(bytes);

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await file.close();
  }

  return {
    resumed: left?.state ?? null,
    append: async (text, state) => {
      const buffer = Buffer.from(text, 'utf8');
      try {
        await file.write(buffer, 0, buffer.length, bytes);
        await file.datasync();
        bytes += buffer.length;
        await writeWhole(memory, JSON.stringify({ version: 1, choice, bytes, state } satisfies Remembered<S>));
      } catch (error) {
        throw writeFailure(error, path);
      }
    },
    finish: async () => {
      await close();
      await rename(partial, path);
      await rm(memory, { force: true });
    },
    close,
  };
}

/** Whether an earlier run left something to go on with. */
export async function hasPartialFile(path: string): Promise<boolean> {
  return (await stat(`${path}.partial.json`).catch(() => null)) !== null;
}

async function remembered<S>(memory: string, partial: string, choice: string): Promise<Remembered<S> | null> {
  const text = await readFile(memory, 'utf8').catch(() => null);
  const size = (await stat(partial).catch(() => null))?.size ?? -1;
  if (text === null || size < 0) return null;
  const left = parsed<S>(text);
  if (left === null || left.version !== 1 || left.bytes > size) return null;
  if (left.choice === choice) return left;
  throw new UsageError(
    'PULL_OTHER_CHOICE',
    `${partial} was begun with other choices: repeat those to go on with it, or leave out --resume to start anew.`,
  );
}

/** Only this program writes it; one that was cut or changed is as good as none. */
function parsed<S>(text: string): Remembered<S> | null {
  try {
    return JSON.parse(text) as Remembered<S>;
  } catch {
    return null;
  }
}

async function openToWrite(partial: string, path: string, anew: boolean): Promise<FileHandle> {
  try {
    // A new one replaces whatever is there, a link included, and is readable for its owner alone: it holds customers.
    if (anew) await rm(partial, { force: true });
    return await open(partial, anew ? 'wx' : 'r+', 0o600);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException; // other errors simply have no code
    throw new UsageError('OUT_NOT_WRITABLE', `${path} cannot be written (${code}): give --out another place.`, {
      cause: error,
    });
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}
