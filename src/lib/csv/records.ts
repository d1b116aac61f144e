import type { RejectCode } from '../core/row.js';
import type { RawRecord } from './record-cutter.js';

/** Why a record cannot be trusted to be the row it seems to be. */
export interface RecordProblem {
  readonly code: RejectCode;
  readonly reason: string;
}

/** What the whole file says about its records, from the first pass. */
export interface RecordRules {
  readonly headers: readonly string[];
  /** Records of one cell are rare in this file: each is a footer or a broken line. */
  readonly singleCellsAreRejects: boolean;
  /** The lines of records that seem to be two halves of one. */
  readonly halves: ReadonlySet<number>;
}

/** Says of each record of a file whether it can be trusted. */
export function recordJudge({ headers, singleCellsAreRejects, halves }: RecordRules) {
  const header = headers.map(plainCell);
  const width = headers.length;
  return (record: RawRecord, cells: readonly string[]): RecordProblem | null => {
    if (record.tooLong) return TOO_LONG;
    if (record.damaged) return BAD_QUOTES;
    if (record.strayLineEnd) return STRAY_LINE_END;
    if (!record.raw.isWellFormed()) return BAD_BYTES;
    if (record.quoted && record.raw.includes('\\"') && cells.some(hasHalfQuote)) return BAD_QUOTES;
    if (record.width > width && cells.some((cell, at) => at >= width && cell.trim() !== '')) return TOO_MANY_CELLS;
    if (record.width < width) {
      if (record.width === 1 && width >= 3 && singleCellsAreRejects) return TOO_FEW_CELLS;
      if (halves.has(record.lineNumber)) return TOO_FEW_CELLS;
      return null;
    }
    return isRepeated(cells, header) ? REPEATED_HEADER : null;
  };
}

function isRepeated(cells: readonly string[], header: readonly string[]): boolean {
  return plainCell(cells[0] ?? '') === header[0] && header.every((text, at) => plainCell(cells[at] ?? '') === text);
}

const plainCell = (cell: string): string => cell.trim().toLowerCase();

/** `"Fernhill \"The\" Press`: a quote escaped with a backslash has cut the cell. */
function hasHalfQuote(cell: string): boolean {
  return cell.includes('\\"') && cell.split('"').length % 2 === 0;
}

const unreadable = (reason: string): RecordProblem => ({ code: 'UNREADABLE', reason });

export const BAD_QUOTES = unreadable(
  'The line cannot be read: a quote is not closed, text follows a closing quote, or it is part of such a cell.',
);
const TOO_LONG = unreadable('The record is longer than 1 MiB: look for a quote on this line that is never closed.');
const STRAY_LINE_END = unreadable(
  'The line has another kind of line end (a bare CR or LF) in the middle, so it may be several records: put each on a line of its own.',
);
const BAD_BYTES = unreadable(
  'The line has bytes that are not in the encoding of the file: save this line in it, or the file with one encoding.',
);
const TOO_MANY_CELLS: RecordProblem = {
  code: 'TOO_MANY_CELLS',
  reason:
    'The record has more cells than the header has columns: put quotes around the value that has a delimiter in it.',
};
const TOO_FEW_CELLS: RecordProblem = {
  code: 'TOO_FEW_CELLS',
  reason: 'The record has too few cells: it is a footer, or a line break has cut it in two.',
};
const REPEATED_HEADER: RecordProblem = { code: 'REPEATED_HEADER', reason: 'The record is the header once more.' };

/** Such records are a fault of the line, not the way of the file, when they are so few. */
const FEW = 20;
const SMALL_SHARE = 0.1;
const isRare = (count: number, records: number): boolean => count <= FEW || count <= records * SMALL_SHARE;

/** What the first pass over a file learns of its records. */
export class RecordSurvey {
  width = 0;
  records = 0;
  /** Records with characters beyond ASCII, and those of them that are well-formed. */
  beyondAscii = 0;
  wellFormed = 0;
  readonly #headerWidth: number;
  readonly #halves = new Set<number>();
  #singles = 0;
  #last: RawRecord | undefined;

  constructor(headerWidth: number) {
    this.#headerWidth = headerWidth;
    this.width = headerWidth;
  }

  add(record: RawRecord): void {
    this.records += 1;
    if (record.width > this.width) this.width = record.width;
    if (record.width >= this.#headerWidth || record.damaged) {
      this.#last = undefined;
      return;
    }
    if (record.width === 1) this.#singles += 1;
    const last = this.#last;
    this.#last = record;
    // A line break in the middle of a cell: each half has a part of that cell.
    if (last === undefined || last.width + record.width !== this.#headerWidth + 1) return;
    this.#halves.add(last.lineNumber).add(record.lineNumber);
    this.#last = undefined;
  }

  rules(headers: readonly string[]): RecordRules {
    return {
      headers,
      singleCellsAreRejects: isRare(this.#singles, this.records),
      halves: isRare(this.#halves.size, this.records) ? this.#halves : new Set(),
    };
  }
}
