import type { Command } from 'commander';
import { formatCount } from '../lib/core/format.js';
import { type Bought, boughtWords, columnWords, percent } from '../reports/bought.js';
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

function documentOf(path: string, { counts, reasons, bought }: FileReport) {
  const { enrichmentsUsed, companies, fill } = bought;
  const columns = Object.fromEntries(fill.map((each) => [each.column, each.companies]));
  return { path, file: counts, reasons, enrichmentsUsed, companies, columns };
}

function textOf(path: string, report: FileReport): string {
  const { bought } = report;
  const fill = bought.companies === 0 ? 'No row is enriched yet.' : `${boughtWords(bought)}\n${fillBars(bought)}`;
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
function fillBars({ companies: all, fill }: Bought): string {
  const labels = fill.map(({ column }) => columnWords(column));
  const width = Math.max(...labels.map((label) => label.length));
  const bar = Math.max(8, Math.min(MAX_BAR, widthOf(process.stdout) - width - 20));
  return fill
    .map(({ companies }, at) => {
      const share = companies / all;
      const filled = Math.round(share * bar);
      const numbers = `${percent(share).padStart(4)}  ${formatCount(companies)}`;
      return `  ${padded(labels[at] ?? '', width)}  ${'█'.repeat(filled)}${'░'.repeat(bar - filled)} ${numbers}`;
    })
    .join('\n');
}

/** How full the fullest columns are, in a line: `industry 100%, phone 92%, …`. */
export function fillLine({ companies: all, fill }: Bought, columns: number): string {
  const shown = fill
    .slice(0, columns)
    .map(({ column, companies }) => `${columnWords(column)} ${percent(companies / all)}`);
  return `${shown.join(', ')}${fill.length > columns ? ', …' : ''}`;
}
