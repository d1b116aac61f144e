import { join, parse } from 'node:path';
import { createFirstLines, type FirstLines } from '../lib/csv/first-lines.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createWriter, type ExportFormat } from './export-writer.js';
import { createTally, type FileCounts, type OutcomeTally } from './file-counts.js';
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

export interface ExportReport {
  /** As given, or the path chosen; `-` for stdout. */
  readonly out: string;
  /** Rows in the export; fewer than counted when `only` was given. */
  readonly written: number;
  readonly counts: FileCounts;
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
 * Writes the input file with the outcome of each row added: every row once, in input order, its own cells byte for byte,
 * as UTF-8. The file appears complete or not at all; doing it again replaces it. Throws `UsageError` when `out` is the
 * input or cannot be written, and when the input changes meanwhile.
 */
export async function exportFile(options: ExportOptions): Promise<ExportReport> {
  const { source } = options;
  const out = options.out ?? exportPathOf(source.path, options);
  const target = await resolveTarget(out, source.path === '-' ? null : source.path);
  const tally = createTally();
  const counted = { written: 0 };
  await writeTo(target, exportText(options, tally, counted), options.signal);
  return { out, ...counted, counts: tally.counts() };
}

async function* exportText(
  options: ExportOptions,
  tally: OutcomeTally,
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
      tally.add(outcome.status);
      return only === undefined || only.includes(outcome.status) ? [writer.record(row, outcome)] : [];
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
