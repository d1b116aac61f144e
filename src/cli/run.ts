import { basename } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../lib/errors.js';
import { signalExitCode } from '../lib/shutdown.js';
import { exportTarget } from '../reports/export-file.js';
import { countRows, type WorkerReport } from '../workers/watch-queue.js';
import { quickAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { confirmCost, type SpendingFlags } from './confirm-cost.js';
import { startOverview } from './dashboard.js';
import { type EnqueueFlags, enqueue, enqueueSummary } from './enqueue.js';
import { EXIT } from './exit-codes.js';
import { writeExport } from './export.js';
import { typedPath } from './input.js';
import {
  addInputFlags,
  addNewRowFlags,
  engineFlag,
  example,
  jsonFlag,
  priorityFlag,
  wholeNumber,
  yesFlag,
} from './options.js';
import { createRunProgress } from './run-progress.js';
import { type RunReport, runSummary } from './run-summary.js';
import { type Session, withSession } from './session.js';
import { startWorker } from './start-worker.js';
import { note, printResult } from './terminal.js';
import { finishingCommand } from './typed-command.js';
import { createWorkerTelemetry } from './worker-telemetry.js';

export interface RunFlags extends EnqueueFlags {
  readonly out?: string;
  /** Wait for the results of what was submitted; default true. */
  readonly wait?: boolean;
}

interface Flags extends RunFlags, SpendingFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `run`: enqueue, work and export in one process. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'a CSV file with a header row')
    .option('--limit <n>', 'take only the first n new rows; 0 finishes what is queued', wholeNumber(0))
    .option('--rejects <file>', 'write refused records here instead of beside the input')
    .option('--out <file>', 'write the export here instead of beside the input')
    .option('--no-wait', 'leave once everything is submitted; results come with a later run, worker or export')
    .addOption(priorityFlag())
    .addOption(yesFlag());
  addNewRowFlags(command).addOption(jsonFlag()).addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm start -- accounts.csv', 'npm start -- accounts.csv --limit 5');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    if (file === '-') {
      throw new UsageError('RUN_NEEDS_FILE', 'run reads its file twice, so it cannot read stdin; name a file.');
    }
    const finishing = finishingCommand(command, process.argv.slice(2));
    const interrupted = `Stopped. Nothing is lost: what was queued stays queued. To finish it:\n  ${finishing}`;
    const options = { engine: flags.engine, kind: 'batch', file, needsAccount: true, interrupted } as const;
    return withSession(options, async (session) => {
      await exportTarget(typedPath(file), { out: flags.out === undefined ? undefined : typedPath(flags.out) });
      const answer = flags.limit === 0 ? 'unasked' : await confirmCost(session, typedPath(file), flags);
      if (answer === 'refused') return EXIT.failed;
      const signs = createWorkerTelemetry();
      await startOverview(session, signs);
      const report = await runFile(session, typedPath(file), flags, { signs, isSeen: answer === 'confirmed' });
      if (report.export === null) note(interrupted);
      printResult(flags.json ?? false, report, () => runSummary(report, { file, finishing }));
      return exitCodeOf(report, session);
    });
  };
}

/**
 * Enqueues a file, works until idle, stopped or interrupted, and exports; the progress goes to the terminal. `isSeen`: the
 * check of the file was shown.
 */
export async function runFile(
  session: Session,
  path: string,
  flags: RunFlags,
  { signs = createWorkerTelemetry(), isSeen = false } = {},
): Promise<RunReport> {
  // An enqueueing that takes nothing would take the rejects of the one before for settled.
  const enqueued = flags.limit === 0 ? null : await enqueue(session, path, flags);
  if (enqueued !== null) note(enqueueSummary(enqueued, session, { ...flags, isSeen }));
  const worked = await workOff(session, path, flags.wait ?? true, signs);
  const exported = worked.ended === 'signal' ? null : await writeExport(session, path, flags);
  return { enqueue: enqueued, work: worked, export: exported };
}

/** The first results of a small file are there within seconds: whoever tries ten rows sees that something happens. */
const SMALL_FILE = 200;
const FIRST_LOOK_MS = 5_000;
const PATIENCE_MS = 600_000;

async function workOff(
  session: Session,
  path: string,
  waitForResults: boolean,
  { calls, onReadiness }: ReturnType<typeof createWorkerTelemetry>,
): Promise<WorkerReport> {
  const { config, shutdown } = session;
  // Before the worker starts, no row is on its way from the queue to the ledger.
  const before = await countRows(session.engine);
  let left: number | null = null;
  void quickAllowance(session)().then((allowance) => {
    left = allowance?.left ?? null;
  });
  const progress = createRunProgress({ label: basename(path), before, waitForResults, allowanceLeft: () => left });
  const hint = () => note('Finishing the calls in flight; Ctrl-C once more ends at once.');
  shutdown.signal.addEventListener('abort', hint, { once: true });
  const { resultPollMs } = config.work;
  const isSmall = before.queue.waiting + before.ledger.pending <= SMALL_FILE;
  try {
    const options: Parameters<typeof startWorker>[1] = {
      untilIdle: true,
      waitForResults,
      ...(isSmall && { patienceMs: Math.max(PATIENCE_MS, 20 * resultPollMs) }),
      onReadiness,
      onProgress: progress.update,
    };
    const firstLook = isSmall ? Math.min(resultPollMs, FIRST_LOOK_MS) : resultPollMs;
    return await startWorker(
      { ...session, config: { ...config, work: { ...config.work, resultPollMs: firstLook } } },
      options,
      calls,
    );
  } finally {
    shutdown.signal.removeEventListener('abort', hint);
    progress.stop();
  }
}

function exitCodeOf({ work: worked, export: exported }: RunReport, { shutdown }: Session): number {
  if (exported === null) return shutdown.received === null ? EXIT.failed : signalExitCode(shutdown.received);
  if (worked.ended === 'stopped') return EXIT.stopped;
  const { rejected, failed, uncertain } = exported.counts;
  return rejected + failed + uncertain > 0 ? EXIT.rowsLeftOut : EXIT.done;
}
