import { once } from 'node:events';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createFileActions } from '../dashboard/file-actions.js';
import type { FrameAccount } from '../dashboard/frame.js';
import { type Dashboard, startDashboard } from '../dashboard/server.js';
import { AppError } from '../lib/errors.js';
import { isRehearsal } from '../lib/zoho/data-centers.js';
import { askOrgName, quickAllowance, watchAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { sessionChecks } from './doctor.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example } from './options.js';
import { type Session, withSession } from './session.js';
import { startWorker } from './start-worker.js';
import { note } from './terminal.js';
import { createWorkerTelemetry, type WorkerTelemetry } from './worker-telemetry.js';

interface Flags {
  readonly engine?: 'redis' | 'embedded';
  readonly allowChanges?: boolean;
  readonly work?: boolean;
}

/** `dashboard`: serves the web dashboard until told to end. */
export function define(command: Command): Run {
  command
    .addOption(engineFlag())
    .option('--work', 'run a worker in this process, so that a browser alone is enough')
    .option('--allow-changes', 'let the buttons of the raw queue change jobs');
  example(command, 'npm run dashboard', 'ZIA_DASHBOARD_PORT=8080 npm run dashboard');
  return () => {
    const flags: Flags = command.opts();
    const options = { engine: flags.engine, kind: 'service', needsAccount: flags.work ?? false } as const;
    return withSession(options, (session) => serve(session, flags));
  };
}

async function serve(session: Session, { allowChanges = false, work: works = false }: Flags): Promise<number> {
  const { onReadiness, ...worker } = createWorkerTelemetry();
  const { url } = await open(session, quickAllowance(session), { allowChanges, ...(works && { worker }) });
  note(`dashboard: ${url} (Ctrl-C ends it)`);
  const { signal } = session.shutdown;
  if (works) {
    void watchAllowance(session);
    await startWorker(session, { untilIdle: false, onReadiness }, worker.calls);
  }
  if (!signal.aborted) await once(signal, 'abort');
  return EXIT.done;
}

/**
 * Serves the dashboard beside the worker of a command, on another port when the configured one is taken, and prints its
 * address. A dashboard that cannot be served is a note, no failure: the command goes on without.
 */
export async function startOverview(session: Session, worker: WorkerTelemetry): Promise<void> {
  try {
    const allowance = quickAllowance(session);
    const { url } = await open(session, allowance, { worker }).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'DASHBOARD_CANNOT_LISTEN') throw error;
      return open(session, allowance, { worker, port: 0 });
    });
    note(`watch it: ${url}`);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    note(`No dashboard: ${error.message}`);
  }
}

async function open(
  session: Session,
  allowance: ReturnType<typeof quickAllowance>,
  more: { readonly allowChanges?: boolean; readonly port?: number; readonly worker?: WorkerTelemetry },
): Promise<Dashboard> {
  const { config, engine, log, shutdown } = session;
  const dashboard = await startDashboard({
    ...config.dashboard,
    ...more,
    engine,
    log,
    limits: config.work,
    maxAttempts: config.work.maxAttempts,
    module: config.work.module,
    profile: config.profile ?? null,
    account: frameAccount(session),
    checks: () => sessionChecks(session),
    files: {
      actions: createFileActions({ engine, work: config.work, allowance }),
      keepDir: join(config.engine.dataDir, 'files'),
    },
    allowance,
  });
  shutdown.onClose('dashboard', () => dashboard.close());
  return dashboard;
}

/** What the pages say of the account; its org's name is asked for in the background. */
function frameAccount(session: Session): FrameAccount | null {
  const { account } = session;
  if (account === null) return null;
  return { dataCenter: account.dc.toUpperCase(), isSandbox: isRehearsal(account), org: askOrgName(session) };
}
