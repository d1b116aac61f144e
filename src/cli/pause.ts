import type { Command } from 'commander';
import { raisePause } from '../lib/store/lift-stop.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example, jsonFlag } from './options.js';
import { SEE_STATUS, type Session, withSession } from './session.js';
import { printResult } from './terminal.js';

interface Flags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `pause`: a stop that a person raises. */
export function define(command: Command): Run {
  command.addOption(jsonFlag()).addOption(engineFlag());
  example(command, 'npm run pause');
  return () =>
    withSession({ engine: command.opts<Flags>().engine, kind: 'question', interrupted: SEE_STATUS }, (session) =>
      pause(session, command.opts()),
    );
}

async function pause({ engine }: Session, { json = false }: Flags): Promise<number> {
  const { changed, control } = await raisePause(engine.store.control, 'Paused by hand; `npm run resume` goes on.');
  const { stop } = control;
  printResult(json, { paused: changed, code: stop?.code ?? null }, () =>
    changed
      ? 'Paused: no worker sends another row. `npm run resume` goes on.'
      : `Stopped already (${stop?.code}): ${stop?.message}`,
  );
  return EXIT.done;
}
