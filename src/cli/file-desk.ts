import type { DeskFile, EnqueueFigures, FileDesk, TellProgress } from '../dashboard/file-desk.js';
import { openCsv } from '../lib/csv/csv-source.js';
import { rememberColumns } from '../lib/csv/resolve-columns.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import { enqueueRows } from '../producers/csv-producer.js';
import { planRows } from '../producers/plan-file.js';
import type { RejectWriter } from '../producers/reject-writer.js';
import { writeRejects } from '../producers/write-rejects.js';
import { exportFile } from '../reports/export-file.js';
import { fileStatus, type ReportedFile } from '../reports/file-status.js';
import { planLine, planWithin } from './plan.js';
import type { Session } from './session.js';

/** The dashboard's way to do what `plan`, `enqueue`, `status` and `export` do, with the columns that its pages show. */
export function fileDesk(
  session: Pick<Session, 'engine' | 'config'>,
  allowance: () => Promise<Allowance | null>,
): FileDesk {
  const { engine, config } = session;
  const { module, maxAttempts } = config.work;

  async function withFile<T>({ path, columns }: DeskFile, work: (file: ReportedFile) => Promise<T>): Promise<T> {
    const source = await openCsv(path);
    try {
      return await work({ source, columns, module, engine });
    } finally {
      await source.close();
    }
  }

  async function enqueue(file: ReportedFile, signal: AbortSignal, tell: TellProgress): Promise<EnqueueFigures> {
    const queue = engine.openQueue();
    try {
      return await enqueueRows({ ...file, maxAttempts, queue, rejects: NO_REJECTS, signal, onProgress: tell });
    } finally {
      await queue.close();
    }
  }

  return {
    plan: async (file, signal, tell) => {
      const plan = await planWithin(session, await allowance(), (covers) =>
        withFile(file, (input) => planRows({ ...input, covers, signal, onProgress: tell })),
      );
      return { ...plan, sentence: planLine(plan, session) };
    },
    enqueue: (file, signal, tell) =>
      withFile(file, async (input) => {
        await rememberColumns(input.source, file.mapFlags, engine.store);
        return enqueue(input, signal, tell);
      }),
    outcomes: (file) => withFile(file, fileStatus),
    exportTo: (file, out, signal) =>
      withFile(file, async (input) => void (await exportFile({ ...input, out, signal }))),
    rejectsTo: (file, out, signal) => withFile(file, (input) => writeRejects({ ...input, out, signal })),
  };
}

/** Whoever wants the rejects of an upload asks for them; there is no place beside it where they could be found. */
const NO_REJECTS: RejectWriter = {
  write: async () => undefined,
  finish: async () => null,
  discard: async () => undefined,
};
