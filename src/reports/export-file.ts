import { join, parse } from 'node:path';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import { chunkOutcomes } from './chunk-outcomes.js';
import { headerLine, type Layout, layoutOf, outcomeLine } from './export-record.js';
import { createTally, type FileCounts } from './file-counts.js';
import type { ReportedFile } from './file-status.js';
import { createFirstLines, type FirstLines } from '../lib/csv/first-lines.js';
import type { RowOutcome } from './row-outcome.js';
import { resolveTarget, writeTo } from './write-file.js';

export interface ExportOptions extends ReportedFile {
  /** The file to write, `-` for stdout; beside the input when absent, see `exportPathOf`. */
  readonly out?: string | undefined;
  /** Ends the export early and leaves no file behind. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each chunk with the rows done so far. */
  readonly onProgress?: ((rows: number) => void) | undefined;
}

export interface ExportReport {
  /** As given, or the path chosen; `-` for stdout. */
  readonly out: string;
  readonly counts: FileCounts;
}

/** Where an export goes by default: `accounts.zia.csv` beside `accounts.csv`; stdout for standard input. */
export function exportPathOf(input: string): string {
  if (input === '-') return '-';
  const { dir, name, ext } = parse(input);
  return join(dir, `${name}.zia${ext || '.csv'}`);
}

/**
 * Writes the input file with the outcome of each row added: every row once, in input order, its own cells byte for byte,
 * as UTF-8. The file appears complete or not at all; doing it again replaces it. Throws `UsageError` when `out` is the
 * input or cannot be written, and when the input changes meanwhile.
 */
export async function exportFile(options: ExportOptions): Promise<ExportReport> {
  const { source } = options;
  const out = options.out ?? exportPathOf(source.path);
  const target = await resolveTarget(out, source.path === '-' ? null : source.path);
  const tally = createTally();
  await writeTo(target, exportText(options, tally), options.signal);
  return { out, counts: tally.counts() };
}

const BYTE_ORDER_MARK = '\uFEFF';

async function* exportText(options: ExportOptions, tally: ReturnType<typeof createTally>): AsyncGenerator<string> {
  const { source, columns, module, engine, onProgress } = options;
  const layout = layoutOf(source.headers, source.width, source);
  const firstLines = createFirstLines(source.rowCount);
  // Excel takes UTF-8 without a mark for an old code page: a file that was not UTF-8 gets one, or its accents would break.
  const mark = source.bom || source.encoding !== 'utf-8' ? BYTE_ORDER_MARK : '';
  yield mark + headerLine({ cells: source.headers, raw: source.headerRaw, damaged: false }, layout);
  let done = 0;
  for await (const rows of readRows(source, { columns, module })) {
    const outcomes = await chunkOutcomes(rows, engine);
    yield linesOf(rows, outcomes, layout, firstLines, tally);
    done += rows.length;
    onProgress?.(done);
  }
}

function linesOf(
  rows: readonly FileRow[],
  outcomes: readonly RowOutcome[],
  layout: Layout,
  firstLines: FirstLines,
  tally: ReturnType<typeof createTally>,
): string {
  return rows
    .map((row, at) => {
      const outcome = outcomes[at];
      if (outcome === undefined) throw new Error('A row of the chunk has no outcome.');
      tally.add(outcome.status);
      return outcomeLine(row, withRepeatNote(outcome, row, firstLines), layout);
    })
    .join('');
}

function withRepeatNote(outcome: RowOutcome, { key, lineNumber }: FileRow, firstLines: FirstLines): RowOutcome {
  const first = key === undefined ? null : firstLines.seenOn(key, lineNumber);
  return first === null ? outcome : { ...outcome, notes: [`repeats line ${first}`, ...outcome.notes] };
}
