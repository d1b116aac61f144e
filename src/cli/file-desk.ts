import type { DeskFile, FileDesk } from '../dashboard/file-desk.js';
import { openCsv } from '../lib/csv/csv-source.js';
import { resolveColumns } from '../lib/csv/resolve-columns.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import { enqueueFile } from '../producers/enqueue-file.js';
import { exportFile } from '../reports/export-file.js';
import { fileStatus, type ReportedFile } from '../reports/file-status.js';
import { planLine, planWithin } from './plan.js';
import type { Session } from './session.js';

/** The dashboard's way to do what `plan`, `enqueue`, `status` and `export` do. */
export function fileDesk(
  session: Pick<Session, 'engine' | 'config'>,
  allowance: () => Promise<Allowance | null>,
): FileDesk {
  const { engine, config } = session;
  const { module, maxAttempts } = config.work;

  async function withFile<T>({ path, mapFlags }: DeskFile, work: (file: ReportedFile) => Promise<T>): Promise<T> {
    const source = await openCsv(path);
    try {
      return await work({ source, columns: await resolveColumns(source, mapFlags, engine.store), module, engine });
    } finally {
      await source.close();
    }
  }

  return {
    plan: async (file, signal, tell) => {
      const plan = await planWithin(session, await allowance(), { ...file, signal, onProgress: tell });
      return { ...plan, sentence: planLine(plan, session) };
    },
    enqueue: async (file, rejectsPath, signal, tell) => {
      const queue = engine.openQueue();
      try {
        return await enqueueFile({
          ...file,
          module,
          maxAttempts,
          engine,
          queue,
          rejectsPath,
          signal,
          onProgress: tell,
        });
      } finally {
        await queue.close();
      }
    },
    outcomes: (file) => withFile(file, fileStatus),
    exportTo: (file, out, signal) =>
      withFile(file, async (input) => void (await exportFile({ ...input, out, signal }))),
  };
}
