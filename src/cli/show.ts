import { type Command, InvalidArgumentError } from 'commander';
import { formatCount } from '../lib/core/format.js';
import type { SentFields } from '../lib/core/ledger.js';
import type { Input } from '../lib/csv/with-input.js';
import { type RowDetail, rowDetail } from '../reports/row-detail.js';
import { outcomeDocument } from '../reports/row-outcome.js';
import type { RowEvent } from '../reports/row-record.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, withInput } from './input.js';
import { moment } from './moment.js';
import { addInputFlags, engineFlag, example, jsonFlag } from './options.js';
import { OUTCOME_WORDS } from './outcome-words.js';
import { type Session, withSession } from './session.js';
import { printResult, table } from './terminal.js';

interface Flags extends InputFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

interface Place {
  readonly path: string;
  readonly line: number;
}

/** `show`: all that is known of one row of a file. Changes nothing. */
export function define(command: Command): Run {
  let place: Place | null = null;
  command
    .argument('<file:line>', 'the CSV file that was enqueued and a line of it, such as accounts.csv:26', (text) => {
      place = placeOf(text);
      return text;
    })
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run show accounts.csv:26', 'npm run -s show accounts.csv:26 -- --json');
  return () => {
    const flags: Flags = command.opts();
    if (place === null) throw new Error('The argument is required.');
    const { path, line } = place;
    return withSession({ engine: flags.engine, kind: 'question', file: path }, (session) =>
      withInput(session, path, flags, (file) => show(session, file, line, flags)),
    );
  };
}

function placeOf(text: string): Place {
  const [, path, line] = /^(.+):(\d{1,9})$/.exec(text) ?? [];
  if (path !== undefined && line !== undefined) return { path, line: Number(line) };
  throw new InvalidArgumentError('Expected a file and a line, such as accounts.csv:26.');
}

async function show({ engine }: Session, file: Input, line: number, { json = false }: Flags): Promise<number> {
  const queue = engine.openQueue();
  try {
    const detail = await rowDetail(file, queue, line);
    const path = file.source.path;
    printResult(json, documentOf(path, detail), () => textOf(path, detail));
    return EXIT.done;
  } finally {
    await queue.close();
  }
}

function documentOf(file: string, { outcome, parsed, history, ...detail }: RowDetail) {
  return {
    file,
    ...detail,
    row: parsed.ok ? parsed.row : null,
    ...outcomeDocument(outcome),
    history: history.map(({ event, atMs }) => ({ event, at: new Date(atMs).toISOString() })),
  };
}

const EVENTS: Readonly<Record<RowEvent['event'], string>> = {
  queued: 'queued',
  sent: 'sent to Zoho',
  accepted: 'accepted by Zoho',
  failed: 'failed',
  result: 'result collected',
};

function textOf(path: string, detail: RowDetail): string {
  const { outcome, line, repeats, record, sent, sends, found, history } = detail;
  const { error, notes, enrichmentId } = outcome;
  const title = `${path} line ${line}: ${OUTCOME_WORDS[outcome.status]}${error === undefined ? '' : ` (${error.code})`}`;
  const remarks = [
    ...(error === undefined ? [] : [error.message]),
    ...(repeats === null ? [] : [`It repeats line ${repeats}, so both are one row.`]),
    ...notes.map((text) => `Note: ${text}.`),
  ];
  return [
    [title, ...remarks].join('\n'),
    section(
      'In the file',
      record.map(({ column, value }) => [column, value]),
    ),
    sent === null
      ? 'Never sent to Zoho.'
      : section(`Sent to Zoho${sends > 1 ? `, ${formatCount(sends)} times` : ''}`, sentPairs(sent, enrichmentId)),
    section(
      'What Zia found',
      found.map(({ column, value }) => [column.replace(/^zia_/, '').replaceAll('_', ' '), value]),
    ),
    section(
      'What happened',
      history.map(({ event, atMs }) => [EVENTS[event], moment(atMs)]),
    ),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function sentPairs(sent: SentFields, enrichmentId: string | undefined): (readonly [string, string])[] {
  const values = [
    ['module', sent.module],
    ['record id', sent.recordId],
    ['name', sent.name],
    ['email', sent.email],
    ['website', sent.website],
    ['enrichment id', enrichmentId],
  ] as const;
  return values.flatMap(([label, value]) => (value === undefined ? [] : [[label, value] as const]));
}

/** Control characters of a cell must not reach the terminal. */
function section(title: string, pairs: readonly (readonly [label: string, value: string])[]): string {
  if (pairs.length === 0) return '';
  const clean = (text: string) => text.replace(/\p{Cc}+/gu, ' ');
  return `${title}\n${table(pairs.map(([label, value]) => [`  ${clean(label)}`, clean(value)]))}`;
}
