import { ADDED_COLUMNS, isAddedColumn } from '../lib/core/added-columns.js';
import type { RowOutcome } from './row-outcome.js';

/** A record as the input file has it: its cells, and the text they came from. */
export interface SourceRecord {
  readonly cells: readonly string[];
  readonly raw: string;
  /** Its quotes do not match, so its text would swallow whatever follows. */
  readonly damaged: boolean;
}

/** How the records of one export are laid out. */
export interface Layout {
  readonly delimiter: string;
  readonly lineEnd: string;
  /** Columns of the widest record; shorter ones are padded, so that ours line up. */
  readonly width: number;
  /** Positions of the columns of an earlier export, which ours replace. */
  readonly dropped: ReadonlySet<number>;
}

/** Plans an export: `header` is the first record of the input, `width` the number of cells of its widest. */
export function layoutOf(
  header: readonly string[],
  width: number,
  format: Pick<Layout, 'delimiter' | 'lineEnd'>,
): Layout {
  const dropped = new Set(header.flatMap((name, at) => (isAddedColumn(name) ? [at] : [])));
  return { delimiter: format.delimiter, lineEnd: format.lineEnd, width: Math.max(width, header.length), dropped };
}

export function headerLine(header: SourceRecord, layout: Layout): string {
  return line(header, ADDED_COLUMNS, layout);
}

/** `found` are the outcome's `resultCells`. */
export function outcomeLine(
  record: SourceRecord,
  outcome: RowOutcome,
  found: readonly string[],
  layout: Layout,
): string {
  const { status, enrichmentId, submittedAtMs, error, notes } = outcome;
  const told = [error?.code ?? '', error?.message ?? '', notes.join('; '), ...found].map(escapeFormulas);
  const sentAt = submittedAtMs === undefined ? '' : new Date(submittedAtMs).toISOString();
  return line(record, [status, escapeFormulas(enrichmentId ?? ''), sentAt, ...told], layout);
}

function line(record: SourceRecord, added: readonly string[], layout: Layout): string {
  const { delimiter, lineEnd, width, dropped } = layout;
  const kept = keptTexts(record, layout);
  const padding = new Array<string>(Math.max(0, width - dropped.size - kept.count)).fill('');
  const cells = [...kept.texts, ...padding, ...added.map((cell) => cellText(cell, delimiter))];
  return cells.join(delimiter) + lineEnd;
}

/** The input's own text wherever it can stand: a cell written anew may come back quoted differently. */
function keptTexts(
  record: SourceRecord,
  layout: Layout,
): { readonly texts: readonly string[]; readonly count: number } {
  if (layout.dropped.size === 0 && !record.damaged) return { texts: [record.raw], count: record.cells.length };
  const own = record.damaged ? [] : cellTexts(record.raw, layout.delimiter);
  const all = own.length === record.cells.length ? own : record.cells.map((cell) => cellText(cell, layout.delimiter));
  const texts = all.filter((_, at) => !layout.dropped.has(at));
  return { texts, count: texts.length };
}

/** A record's text cut at its delimiters, each cell with the quotes it has there. */
function cellTexts(raw: string, delimiter: string): string[] {
  const texts: string[] = [];
  let start = 0;
  for (;;) {
    const end = raw.indexOf(delimiter, raw[start] === '"' ? closingQuote(raw, start) : start);
    if (end === -1) return [...texts, raw.slice(start)];
    texts.push(raw.slice(start, end));
    start = end + delimiter.length;
  }
}

/** Position of the quote that ends the quoted cell at `start`, or the end of the text. */
function closingQuote(raw: string, start: number): number {
  for (let at = raw.indexOf('"', start + 1); at !== -1; at = raw.indexOf('"', at + 2)) {
    if (raw[at + 1] !== '"') return at;
  }
  return raw.length;
}

/** A cell as CSV has it, in quotes when it needs them. */
export function cellText(cell: string, delimiter: string): string {
  return cell.includes(delimiter) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** What may end a cell in a program that sets cells apart by another character than this file does. */
const SEPARATORS = /([,;|\t\r\n])/;
const MAY_BE_FORMULA = /[=+\-@＝＋－＠\t\r]/;
const BEGINS_FORMULA = /^["'\s]*[=+\-@＝＋－＠]/;
/** `+1-555-0137`: a number to whoever reads it, and nothing that a spreadsheet could be made to run. */
const PHONE_NUMBER = /^[\d\s+\-().x]+$/i;

/**
 * A text of Zoho's in which a spreadsheet runs nothing as a formula, also when it cuts the text at another separator: an
 * apostrophe goes before what it would run. The input's own cells are not ours to change.
 */
export function escapeFormulas(raw: string): string {
  if (raw === '') return raw;
  // Some readers end a cell, or the file, at a NUL.
  const cell = raw.replaceAll('\0', '');
  if (!MAY_BE_FORMULA.test(cell)) return cell;
  const parts = cell.split(SEPARATORS).map((part) => (isFormula(part) ? `'${part}` : part));
  const text = parts.join('');
  return /^[\t\r]/.test(text) ? `'${text}` : text;
}

function isFormula(part: string): boolean {
  return BEGINS_FORMULA.test(part) && !PHONE_NUMBER.test(part);
}
