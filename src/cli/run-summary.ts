import { formatCount, formatRows } from '../lib/core/format.js';
import type { EnqueueReport } from '../producers/csv-producer.js';
import { boughtWords } from '../reports/bought.js';
import type { ExportReport } from '../reports/export-file.js';
import type { FileCounts } from '../reports/file-counts.js';
import type { WorkerReport } from '../workers/watch-queue.js';
import { fileTable } from './file-table.js';
import { quoted } from './npm.js';
import { fillLine, reasonLines } from './report.js';
import { coloursOf } from './terminal.js';
import { workSummary } from './worker.js';

/** What one run did: `enqueue` is null with `--limit 0`, `export` when it was interrupted before. */
export interface RunReport {
  readonly enqueue: EnqueueReport | null;
  readonly work: WorkerReport;
  readonly export: ExportReport | null;
}

export interface RunWords {
  /** The file as it was typed. */
  readonly file: string;
  /** The command that finishes what the run began. */
  readonly finishing: string;
}

const COLUMNS_TOLD = 6;

/** How a run ended: what happened, why rows have no result, how full the columns are, what to do next. */
export function runSummary({ work, export: exported }: RunReport, words: RunWords): string {
  if (exported === null) return workSummary(work);
  const { out, counts, kept, bought } = exported;
  return [
    workSummary(work),
    '',
    out,
    fileTable(counts),
    ...(kept === null ? [] : [keptLine(out, kept.path, kept.enriched, counts)]),
    ...[reasonLines(exported)].filter(Boolean).map((lines) => `\n${lines}`),
    ...(bought.companies === 0 ? [] : [`\n${boughtWords(bought)}: ${fillLine(bought, COLUMNS_TOLD)}`]),
    ...nextSteps(work.ended === 'stopped', counts, words),
  ].join('\n');
}

export function keptLine(out: string, path: string, enriched: number, counts: FileCounts): string {
  return `The ${out} that was there had ${formatRows(enriched)} enriched, this one has ${formatCount(counts.enriched)}: the old one was kept as ${path}.`;
}

/** The most pressing first. */
function nextSteps(isStopped: boolean, counts: FileCounts, { file, finishing }: RunWords): readonly string[] {
  const { bold } = coloursOf(process.stdout);
  const name = quoted(file);
  const steps: (readonly [when: boolean, why: string, command: string])[] = [
    [isStopped, 'Once the cause of the stop is gone', 'npm run resume'],
    [isStopped || counts.waiting + counts.submitted > 0, 'To finish', finishing],
    [counts.uncertain > 0, `${formatRows(counts.uncertain)} uncertain`, `npm run rows ${name} -- --status uncertain`],
    [counts.failed > 0, `${formatRows(counts.failed)} failed`, `npm run rows ${name} -- --status failed`],
    [counts.rejected > 0, `${formatRows(counts.rejected)} rejected`, `npm run rows ${name} -- --status rejected`],
    [counts.notEnqueued > 0, `${formatRows(counts.notEnqueued)} not queued yet`, `npm start -- ${name}`],
    [counts.enriched > 0, 'How full each column is', `npm run report ${name}`],
  ];
  const needed = steps.filter(([when]) => when).map(([, why, command]) => `  ${why}: ${bold(command)}`);
  return needed.length === 0 ? [] : ['\nNext', ...needed];
}
