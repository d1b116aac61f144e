import { resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import type { Config } from '../lib/config.js';
import type { Keepable } from '../lib/core/row.js';
import { type Input, type InputOptions, withInput as withCsvInput } from '../lib/csv/with-input.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Shutdown } from '../lib/shutdown.js';
import { typedIn } from './npm.js';

export interface InputFlags {
  /** Values of `--map`, such as `name=Firm`. */
  readonly map?: readonly string[];
  readonly encoding?: string;
  readonly headerLine?: number;
  readonly keep?: readonly Keepable[];
}

/** How the flags say that a file is to be read. */
export function readingOf({
  map = [],
  encoding,
  headerLine,
  keep,
}: InputFlags): Pick<InputOptions, 'mapFlags' | 'csv'> {
  return { mapFlags: map, csv: { encoding, headerLine, keep } };
}

/** A path as the program must open it: relative to the folder the user typed in; `-` stays. */
export function typedPath(path: string): string {
  const cwd = process.cwd();
  const folder = typedIn(process.env, cwd);
  return path === '-' || folder === cwd ? path : resolve(folder, path);
}

/** Standard input, where `path` means it, until a signal ends the command: nobody may ever end it. */
export function stdinOf(path: string, { signal }: Pick<Shutdown, 'signal'>): Readable | undefined {
  if (path !== '-') return undefined;
  // A signal that comes before the first read is told to the reader, and must not end the process before.
  return addAbortSignal(
    signal,
    process.stdin.on('error', () => undefined),
  );
}

/** `withInput` for the file the user named. */
export function withInput<T>(
  {
    engine,
    config,
    shutdown,
  }: { readonly engine: Engine; readonly config: Config; readonly shutdown: Pick<Shutdown, 'signal'> },
  path: string,
  flags: InputFlags,
  work: (input: Input) => Promise<T>,
): Promise<T> {
  const { module } = config.work;
  return withCsvInput(
    { path: typedPath(path), stdin: stdinOf(path, shutdown), ...readingOf(flags), module, engine },
    work,
  );
}
