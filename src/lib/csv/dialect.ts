import { knownHeaders } from '../core/column-aliases.js';
import { cellsOf } from './cells.js';
import { type Dialect, type RawRecord, RecordCutter } from './record-cutter.js';

const DELIMITERS = [',', ';', '\t', '|'] as const;
/** Lines among which a header is looked for. */
export const HEADER_WITHIN = 20;

/** What is known of a file's form before its records are. */
export interface DialectHints {
  /** `--header-line`; else the first record is the header. */
  readonly headerLine?: number | undefined;
}

/** How a file separates cells and records, and from which line on its first record is the header. */
export interface FoundDialect {
  readonly dialect: Dialect;
  readonly headerLine: number;
}

/**
 * Finds how a file separates cells and records from the text at its start. A `sep=` line says it. Else the delimiter is the
 * one by which a line among the first twenty has most headers that are known, then the one that splits the header and most
 * rows into as many cells, one empty cell at their end more or less; of equals, the one that makes more cells. When none
 * splits the header, the file has one column, and the first delimiter that would not split its rows either is taken, so
 * `Acme, Inc.` stays whole. `whole` says that the sample is the entire file.
 */
export function findDialect(sample: string, whole: boolean, { headerLine }: DialectHints = {}): FoundDialect {
  const newline = findNewline(sample);
  const said = SEP_LINE.exec(sample)?.[1];
  if (said !== undefined) return { dialect: { delimiter: said, newline }, headerLine: headerLine ?? 2 };
  const from = headerLine ?? 1;
  const candidates = DELIMITERS.map((delimiter) => judge({ delimiter, newline }, sample, whole, from));
  const splitting = candidates.filter((candidate) => candidate.headerWidth > 1);
  const best = splitting.sort(
    (a, b) => b.known - a.known || b.agreeing - a.agreeing || b.headerWidth - a.headerWidth,
  )[0];
  const oneColumn = candidates.find((candidate) => candidate.widest === 1) ?? candidates[0];
  return { dialect: { delimiter: (best ?? oneColumn)?.delimiter ?? ',', newline }, headerLine: from };
}

/** Excel's way to name the delimiter, as the first line. */
const SEP_LINE = /^"?sep=([^\w\s"]|\t)"?[^\S\r\n\t]*(?:[\r\n]|$)/i;

interface Candidate {
  readonly delimiter: string;
  readonly headerWidth: number;
  readonly widest: number;
  /** How many known headers the best of the first lines has. */
  readonly known: number;
  /** How many rows have as many cells as the header. */
  readonly agreeing: number;
}

function judge(dialect: Dialect, sample: string, whole: boolean, headerLine: number): Candidate {
  const records = new RecordCutter(dialect, headerLine)
    .feed(sample, whole)
    .filter(({ lineNumber }) => lineNumber >= headerLine);
  const heads = records.filter(({ damaged }) => !damaged).slice(0, HEADER_WITHIN);
  const known = cellsOf(heads, dialect).map(knownHeaders);
  const most = Math.max(0, ...known);
  // A title above the header has one cell, or as many as the table is wide.
  const header = most > 1 ? heads[known.indexOf(most)] : records[0];
  const headerWidth = header === undefined || header.damaged ? 0 : header.width;
  const rows = header === undefined ? [] : records.slice(records.indexOf(header) + 1);
  return {
    delimiter: dialect.delimiter,
    headerWidth,
    widest: rows.reduce((widest, row) => Math.max(widest, row.width), headerWidth),
    known: most,
    agreeing: rows.filter((row) => !row.damaged && agrees(row, headerWidth, dialect.delimiter)).length,
  };
}

function agrees({ width, raw }: RawRecord, headerWidth: number, delimiter: string): boolean {
  return width === headerWidth || (width === headerWidth + 1 && raw.endsWith(delimiter));
}

/** `\r` alone is how old spreadsheets on a Mac end lines: taken when it ends most lines outside quotes. */
function findNewline(sample: string): '\n' | '\r' {
  let inQuotes = false;
  let feeds = 0;
  let returns = 0;
  for (let at = 0; at < sample.length; at += 1) {
    const code = sample.charCodeAt(at);
    if (code === 34) inQuotes = !inQuotes;
    else if (inQuotes) continue;
    else if (code === 10) feeds += 1;
    else if (code === 13 && sample.charCodeAt(at + 1) !== 10) returns += 1;
  }
  return returns > feeds ? '\r' : '\n';
}
