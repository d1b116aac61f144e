import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Control, INITIAL_CONTROL } from '../lib/core/control.js';
import { INPUT_FIELDS, type InputField } from '../lib/core/row.js';
import type { Engine } from '../lib/engine/engine.js';
import { liftStop } from '../lib/store/lift-stop.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example, jsonFlag } from './options.js';
import { SEE_STATUS, type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

interface Flags {
  readonly without?: readonly InputField[];
  readonly with?: readonly InputField[];
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** What became of the row that goes first. */
type Finding =
  | { readonly outcome: 'not-stopped' | 'accepted' | 'no-worker' | 'no-rows' | 'pending' }
  | { readonly outcome: 'stopped'; readonly code: string; readonly message: string };

const WAIT_MS = 10_000;
const LOOK_EVERY_MS = 200;
/** A worker tells that it lives every second, also while it stands still. */
const WORKER_SHOWS_UP_MS = 3_000;

/** `resume`: lifts a stop and waits a little for what the first row finds. */
export function define(command: Command): Run {
  command
    .addOption(new Option('--without <fields>', 'rows go without these fields from now on (email)').argParser(fieldsOf))
    .addOption(new Option('--with <fields>', 'rows go with these fields again').argParser(fieldsOf))
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm run resume', 'npm run resume -- --without email');
  return () =>
    withSession({ engine: command.opts<Flags>().engine, kind: 'question', interrupted: SEE_STATUS }, (session) =>
      resume(session, command.opts()),
    );
}

async function resume({ engine, shutdown }: Session, flags: Flags): Promise<number> {
  const { json = false } = flags;
  const choice = { without: flags.without ?? [], with: flags.with ?? [] };
  const { outcome, control } = await liftStop(engine.store.control, undefined, choice);
  const { without = [] } = control;
  if (without.length > 0) note(`Rows go without ${without.join(' and ')}.`);
  const isLifted = outcome === 'lifted';
  const finding = isLifted
    ? await watchCanary(engine, control, shutdown.signal)
    : ({ outcome: 'not-stopped' } as const);
  printResult(json, { resumed: isLifted, ...finding, ...(without.length > 0 && { without }) }, () =>
    sentenceFor(finding),
  );
  return finding.outcome === 'stopped' ? EXIT.stopped : EXIT.done;
}

/** `email` or `name,email`. */
function fieldsOf(text: string): readonly InputField[] {
  return text.split(',').map((name) => {
    const field = INPUT_FIELDS.find((known) => known === name.trim());
    if (field === undefined)
      throw new InvalidArgumentError(`Expected ${INPUT_FIELDS.join(', ')}, or several with commas.`);
    return field;
  });
}

async function watchCanary(engine: Engine, lifted: Control, signal: AbortSignal): Promise<Finding> {
  note('Resumed: one row goes first. Waiting for what Zoho says to it …');
  const startedAt = performance.now();
  let workers = 0;
  while (performance.now() - startedAt < WAIT_MS && !signal.aborted) {
    const control = (await engine.store.control.read()).value ?? INITIAL_CONTROL;
    if (control.mode === 'running') return { outcome: 'accepted' };
    if (control.mode === 'stopped' && control.epoch > lifted.epoch && control.stop !== null) {
      return { outcome: 'stopped', code: control.stop.code, message: control.stop.message };
    }
    workers = Math.max(workers, await workersAlive(engine));
    if (workers === 0 && performance.now() - startedAt > WORKER_SHOWS_UP_MS) return { outcome: 'no-worker' };
    if (workers > 0 && (await isEmpty(engine)) && (await isStillOpen(engine))) return { outcome: 'no-rows' };
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return { outcome: 'pending' };
}

/** The answer to a first row is known before its job leaves the queue: an empty queue alone does not tell that there was none. */
async function isStillOpen(engine: Engine): Promise<boolean> {
  const { value } = await engine.store.control.read();
  return value?.mode === 'canary' && value.canary?.key === null;
}

/** Asks as a member of the fleet that leaves at once, and does not count itself. */
async function workersAlive(engine: Engine): Promise<number> {
  const visitor = `resume-${process.pid}`;
  const { workers } = await engine.store.heartbeat(visitor, [], WORKER_SHOWS_UP_MS);
  await engine.store.leave(visitor);
  return workers.length - 1;
}

async function isEmpty(engine: Engine): Promise<boolean> {
  const { waiting, active, delayed } = await engine.counts();
  return waiting + active + delayed === 0;
}

function sentenceFor(finding: Finding): string {
  switch (finding.outcome) {
    case 'not-stopped':
      return 'Nothing is stopped.';
    case 'accepted':
      return 'Zoho accepted the first row: all others go on.';
    case 'stopped':
      return `Stopped again (${finding.code}): ${finding.message}`;
    case 'no-worker':
      return 'The stop is lifted, but no worker runs: start one with `npm run worker`; its first row goes alone.';
    case 'no-rows':
      return 'The stop is lifted; no row is waiting, so the next one enqueued goes first, alone.';
    case 'pending':
      return 'The stop is lifted; the first row has no answer yet. `npm run status` shows how it goes on.';
  }
}
