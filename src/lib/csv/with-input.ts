import type { Readable } from 'node:stream';
import type { ColumnMapping } from '../core/columns.js';
import type { ColumnChoice } from '../core/input-check.js';
import type { Engine } from '../engine/engine.js';
import { type CsvSource, openCsv } from './csv-source.js';
import type { CsvFlags } from './open-options.js';
import { chooseColumns, rememberedKeep } from './resolve-columns.js';

/** A file as queueing and reporting read it: which columns hold what, and for which CRM module its rows are. */
export interface Input {
  readonly source: CsvSource;
  readonly columns: ColumnMapping;
  /** Why these columns, for the check of the file; without it they count as chosen by a person. */
  readonly choice?: ColumnChoice | undefined;
  readonly module: string;
  readonly engine: Engine;
}

export interface InputOptions extends Pick<Input, 'module' | 'engine'> {
  /** The CSV file; `-` for standard input. */
  readonly path: string;
  /** Values of `--map`, such as `name=Firm`. */
  readonly mapFlags: readonly string[];
  /** How the file is to be read where it does not say so itself. */
  readonly csv?: CsvFlags | undefined;
  /** Standard input when absent. */
  readonly stdin?: Readable | undefined;
}

/** Opens a file, finds its columns, and closes it after `work`. Throws `UsageError` when the file or the mapping cannot be used. */
export async function withInput<T>(
  { path, mapFlags, csv, module, engine, stdin }: InputOptions,
  work: (input: Input) => Promise<T>,
): Promise<T> {
  const source = await openCsv(path, {
    ...csv,
    stdin,
    rememberedKeep: (headers) => rememberedKeep(headers, engine.store),
  });
  try {
    const choice = await chooseColumns(source, mapFlags, engine.store);
    return await work({ source, choice, columns: choice.columns, module, engine });
  } finally {
    await source.close();
  }
}
