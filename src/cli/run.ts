import type { Command } from 'commander';
import { UsageError } from '../lib/errors.js';
import { signalExitCode } from '../lib/shutdown.js';
import type { EnqueueReport } from '../producers/csv-producer.js';
import type { ExportReport } from '../reports/export-file.js';
import type { WorkerReport } from '../workers/watch-queue.js';
import { maySpend, type SpendingFlags } from './before-spending.js';
import type { Run } from './command.js';
import { work } from './compose.js';
import { startOverview } from './dashboard.js';
import { type EnqueueFlags, enqueue, enqueueSummary } from './enqueue.js';
import { EXIT } from './exit-codes.js';
import { writeExport } from './export.js';
import { fileTable } from './file-table.js';
import { typedPath } from './input.js';
import { againFlag, engineFlag, example, jsonFlag, mapFlag, priorityFlag, wholeNumber, yesFlag } from './options.js';
import { createProgresses } from './progress.js';
import { type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';
import { workSummary } from './worker.js';
import { createWorkerSigns } from './worker-signs.js';

export interface RunFlags extends EnqueueFlags {
  readonly out?: string;
  /** Wait for the results of what was submitted; default true. */
  readonly wait?: boolean;
}

interface Flags extends RunFlags, SpendingFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** What one run did; `export` is null when it was interrupted before. */
export interface RunReport {
  readonly enqueue: EnqueueReport;
  readonly work: WorkerReport;
  readonly export: ExportReport | null;
}

/** `run`: enqueue, work and export in one process. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'a CSV file with a header row')
    .option('--limit <n>', 'take only the first n new rows', wholeNumber(1))
    .option('--rejects <file>', 'write refused records here instead of beside the input')
    .option('--out <file>', 'write the export here instead of beside the input')
    .option('--no-wait', 'leave once everything is submitted; results come with a later run, worker or export')
    .addOption(priorityFlag())
    .addOption(yesFlag())
    .addOption(mapFlag())
    .addOption(againFlag())
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm start -- accounts.csv', 'npm start -- accounts.csv --limit 5');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    if (file === '-') {
      throw new UsageError('RUN_NEEDS_FILE', 'run reads its file twice, so it cannot read stdin; name a file.');
    }
    return withSession({ engine: flags.engine, kind: 'batch', needsAccount: true }, async (session) => {
      if (!(await maySpend(session, typedPath(file), flags))) return EXIT.failed;
      const signs = createWorkerSigns();
      await startOverview(session, signs);
      const report = await runFile(session, typedPath(file), flags, signs);
      printResult(flags.json ?? false, report, () => summary(report));
      return exitCodeOf(report, session);
    });
  };
}

/** Enqueues a file, works until idle, stopped or interrupted, and exports; the progress goes to the terminal. */
export async function runFile(
  session: Session,
  path: string,
  flags: RunFlags,
  signs = createWorkerSigns(),
): Promise<RunReport> {
  const enqueued = await enqueue(session, path, flags);
  note(enqueueSummary(enqueued, session.config.work.module));
  const worked = await workOff(session, flags.wait ?? true, signs);
  const exported = worked.ended === 'signal' ? null : await writeExport(session, path, flags);
  return { enqueue: enqueued, work: worked, export: exported };
}

/** The bars count what was in the queue, or without a result, at the start; rows of other files included. */
async function workOff(
  session: Session,
  waitForResults: boolean,
  { calls, onReadiness }: ReturnType<typeof createWorkerSigns>,
): Promise<WorkerReport> {
  const [submitted, enriched] = createProgresses(waitForResults ? ['submitted', 'enriched'] : ['submitted']);
  let mostToSend = 0;
  let mostToKnow = 0;
  try {
    const options: Parameters<typeof work>[1] = {
      untilIdle: true,
      waitForResults,
      onReadiness,
      onProgress: ({ queue, ledger }) => {
        const toSend = queue.waiting + queue.active + queue.delayed;
        const toKnow = toSend + ledger.pending;
        mostToSend = Math.max(mostToSend, toSend);
        mostToKnow = Math.max(mostToKnow, toKnow);
        submitted?.update(mostToSend - toSend, mostToSend);
        enriched?.update(mostToKnow - toKnow, mostToKnow);
      },
    };
    return await work(session, options, calls);
  } finally {
    submitted?.stop();
  }
}

function summary({ work: worked, export: exported }: RunReport): string {
  if (exported === null) return `${workSummary(worked)}\nInterrupted; the same command goes on where it was.`;
  return `${workSummary(worked)}\n${exported.out}\n${fileTable(exported.counts)}`;
}

function exitCodeOf({ work: worked, export: exported }: RunReport, { shutdown }: Session): number {
  if (exported === null) return shutdown.received === null ? EXIT.failed : signalExitCode(shutdown.received);
  if (worked.ended === 'stopped') return EXIT.stopped;
  const { rejected, failed, uncertain } = exported.counts;
  return rejected + failed + uncertain > 0 ? EXIT.rowsLeftOut : EXIT.done;
}
