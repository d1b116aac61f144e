import { stat } from 'node:fs/promises';
import { type InputOptions, withInput } from '../lib/csv/with-input.js';
import { UsageError } from '../lib/errors.js';
import { assertPulledModule } from '../lib/pulled-files.js';
import { type EnqueueOptions, type EnqueueReport, enqueueRows } from './csv-producer.js';
import { noteQueued } from './note-queued.js';
import { ownRejects } from './own-rejects.js';
import { createRejectWriter, rejectsPathOf } from './reject-writer.js';

export interface EnqueueFileOptions
  extends InputOptions,
    Pick<
      EnqueueOptions,
      'queue' | 'maxAttempts' | 'limit' | 'priority' | 'again' | 'refreshAfterMs' | 'onePer' | 'onProgress' | 'signal'
    > {
  /** Beside the input file when absent. */
  readonly rejectsPath?: string | undefined;
}

/**
 * Opens a file, finds its columns and queues its new rows. Throws UsageError before anything is queued when the file or
 * the mapping cannot be used; for the rest see `enqueueRows`.
 */
export async function enqueueFile(options: EnqueueFileOptions): Promise<EnqueueReport> {
  const { path, rejectsPath = rejectsPathOf(path) } = options;
  const { store } = options.engine;
  await assertPulledModule(store, path, options.module);
  await assertOtherFile(rejectsPath, path);
  return withInput(options, async (input) => {
    const noteDone = await noteQueued({ ...input, store });
    const report = await enqueueRows({
      ...options,
      ...input,
      rejects: createRejectWriter(rejectsPath, input.source, ownRejects(input.engine.store)),
    });
    await noteDone(report);
    return report;
  });
}

/** Rejects are other rows than those of the file: in its place they would be no rejects, or the file be gone. */
async function assertOtherFile(rejectsPath: string, path: string): Promise<void> {
  const [rejects, input] = await Promise.all([rejectsPath, path].map((each) => stat(each).catch(() => null)));
  if (!rejects || !input || rejects.dev !== input.dev || rejects.ino !== input.ino) return;
  throw new UsageError('REJECTS_ARE_INPUT', `${rejectsPath} is the input file itself: give --rejects another name.`);
}
