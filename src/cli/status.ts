import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { formatDuration } from '../lib/core/format.js';
import type { Input } from '../lib/csv/with-input.js';
import { UsageError } from '../lib/errors.js';
import { asStarted } from '../lib/invocation.js';
import type { Allowance, RememberedAllowance } from '../lib/zoho/allowance.js';
import type { FileCounts } from '../reports/file-counts.js';
import { fileStatus } from '../reports/file-status.js';
import { type QueueStatus, queueStatus } from '../reports/queue-status.js';
import { allowanceLine, budgetLine, reserveLine } from './allowance-line.js';
import { quickAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { fileTable } from './file-table.js';
import { type InputFlags, withInput } from './input.js';
import { openLiveArea } from './live-area.js';
import { moment } from './moment.js';
import { addInputFlags, engineFlag, example, jsonFlag } from './options.js';
import { type Session, withSession } from './session.js';
import { coloursOf, printResult, table, wrapped } from './terminal.js';

interface Flags extends InputFlags {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

type Status = QueueStatus & {
  /** When Zoho told the allowance, ISO 8601. */
  readonly allowanceAsked?: string;
  readonly file?: FileCounts;
};

const WATCH_EVERY_MS = 1_000;

/** `status`: the queue, and one file's rows by outcome. Changes nothing. */
export function define(command: Command): Run {
  command
    .argument('[file]', 'show the rows of this CSV file too; - reads stdin')
    .option('--watch', 'show it again and again until Ctrl-C')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run status accounts.csv', 'npm run -s status -- --json');
  return () => {
    const flags: Flags = command.opts();
    if (flags.watch && flags.json) {
      throw new UsageError(
        'WATCH_WITH_JSON',
        '--json prints one document, so it does not go with --watch; leave one of them out.',
      );
    }
    const [file] = command.args;
    return withSession({ engine: flags.engine, kind: 'question', file }, (session) => status(session, file, flags));
  };
}

async function status(session: Session, file: string | undefined, flags: Flags): Promise<number> {
  if (file === undefined) return show(session, null, flags);
  return withInput(session, file, flags, (input) => show(session, input, flags));
}

async function show(session: Session, input: Input | null, flags: Flags): Promise<number> {
  const {
    engine,
    shutdown: { signal },
  } = session;
  const allowanceOf = askedAllowance(session);
  const area = flags.watch && process.stdout.isTTY ? openLiveArea(process.stdout) : null;
  do {
    const told = await allowanceOf();
    const queue = await queueStatus(engine, told?.allowance ?? null, session.config.work);
    const status: Status = {
      ...queue,
      ...(told !== null && { allowanceAsked: told.asked }),
      ...(input !== null && { file: await fileStatus(input) }),
    };
    const text = () => textOf(status, input?.source.path);
    if (area !== null) area.show(firstLines(`${text()}\n\n${WATCHED}`));
    else printResult(flags.json ?? false, status, () => `${flags.watch ? '\n' : ''}${text()}`);
    if (flags.watch) await sleep(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined);
  } while (flags.watch && !signal.aborted);
  area?.keep();
  return EXIT.done;
}

/** What Zoho tells of the allowance, and when it did, ISO 8601: an answer is asked for once a minute at most. */
function askedAllowance(
  session: Session,
): () => Promise<{ readonly allowance: Allowance; readonly asked: string } | null> {
  const allowanceOf = quickAllowance(session);
  return async () => {
    const allowance = await allowanceOf();
    if (allowance === null) return null;
    const { value, nowMs } = await session.engine.store.document<RememberedAllowance>('allowance').read();
    return { allowance, asked: new Date(value?.atMs ?? nowMs).toISOString() };
  };
}

const WATCHED = 'Ctrl-C ends this.';

/** What fits the screen, from the top: that is where a stop is. */
function firstLines(text: string): string {
  return wrapped(asStarted(text), process.stdout)
    .split('\n')
    .slice(0, Math.max(1, process.stdout.rows - 1))
    .join('\n');
}

function textOf(
  { queue, uncertain, held, stop, look, without, allowance, allowanceAsked, budget, reserve, file }: Status,
  name: string | undefined,
): string {
  const parts = [
    stop === null ? 'Not stopped.' : stopText(stop),
    `Queue\n${table([
      ['  waiting', queue.waiting],
      ['  active', queue.active],
      ['  delayed', queue.delayed],
      ['  submitted', queue.completed],
      ['  failed', queue.failed],
      ['  uncertain', uncertain],
      ['  held', held],
    ])}`,
  ];
  if (look !== undefined) parts.push(lookText(look));
  if (without !== undefined)
    parts.push(`Rows go without ${without.join(' and ')}, until \`npm run resume -- --with ${without.join(',')}\`.`);
  if (allowance !== null) parts.push(allowanceLine(allowance, allowanceAsked));
  if (budget !== null) parts.push(budgetLine(budget));
  if (reserve !== undefined) parts.push(reserveLine(reserve));
  if (file !== undefined) parts.push(`${name}\n${fileTable(file)}`);
  return parts.join('\n\n');
}

function lookText({ since, orphans, asked, secondsLeft }: NonNullable<Status['look']>): string {
  const begun = `Nothing is sent: the store may have lost writes, and Zoho's list is being read since ${moment(Date.parse(since))}.`;
  if (orphans === null || asked === null) return begun;
  const left = secondsLeft === null ? '' : `, about ${formatDuration(secondsLeft)} left`;
  return `${begun}\n${asked} of ${orphans} enrichments that no row owns were asked for${left}. An export of the ledger saves the rest: \`npm run ledger import\`.`;
}

/** A pause is meant, and no alarm. */
function stopText({ code, message, since, nextTry }: NonNullable<Status['stop']>): string {
  const colours = coloursOf(process.stdout);
  const paint = code === 'PAUSED' ? colours.yellow : (text: string) => colours.bold(colours.red(text));
  const line = paint(`STOPPED since ${moment(Date.parse(since))} (${code}): ${message}`);
  return nextTry === undefined
    ? line
    : `${line}\n${code === 'RESERVE_REACHED' ? 'The workers ask Zoho again what is left at' : 'The workers try again by themselves, one row first, at'} ${moment(Date.parse(nextTry))}.`;
}
