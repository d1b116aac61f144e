import type { Command } from 'commander';
import { formatCount } from '../lib/core/format.js';
import { type FileReport, fileReport } from '../reports/file-report.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { fileTable } from './file-table.js';
import { type InputFlags, withInput } from './input.js';
import { addInputFlags, engineFlag, example, jsonFlag } from './options.js';
import { OUTCOME_WORDS } from './outcome-words.js';
import { withSession } from './session.js';
import { padded, printResult, widthOf } from './terminal.js';

interface Flags extends InputFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `report`: what the money brought. Changes nothing. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'the CSV file that was enqueued; - reads stdin')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run report accounts.csv', 'npm run -s report accounts.csv -- --json');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    return withSession({ engine: flags.engine, kind: 'question', file }, (session) =>
      withInput(session, file, flags, async (file) => {
        const report = await fileReport(file);
        const { path } = file.source;
        printResult(flags.json ?? false, documentOf(path, report), () => textOf(path, report));
        return EXIT.done;
      }),
    );
  };
}

function documentOf(path: string, { counts, reasons, fill }: FileReport) {
  const columns = Object.fromEntries(fill.map(({ column, rows }) => [column, rows]));
  return { path, file: counts, reasons, columns };
}

function textOf(path: string, report: FileReport): string {
  const { enriched } = report.counts;
  const fill =
    enriched === 0
      ? 'No row is enriched yet.'
      : `Of ${formatCount(enriched)} enriched rows have a value\n${fillBars(report)}`;
  return [`${path}\n${fileTable(report.counts)}`, reasonLines(report), fill].filter(Boolean).join('\n\n');
}

/** Why rows have no result, a line for each code; empty when there is nothing to tell. */
export function reasonLines({ reasons }: Pick<FileReport, 'reasons'>): string {
  if (reasons.length === 0) return '';
  const lines = reasons.map(({ status, code, rows }) => `  ${formatCount(rows)} ${OUTCOME_WORDS[status]}: ${code}`);
  return ['Without result, and why', ...lines].join('\n');
}

const MAX_BAR = 40;

/** A bar for each column that Zia fills. */
function fillBars({ counts, fill }: FileReport): string {
  const labels = fill.map(({ column }) => columnWords(column));
  const width = Math.max(...labels.map((label) => label.length));
  const bar = Math.max(8, Math.min(MAX_BAR, widthOf(process.stdout) - width - 20));
  return fill
    .map(({ rows }, at) => {
      const share = rows / counts.enriched;
      const filled = Math.round(share * bar);
      const numbers = `${percent(share).padStart(4)}  ${formatCount(rows)}`;
      return `  ${padded(labels[at] ?? '', width)}  ${'█'.repeat(filled)}${'░'.repeat(bar - filled)} ${numbers}`;
    })
    .join('\n');
}

/** How full the fullest columns are, in a line: `industry 100%, phone 92%, …`. */
export function fillLine({ counts, fill }: FileReport, columns: number): string {
  const shown = fill
    .slice(0, columns)
    .map(({ column, rows }) => `${columnWords(column)} ${percent(rows / counts.enriched)}`);
  return `${shown.join(', ')}${fill.length > columns ? ', …' : ''}`;
}

/** `zia_org_type` is `org type`. */
function columnWords(column: string): string {
  return column.replace(/^zia_/, '').replaceAll('_', ' ');
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
