import type { Readable } from 'node:stream';
import { openCsv } from '../lib/csv/csv-source.js';
import { chooseColumns, rememberColumns } from '../lib/csv/resolve-columns.js';
import type { Engine } from '../lib/engine/engine.js';
import { assertPulledModule } from '../lib/pulled-files.js';
import type { EnrichQueue } from '../lib/queues.js';
import { type EnqueueOptions, type EnqueueReport, enqueueRows } from './csv-producer.js';
import { createRejectWriter, rejectsPathOf } from './reject-writer.js';

export interface EnqueueFileOptions
  extends Pick<EnqueueOptions, 'module' | 'maxAttempts' | 'limit' | 'priority' | 'onProgress' | 'signal'> {
  /** The CSV file; `-` for standard input. */
  readonly path: string;
  /** Values of `--map`, such as `name=Firm`. */
  readonly mapFlags: readonly string[];
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  /** Standard input when absent. */
  readonly stdin?: Readable | undefined;
  /** Beside the input file when absent. */
  readonly rejectsPath?: string | undefined;
}

/**
 * Opens a file, finds its columns and queues its new rows. Throws UsageError before anything is queued when the file or
 * the mapping cannot be used; for the rest see `enqueueRows`.
 */
export async function enqueueFile(options: EnqueueFileOptions): Promise<EnqueueReport> {
  const { path, mapFlags, engine, stdin, rejectsPath = rejectsPathOf(path) } = options;
  await assertPulledModule(engine.store, path, options.module);
  const source = await openCsv(path, stdin === undefined ? {} : { stdin });
  try {
    const choice = await chooseColumns(source, mapFlags, engine.store);
    await rememberColumns(source, mapFlags, engine.store);
    const rejects = createRejectWriter(rejectsPath, source);
    return await enqueueRows({ ...options, source, choice, columns: choice.columns, rejects });
  } finally {
    await source.close();
  }
}
