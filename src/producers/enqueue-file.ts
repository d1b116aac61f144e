import { type InputOptions, withInput } from '../lib/csv/with-input.js';
import { assertPulledModule } from '../lib/pulled-files.js';
import { type EnqueueOptions, type EnqueueReport, enqueueRows } from './csv-producer.js';
import { createRejectWriter, rejectsPathOf } from './reject-writer.js';

export interface EnqueueFileOptions
  extends InputOptions,
    Pick<EnqueueOptions, 'queue' | 'maxAttempts' | 'limit' | 'priority' | 'again' | 'onProgress' | 'signal'> {
  /** Beside the input file when absent. */
  readonly rejectsPath?: string | undefined;
}

/**
 * Opens a file, finds its columns and queues its new rows. Throws UsageError before anything is queued when the file or
 * the mapping cannot be used; for the rest see `enqueueRows`.
 */
export async function enqueueFile(options: EnqueueFileOptions): Promise<EnqueueReport> {
  const { path, rejectsPath = rejectsPathOf(path) } = options;
  await assertPulledModule(options.engine.store, path, options.module);
  return withInput(options, (input) =>
    enqueueRows({ ...options, ...input, rejects: createRejectWriter(rejectsPath, input.source) }),
  );
}
