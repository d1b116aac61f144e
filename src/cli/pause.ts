import type { Command } from 'commander';
import { INITIAL_CONTROL, stopped } from '../lib/core/control.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example, jsonFlag } from './options.js';
import { type Session, withSession } from './session.js';
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
    withSession({ engine: command.opts<Flags>().engine, kind: 'question' }, (session) =>
      pause(session, command.opts()),
    );
}

async function pause({ engine }: Session, { json = false }: Flags): Promise<number> {
  const { value, changed } = await engine.store.control.change((control, nowMs) => {
    const before = control ?? INITIAL_CONTROL;
    const after = stopped(before, {
      code: 'PAUSED',
      message: 'Paused by hand; `npm run resume` goes on.',
      sinceMs: nowMs,
      key: null,
      line: null,
    });
    return after === before ? undefined : after;
  });
  printResult(json, { paused: changed, code: value?.stop?.code ?? null }, () =>
    changed
      ? 'Paused: no worker sends another row. `npm run resume` goes on.'
      : `Stopped already (${value?.stop?.code}): ${value?.stop?.message}`,
  );
  return EXIT.done;
}
