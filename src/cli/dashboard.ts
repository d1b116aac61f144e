import { once } from 'node:events';
import type { Command } from 'commander';
import { startDashboard } from '../dashboard/server.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example } from './options.js';
import { type Session, withSession } from './session.js';
import { note } from './terminal.js';

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

async function serve({ config, engine, log, shutdown }: Session, { allowChanges = false }: Flags): Promise<number> {
  const dashboard = await startDashboard({ ...config.dashboard, engine, log, allowChanges });
  shutdown.onClose('dashboard', () => dashboard.close());
  note(`dashboard: ${dashboard.url} (Ctrl-C ends it)`);
  if (!shutdown.signal.aborted) await once(shutdown.signal, 'abort');
  return EXIT.done;
}
