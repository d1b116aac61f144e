import { type Command, InvalidArgumentError } from 'commander';
import { formatCount } from '../lib/core/format.js';
import { UsageError } from '../lib/errors.js';
import { rememberPulled } from '../lib/pulled-files.js';
import { hasPartialFile } from '../producers/partial-file.js';
import { type PullReport, pullRecords } from '../producers/pull-records.js';
import { resolveTarget } from '../reports/write-file.js';
import type { Run } from './command.js';
import { openQueries } from './crm-queries.js';
import { EXIT } from './exit-codes.js';
import { typedPath } from './input.js';
import { engineFlag, example, jsonFlag, wholeNumber } from './options.js';
import { createProgress } from './progress.js';
import { type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

interface Flags {
  readonly out: string;
  readonly module?: string;
  readonly missing?: readonly string[];
  readonly where?: string;
  readonly enrichedBefore?: number;
  readonly fields?: readonly string[];
  readonly limit?: number;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `pull`: accounts of the CRM that lack data, as a CSV file for the other commands. Changes nothing in the CRM. */
export function define(command: Command): Run {
  command
    .requiredOption('--out <file>', 'the CSV file to write')
    .option(
      '--missing <field>',
      'only records without a value in this field, by its API name; repeatable: any of them',
      apiNames,
    )
    .option('--where <condition>', 'a condition of your own in COQL, such as "Billing_Country = \'Germany\'"')
    .option('--enriched-before <when>', 'records enriched before then, to enrich them again: 180d, or a date', pastTime)
    .option('--fields <field>', 'more columns, by API names, separated by commas; repeatable', apiNames)
    .option('--limit <n>', 'at most so many records', wholeNumber(1))
    .option('--module <module>', 'the CRM module (ZIA_MODULE)', moduleName)
    .option('--resume', 'go on with a pull that was interrupted')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(
    command,
    'npm run pull -- --out accounts.csv --missing Industry',
    'npm run pull -- --out germany.csv --missing Phone --where "Billing_Country = \'Germany\'" --limit 500',
    'npm run pull -- --out old.csv --enriched-before 180d',
  );
  return () => {
    const flags: Flags = command.opts();
    const interrupted = 'Interrupted. The same command with --resume goes on where it was.';
    return withSession({ engine: flags.engine, kind: 'batch', needsAccount: true, interrupted }, (session) =>
      run(session, flags),
    );
  };
}

async function run(session: Session, flags: Flags): Promise<number> {
  const report = await pull(session, flags);
  await rememberPulled(session.engine.store, report.out, report.module);
  printResult(flags.json ?? false, report, () => summary(report));
  return EXIT.done;
}

async function pull(session: Session, flags: Flags): Promise<PullReport> {
  const target = await resolveTarget(typedPath(flags.out), null);
  if (target.kind !== 'file') {
    throw new UsageError('PULL_NEEDS_FILE', 'pull writes a file that it can go on with: give --out the name of one.');
  }
  const module = flags.module ?? session.config.work.module;
  if (flags.resume !== true && (await hasPartialFile(target.path))) {
    note('An interrupted pull of this file is there; it is begun anew (--resume goes on with it).');
  }
  const progress = createProgress('pull');
  try {
    return await pullRecords({
      queries: await openQueries(session, module),
      choice: {
        module,
        missing: flags.missing ?? [],
        where: flags.where?.trim() || null,
        enrichedBeforeMs: flags.enrichedBefore ?? null,
        fields: flags.fields ?? [],
      },
      out: target.path,
      limit: flags.limit ?? null,
      resume: flags.resume ?? false,
      onProgress: (records, total) => progress.update(records, total),
      onNote: note,
      signal: session.shutdown.signal,
    });
  } finally {
    progress.stop();
  }
}

function summary({ out, module, records, credits }: PullReport): string {
  return [
    `${out}: ${formatCount(records)} ${records === 1 ? 'record' : 'records'} of ${module}, for ${formatCount(credits)} API ${credits === 1 ? 'credit' : 'credits'}; no enrichment was used.`,
    ...(records === 0 ? ['No record lacks what you asked for.'] : []),
  ].join('\n');
}

const API_NAME = /^[A-Za-z][\w.]{0,99}$/;

function apiNames(text: string, soFar: readonly string[] = []): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => API_NAME.test(name))) return [...soFar, ...names.filter((name) => !soFar.includes(name))];
  throw new InvalidArgumentError('Expected API names of fields, such as Industry or Billing_City.');
}

function moduleName(text: string): string {
  if (/^[A-Za-z]\w{0,99}$/.test(text)) return text;
  throw new InvalidArgumentError('Expected the API name of a module, such as Accounts.');
}

/** A time in the past as epoch milliseconds. */
function pastTime(text: string): number {
  const days = /^(\d{1,5})d$/.exec(text.trim())?.[1];
  const ms = days === undefined ? dateMs(text.trim()) : Date.now() - Number(days) * 86_400_000;
  if (ms <= Date.now()) return ms;
  throw new InvalidArgumentError('Expected days, such as 180d, or a date in the past, such as 2026-01-31.');
}

function dateMs(text: string): number {
  return /^\d{4}-\d\d-\d\d([T ].*)?$/.test(text) ? Date.parse(text) : Number.NaN;
}
