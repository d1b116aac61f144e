import { type Command, Option } from 'commander';
import { formatCount, formatRows } from '../lib/core/format.js';
import { UsageError } from '../lib/errors.js';
import { forgetRows } from '../producers/forget-rows.js';
import { forgetValue } from '../producers/forget-value.js';
import type { ForgetReport } from '../producers/forgetting.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, withInput } from './input.js';
import { addInputFlags, age, engineFlag, example, jsonFlag } from './options.js';
import { createProgress } from './progress.js';
import { canAsk, confirmed } from './prompt.js';
import { type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

interface Flags extends InputFlags {
  readonly value?: string;
  readonly olderThan?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

const UNCHANGED = 'Nothing was forgotten.';

/** `forget`: erases what the store knows of a file's rows, or of the rows with a value. */
export function define(command: Command): Run {
  command
    .argument('[file]', 'the CSV file whose rows are forgotten; - reads stdin')
    .addOption(new Option('--value <text>', 'instead of a file: all rows with this name, email or website'))
    .addOption(
      new Option('--older-than <age>', 'only rows that finished before so long ago, such as 180d').argParser(age),
    )
    .addOption(new Option('-y, --yes', 'do not ask'))
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(
    command,
    'npm run forget accounts.csv',
    'npm run forget accounts.csv -- --older-than 180d --yes',
    'npm run forget -- --value info@acme.example',
  );
  return () => {
    const flags: Flags = command.opts();
    const what = targetOf(command.args[0], flags);
    const file = 'file' in what ? what.file : undefined;
    return withSession({ engine: flags.engine, kind: 'producer', file }, (session) => run(session, what, flags));
  };
}

type Target = { readonly file: string } | { readonly value: string };

function targetOf(file: string | undefined, { value, yes = false }: Flags): Target {
  if ((file === undefined) === (value === undefined))
    throw new UsageError('FORGET_WHAT', 'Say what to forget: a file, or --value with a name, an email or a website.');
  if (value !== undefined && value.trim().length < MIN_VALUE)
    throw new UsageError('FORGET_WHAT', `The value is shorter than ${MIN_VALUE} characters; give the whole of it.`);
  if (!yes && (file === '-' || !canAsk()))
    throw new UsageError('FORGET_UNASKED', 'Forgetting cannot be undone and nobody can be asked here: add --yes.');
  return value === undefined ? { file: file ?? '-' } : { value };
}

const MIN_VALUE = 3;

async function run(session: Session, what: Target, flags: Flags): Promise<number> {
  const name = 'file' in what ? what.file : 'The value';
  if (!flags.yes) {
    const found = await forget(session, what, flags, true);
    note(findings(name, found));
    if (found.forgotten + found.orphans === 0) return done(found, name, flags);
    note(`It cannot be undone, and rows that are queued again are paid for again. ${NOT_REACHED}`);
    const question = `Forget ${formatRows(found.forgotten)}?`;
    if (!(await confirmed(question, session.shutdown.signal, UNCHANGED))) {
      note(UNCHANGED);
      return EXIT.failed;
    }
  }
  return done(await forget(session, what, flags, false), name, flags);
}

const NOT_REACHED =
  'Backups, logs, rejects files, exports, uploads and the file itself are not reached: see to them yourself.';

async function forget(session: Session, what: Target, flags: Flags, dryRun: boolean): Promise<ForgetReport> {
  const { engine, shutdown } = session;
  const progress = createProgress(dryRun ? 'looking' : 'forget');
  const choice = { olderThanMs: flags.olderThan, dryRun, signal: shutdown.signal };
  try {
    if ('value' in what) {
      const queue = engine.openQueue();
      try {
        return await forgetValue({ ...choice, value: what.value, engine, queue });
      } finally {
        await queue.close();
      }
    }
    return await withInput(session, what.file, flags, (input) =>
      forgetRows({ ...input, ...choice, onProgress: ({ rows, total }) => progress.update(rows, total) }),
    );
  } finally {
    progress.stop();
  }
}

function done(report: ForgetReport, name: string, { json = false, value }: Flags): number {
  const document = { file: value === undefined ? name : null, ...report };
  printResult(json, document, () => `${summary(name, report)}\n${NOT_REACHED}`);
  return report.left > 0 ? EXIT.rowsLeftOut : EXIT.done;
}

function findings(name: string, { rows, forgotten, ...others }: ForgetReport): string {
  return [
    `${name}: ${formatRows(rows)}, of which ${formatCount(forgotten)} are known here and would be forgotten.`,
    ...stay(others),
  ].join('\n');
}

function summary(name: string, { rows: _rows, forgotten, ...others }: ForgetReport): string {
  return [`${name}: ${formatRows(forgotten)} forgotten.`, ...stay(others)].join('\n');
}

function stay({ left, kept, orphans }: Omit<ForgetReport, 'rows' | 'forgotten'>): readonly string[] {
  return [
    ...(left === 0
      ? []
      : [
          `${formatRows(left)} left: being sent, or uncertain. Let a worker finish them, or decide (npm run retry -- --uncertain), then run this again.`,
        ]),
    ...(kept === 0 ? [] : [`${formatRows(kept)} kept: they had not finished so long ago.`]),
    ...(orphans === 0
      ? []
      : [
          `${formatCount(orphans)} ${orphans === 1 ? 'enrichment' : 'enrichments'} at Zoho without a row here, as well.`,
        ]),
  ];
}
