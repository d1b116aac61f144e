import { join, parse } from 'node:path';
import { resultCells } from '../lib/core/result-columns.js';
import { createFirstLines, type FirstLines } from '../lib/csv/first-lines.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createWriter, type ExportFormat } from './export-writer.js';
import { createReportTally, type FileReport, type ReportTally } from './file-report.js';
import { type KeptExport, keepBetter } from './keep-better.js';
import type { RowOutcome, RowStatus } from './row-outcome.js';
import { resolveTarget, writeTo } from './write-file.js';

/** What every export can be told. */
export interface ExportChoices {
  /** The file to write, `-` for stdout; a name of its own when absent, see `exportPathOf`. */
  readonly out?: string | undefined;
  /** Default `csv`. */
  readonly format?: ExportFormat | undefined;
  /** Write only rows with one of these outcomes; all are counted all the same. */
  readonly only?: readonly RowStatus[] | undefined;
  /** Ends the export early and leaves no file behind. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each chunk with the rows done so far. */
  readonly onProgress?: ((rows: number) => void) | undefined;
}

export interface ExportOptions extends Input, ExportChoices {}

/** What was written, and what all rows came to, the ones left out included. */
export interface ExportReport extends FileReport {
  /** As given, or the path chosen; `-` for stdout. */
  readonly out: string;
  /** Rows in the export; fewer than counted when `only` was given. */
  readonly written: number;
  /** An earlier export that knew more and was kept under another name; null when nothing was lost. */
  readonly kept: KeptExport | null;
}

/**
 * Where an export goes by default: `accounts.zia.csv` beside `accounts.csv`, `accounts.zia.failed-rejected.csv` for some
 * outcomes only; stdout for standard input.
 */
export function exportPathOf(input: string, { format = 'csv', only = [] }: ExportChoices = {}): string {
  if (input === '-') return '-';
  const { dir, name, ext } = parse(input);
  const part = only.length === 0 ? '' : `.${only.join('-')}`;
  return join(dir, `${name}.zia${part}${format === 'ndjson' ? '.ndjson' : ext || '.csv'}`);
}

/**
 * Where an export of `path` goes; `input` is null for standard input. Throws `UsageError` when that is the input or cannot
 * be written: whoever pays first asks before.
 */
export async function exportTarget(path: string, choices: ExportChoices) {
  const out = choices.out ?? exportPathOf(path, choices);
  const input = path === '-' ? null : path;
  return { out, input, target: await resolveTarget(out, input, { named: choices.out !== undefined }) };
}

/**
 * Writes the input file with the outcome of each row added: every row once, in input order, its own cells byte for byte,
 * as UTF-8. The file appears complete or not at all; doing it again replaces it, unless the old one has more
 * enriched rows: then that one is kept beside it. Throws `UsageError` when `out` is the
 * input or cannot be written, and when the input changes meanwhile.
 */
export async function exportFile(options: ExportOptions): Promise<ExportReport> {
  const { source } = options;
  const { out, input, target } = await exportTarget(source.path, options);
  const tally = createReportTally();
  const counted = { written: 0 };
  let kept: KeptExport | null = null;
  await writeTo(target, exportText(options, tally, counted), {
    signal: options.signal,
    like: input,
    beforeMove: async (path) => {
      if (options.only === undefined) kept = await keepBetter(path, tally.report().counts, options.format ?? 'csv');
    },
  });
  return { out, ...counted, kept, ...tally.report() };
}

async function* exportText(
  options: ExportOptions,
  tally: ReportTally,
  counted: { written: number },
): AsyncGenerator<string> {
  const { source, onProgress, only } = options;
  const writer = createWriter(options.format ?? 'csv', {
    ...pick(source),
    // Excel takes UTF-8 without a mark for an old code page: a file that was not UTF-8 gets one, or its accents would break.
    marked: source.bom || source.encoding !== 'utf-8',
  });
  const firstLines = createFirstLines(source.rowCount);
  yield writer.head;
  let done = 0;
  for await (const { rows, outcomes } of withOutcomes(options, { withData: true })) {
    const texts = rows.flatMap((row, at) => {
      const outcome = withRepeatNote(outcomes[at], row, firstLines);
      const found = resultCells(outcome.data);
      tally.add(row.key, outcome, found);
      return only === undefined || only.includes(outcome.status) ? [writer.record(row, outcome, found)] : [];
    });
    counted.written += texts.length;
    yield texts.join('');
    done += rows.length;
    onProgress?.(done);
  }
}

function pick({ headers, headerRaw, width, delimiter, lineEnd }: Input['source']) {
  return { headers, headerRaw, width, delimiter, lineEnd };
}

function withRepeatNote(
  outcome: RowOutcome | undefined,
  { key, lineNumber }: FileRow,
  firstLines: FirstLines,
): RowOutcome {
  if (outcome === undefined) throw new Error('A row of the chunk has no outcome.');
  const first = key === undefined ? null : firstLines.seenOn(key, lineNumber);
  return first === null ? outcome : { ...outcome, notes: [`repeats line ${first}`, ...outcome.notes] };
}
