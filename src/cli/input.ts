import { resolve } from 'node:path';
import { openCsv } from '../lib/csv/csv-source.js';
import { resolveColumns } from '../lib/csv/resolve-columns.js';
import type { ReportedFile } from '../reports/file-status.js';
import { typedIn } from './npm.js';
import type { Session } from './session.js';

export interface InputFlags {
  /** Values of `--map`, such as `name=Firm`. */
  readonly map?: readonly string[];
}

/** A path as the program must open it: relative to the folder the user typed in; `-` stays. */
export function typedPath(path: string): string {
  const cwd = process.cwd();
  const folder = typedIn(process.env, cwd);
  return path === '-' || folder === cwd ? path : resolve(folder, path);
}

/** Opens the file the user named, finds its columns, and closes it after `work`. Throws `UsageError` for a file that will not do. */
export async function withInput<T>(
  { engine, config }: Pick<Session, 'engine' | 'config'>,
  path: string,
  flags: InputFlags,
  work: (input: ReportedFile) => Promise<T>,
): Promise<T> {
  const source = await openCsv(typedPath(path));
  try {
    const columns = await resolveColumns(source, flags.map ?? [], engine.store);
    return await work({ source, columns, module: config.work.module, engine });
  } finally {
    await source.close();
  }
}
