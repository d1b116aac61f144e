import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseAge } from '../lib/core/age.js';
import { ONE_PER, type OnePer } from '../lib/core/other-columns.js';
import { KEEPABLE, type Keepable } from '../lib/core/row.js';
import { asStarted } from '../lib/invocation.js';
import { PRIORITIES } from '../lib/queues.js';
import { ROW_STATUSES, type RowStatus } from '../reports/row-outcome.js';

/** Flags that several commands share. They have no defaults: an absent flag leaves the environment's say. */
export const engineFlag = (): Option =>
  new Option('--engine <engine>', 'confirm a change of engine or store').choices(['redis', 'embedded']);

export const jsonFlag = (): Option => new Option('--json', 'print one JSON document');

const mapFlag = (): Option =>
  new Option(
    '--map <field=header>',
    'use this column for a field (name, email, website, record_id), `field=#3` the third; `field=` leaves it out; repeatable',
  ).argParser<readonly string[]>((text, soFar = []) => [...soFar, text]);

/** The flags of all commands that read a file. */
export function addInputFlags(command: Command): Command {
  return command
    .addOption(mapFlag())
    .option('--encoding <name>', 'read the file in this encoding, such as windows-1252, instead of the one found')
    .option('--header-line <n>', 'the header is on this line; those above it are left out', wholeNumber(1))
    .addOption(keepFlag());
}

const keepFlag = (): Option =>
  new Option(
    '--keep <values>',
    'use placeholders, or values on shared-hosts, all the same; nothing ends what was said before; repeatable',
  ).argParser<readonly Keepable[]>((text, soFar = []) => {
    if (text === 'nothing') return [];
    const kept = KEEPABLE.find((one) => one === text);
    if (kept === undefined) throw new InvalidArgumentError(`Expected ${KEEPABLE.join(', ')} or nothing.`);
    return [...soFar, kept];
  });

export const priorityFlag = (): Option =>
  new Option('--priority <priority>', 'before all rows that wait (high), or after them (low)').choices([...PRIORITIES]);

/** What `addNewRowFlags` adds, as parsed. */
export interface NewRowFlags {
  readonly again?: boolean;
  readonly refreshAfter?: number;
  readonly onePer?: OnePer;
}

/** Which rows of a file are new: of the commands that queue rows, and of `plan`. */
export function addNewRowFlags(command: Command): Command {
  return command
    .option('--again', 'pay again for rows that were sent under other columns; never for one sent under these')
    .addOption(
      new Option('--refresh-after <age>', 'pay again for rows whose result is older than this, such as 180d').argParser(
        age,
      ),
    )
    .addOption(
      new Option('--one-per <what>', 'of the rows that share it, take the first; the others get its result').choices([
        ...ONE_PER,
      ]),
    );
}

export const yesFlag = (): Option => new Option('-y, --yes', 'on a terminal, do not ask before rows are queued');

/** A whole number of at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
  };
}

/** An age such as `180d`, in milliseconds. */
export function age(text: string): number {
  const ageMs = parseAge(text);
  if (ageMs !== null) return ageMs;
  throw new InvalidArgumentError('Expected a number of days, such as 180d, or of hours (12h) or weeks (4w).');
}

/** Outcomes set apart by commas. */
export function statusList(text: string): readonly RowStatus[] {
  const names = text.split(',').map((name) => name.trim());
  const known = ROW_STATUSES.filter((status) => names.includes(status));
  if (known.length === new Set(names).size) return known;
  throw new InvalidArgumentError(`Expected one or more of ${ROW_STATUSES.join(', ')}, separated by commas.`);
}

export function example(command: Command, ...lines: readonly string[]): void {
  const plural = lines.length === 1 ? 'Example' : 'Examples';
  command.addHelpText('after', `\n${plural}:\n${lines.map((line) => `  ${asStarted(line)}`).join('\n')}`);
}
