import { once } from 'node:events';
import type { Command } from 'commander';
import { createFileActions } from '../dashboard/file-actions.js';
import { type Dashboard, startDashboard } from '../dashboard/server.js';
import { AppError } from '../lib/errors.js';
import { quickAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example } from './options.js';
import { type Session, withSession } from './session.js';
import { note } from './terminal.js';
import type { ToldOfWorker } from './worker-signs.js';

interface Flags {
  readonly engine?: 'redis' | 'embedded';
  readonly allowChanges?: boolean;
}

/** `dashboard`: serves the web dashboard until told to end. */
export function define(command: Command): Run {
  command.addOption(engineFlag()).option('--allow-changes', 'let bull-board’s buttons change jobs');
  example(command, 'npm run dashboard', 'ZIA_DASHBOARD_PORT=8080 npm run dashboard');
  return () =>
    withSession({ engine: command.opts<Flags>().engine, kind: 'service' }, (session) => serve(session, command.opts()));
}

async function serve(session: Session, { allowChanges = false }: Flags): Promise<number> {
  const { url } = await open(session, quickAllowance(session), { allowChanges });
  note(`dashboard: ${url} (Ctrl-C ends it)`);
  const { signal } = session.shutdown;
  if (!signal.aborted) await once(signal, 'abort');
  return EXIT.done;
}

/**
 * Serves the dashboard beside the worker of a command, on another port when the configured one is taken, and prints its
 * address. A dashboard that cannot be served is a note, no failure: the command goes on without.
 */
export async function startOverview(session: Session, worker: ToldOfWorker): Promise<void> {
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
  more: { readonly allowChanges?: boolean; readonly port?: number; readonly worker?: ToldOfWorker },
): Promise<Dashboard> {
  const { config, engine, log, shutdown } = session;
  const dashboard = await startDashboard({
    ...config.dashboard,
    ...more,
    engine,
    log,
    limits: config.work,
    files: { actions: createFileActions({ engine, work: config.work, allowance }), module: config.work.module },
    allowance,
  });
  shutdown.onClose('dashboard', () => dashboard.close());
  return dashboard;
}
