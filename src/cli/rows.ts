import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatCount, formatRows as rowsOf } from '../lib/core/format.js';
import { RESULT_COLUMNS, resultCells } from '../lib/core/result-columns.js';
import type { Input } from '../lib/csv/with-input.js';
import { columnWords } from '../reports/bought.js';
import { type ListedRow, listRows } from '../reports/list-rows.js';
import type { RowChoice } from '../reports/row-choice.js';
import { outcomeDocument, type RowOutcome, type RowStatus } from '../reports/row-outcome.js';
import { writeTo } from '../reports/write-file.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, withInput } from './input.js';
import { addInputFlags, engineFlag, example, jsonFlag, statusList, wholeNumber } from './options.js';
import { OUTCOME_WORDS } from './outcome-words.js';
import { type Session, withSession } from './session.js';
import { grid, note, printResult, widthOf } from './terminal.js';

interface Flags extends InputFlags {
  readonly status?: readonly RowStatus[];
  readonly search?: string;
  readonly code?: string;
  /** A column of the export. */
  readonly without?: string;
  readonly limit?: number;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** As many as a person looks at. */
const SHOWN = 100;

/** `rows`: the rows of a file as a table. Changes nothing. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'the CSV file that was enqueued; - reads stdin')
    .addOption(
      new Option('--status <outcomes>', 'only rows with these outcomes, such as failed,rejected').argParser(statusList),
    )
    .option('--search <text>', 'only rows with this text in name, email, website or record id')
    .option('--code <code>', 'only rows with this error code, such as ENRICHMENT_FAILED')
    .addOption(
      new Option('--without <column>', 'only enriched rows without this, such as phone').argParser(resultColumn),
    )
    .option('--limit <n>', `at most so many rows (${SHOWN}; with --json all)`, wholeNumber(1))
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run rows accounts.csv', 'npm run rows accounts.csv -- --status failed --search acme');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    return withSession({ engine: flags.engine, kind: 'question', file }, (session) =>
      withInput(session, file, flags, (file) => list(session, file, flags)),
    );
  };
}

/** `phone`, `zia_phone` or `postal code`. */
function resultColumn(text: string): string {
  const wanted = `zia_${text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_')
    .replace(/^zia_/, '')}`;
  if (RESULT_COLUMNS.includes(wanted)) return wanted;
  throw new InvalidArgumentError(`Expected one of ${RESULT_COLUMNS.map(columnWords).join(', ')}.`);
}

async function list({ shutdown }: Session, file: Input, flags: Flags): Promise<number> {
  const { status: statuses, search, code, without } = flags;
  const choice: RowChoice = { statuses, search, code, without };
  if (flags.json) {
    await writeTo({ kind: 'stdout' }, document(file, choice, flags.limit), { signal: shutdown.signal });
    return EXIT.done;
  }
  const limit = flags.limit ?? SHOWN;
  const shown: ListedRow[] = [];
  let matched = 0;
  for await (const row of listRows(file, choice)) {
    shutdown.signal.throwIfAborted();
    matched += 1;
    if (shown.length < limit) shown.push(row);
  }
  if (matched === 0) note('No row matches.');
  else printResult(false, null, () => tableOf(shown));
  if (matched > shown.length) note(`${formatCount(shown.length)} of ${rowsOf(matched)} shown; --limit shows more.`);
  return EXIT.done;
}

/** Row by row, because a file may have a million. */
async function* document(file: Input, choice: RowChoice, limit = Number.POSITIVE_INFINITY) {
  let matched = 0;
  yield `{"file":${JSON.stringify(file.source.path)},"rows":[`;
  for await (const row of listRows(file, choice)) {
    matched += 1;
    if (matched <= limit) yield `${matched === 1 ? '' : ','}${JSON.stringify(rowDocument(row))}`;
  }
  yield `],"matched":${matched}}\n`;
}

function rowDocument({ line, key, values, outcome }: ListedRow) {
  return { line, key: key ?? null, values, ...outcomeDocument(outcome) };
}

function tableOf(listed: readonly ListedRow[]): string {
  const columns = [
    { title: 'Line', min: 4 },
    { title: 'Company', min: 8 },
    { title: 'Website', min: 8 },
    { title: 'Outcome', min: 8 },
    { title: 'Details', min: 8 },
  ];
  const records = listed.map(({ line, values, outcome }) => [
    String(line),
    oneLine(values.name ?? ''),
    oneLine(values.website ?? values.email ?? values.recordId ?? ''),
    OUTCOME_WORDS[outcome.status],
    oneLine(details(outcome)),
  ]);
  return grid(columns, records, widthOf(process.stdout));
}

/** Why there is no result, or the first things that Zia found. */
function details({ error, data, notes }: RowOutcome): string {
  if (error !== undefined) return error.code;
  if (data === undefined) return notes.join('; ');
  const cells = resultCells(data);
  const cell = (column: string) => cells[RESULT_COLUMNS.indexOf(column)] ?? '';
  return ['zia_industry', 'zia_city', 'zia_phone'].map(cell).filter(Boolean).join(' · ');
}

/** A cell with a line break, or with what a terminal would take for a command, must not leave its place in the table. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
