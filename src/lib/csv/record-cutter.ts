/** How a file separates cells and records. */
export interface Dialect {
  /** One character: comma, semicolon, tab or pipe. */
  readonly delimiter: string;
  /** What ends a record; with `\n`, a `\r` right before it belongs to the line end. */
  readonly newline: '\n' | '\r';
}

/** A record's text, cut out of its file but not yet split into cells. */
export interface RawRecord {
  /** The physical line on which the record starts, counted from 1. */
  readonly lineNumber: number;
  /** The text as in the file, without its line end. */
  readonly raw: string;
  readonly width: number;
  /** Whether there is a quote in it: only then cells are more than a split. */
  readonly quoted: boolean;
  /** A quote is not closed as it should be; the record ends with the line that opens it, its cells are unknown. */
  readonly damaged: boolean;
  /** Longer than `MAX_RECORD_LENGTH`: the text is only its beginning. */
  readonly tooLong?: true;
  /** A line end of another kind stands outside quotes: these are two records, or more. */
  readonly strayLineEnd?: true;
}

/** Longer records are cut off and refused: it bounds memory, and nothing that Zia can use comes near it. In UTF-16 units. */
export const MAX_RECORD_LENGTH = 1_048_576;

const MAX_LINE_END = 2;
const QUOTE = 34;
const CARRIAGE_RETURN = 13;

/**
 * Cuts text into records. Quotes follow RFC 4180, with two lenient readings that csv-parse's `relax_quotes` shares: a quote
 * inside an unquoted cell is a character, and so are those of `"Acme" Ltd`.
 *
 * A quote that is never closed properly would swallow the rows after it. Then the line that opens it is damaged, and
 * reading goes on with the next line. The lines up to where the quote broke may be parts of one damaged cell, so those
 * with fewer cells than the header are damaged too: a refused row can be mended, a paid one cannot be taken back.
 */
export class RecordCutter {
  readonly #delimiter: number;
  readonly #delimiterText: string;
  readonly #newline: number;
  readonly #newlineText: string;
  readonly #strayLineEnd: string;
  readonly #headerLine: number;
  readonly #blank: RegExp;
  #text = '';
  /** In a record that is too long: nothing counts until the next line. */
  #skipping = false;
  #lineNumber = 1;
  #headerWidth = 0;
  /** Offset in `#text` up to which lines may be parts of a damaged cell. */
  #suspectUntil = 0;
  /** Offset in `#text` of a quote with none between it and the record at hand; less than its start when not known. */
  #nextQuote = -1;

  /** `headerLine`: the line from which on the first record is the header; the width of later ones is judged by it. */
  constructor(dialect: Dialect, headerLine = 1) {
    this.#delimiter = dialect.delimiter.charCodeAt(0);
    this.#delimiterText = dialect.delimiter;
    this.#newline = dialect.newline.charCodeAt(0);
    this.#newlineText = dialect.newline;
    this.#strayLineEnd = dialect.newline === '\n' ? '\r' : '\n';
    this.#headerLine = headerLine;
    this.#blank = blankLine(dialect.delimiter);
  }

  /**
   * The records that end in the text so far; blank lines, also those of delimiters and empty quotes alone, are none. `final`
   * says that no text follows.
   */
  feed(chunk: string, final: boolean): RawRecord[] {
    this.#text += chunk;
    const records: RawRecord[] = [];
    let start = this.#skipping ? this.#skipLine(0) : 0;
    while (start < this.#text.length) {
      const span = this.#scan(start, final);
      // The end of the longest record there may be takes two characters, and perhaps only one of them is here.
      if (span === null && this.#text.length - start <= MAX_RECORD_LENGTH + MAX_LINE_END) break;
      if (span === null || span.end - start > MAX_RECORD_LENGTH) {
        records.push(this.#tooLong(start));
        start = span === null ? this.#skipLine(start) : span.next;
        this.#lineNumber += span?.lines ?? 0;
        continue;
      }
      const record = this.#recordOf(span, start);
      if (record !== null) records.push(record);
      this.#lineNumber += span.lines;
      start = span.next;
    }
    this.#text = this.#text.slice(start);
    this.#nextQuote = -1;
    this.#suspectUntil = Math.max(0, this.#suspectUntil - start);
    return records;
  }

  #recordOf(span: Span, start: number): RawRecord | null {
    const raw = this.#text.slice(start, span.end);
    if (MAY_BE_BLANK.test(raw) && this.#blank.test(raw)) return null;
    this.#suspectUntil = Math.max(this.#suspectUntil, span.brokenAt);
    const suspect = start < this.#suspectUntil && span.width < this.#headerWidth;
    if (this.#headerWidth === 0 && this.#lineNumber >= this.#headerLine) this.#headerWidth = span.width;
    const { width, quoted } = span;
    const record = { lineNumber: this.#lineNumber, raw, width, quoted, damaged: span.brokenAt > 0 || suspect };
    return raw.includes(this.#strayLineEnd) && this.#isStray(raw) ? { ...record, strayLineEnd: true } : record;
  }

  /** Whether the other kind of line end stands between cells; at the ends of a record it is a blank. */
  #isStray(raw: string): boolean {
    return raw.replace(QUOTED, '').trim().includes(this.#strayLineEnd);
  }

  #tooLong(start: number): RawRecord {
    const raw = this.#text.slice(start, start + MAX_RECORD_LENGTH);
    return { lineNumber: this.#lineNumber, raw, width: 1, quoted: false, damaged: true, tooLong: true };
  }

  /** The offset behind the line at hand, which may end with a later text. */
  #skipLine(start: number): number {
    const newline = this.#text.indexOf(this.#newlineText, start);
    this.#skipping = newline === -1;
    if (newline === -1) return this.#text.length;
    this.#lineNumber += 1;
    return newline + 1;
  }

  /** The record at `start`, or null when its end is not in the text yet. */
  #scan(start: number, final: boolean): Span | null {
    const newline = this.#text.indexOf(this.#newlineText, start);
    if (this.#nextQuote < start) this.#nextQuote = this.#quoteFrom(start);
    // Most records have no quote: searching is several times faster than walking their characters.
    if (newline === -1 || newline > this.#nextQuote) return this.#walk(start, final);
    const width = countBetween(this.#text, this.#delimiter, start, newline) + 1;
    return { end: this.#endBefore(start, newline), next: newline + 1, width, lines: 1, quoted: false, brokenAt: 0 };
  }

  #walk(start: number, final: boolean): Span | null {
    const text = this.#text;
    let at = start;
    let width = 1;
    let lines = 0;
    let quoted = false;
    for (;;) {
      if (text.charCodeAt(at) === QUOTE) {
        quoted = true;
        const quote = this.#closeOf(at, final);
        if (quote.kind === 'unknown') return null;
        if (quote.kind === 'broken') return this.#damaged({ start, open: at, lines, brokenAt: quote.at }, final);
        lines += countBetween(this.#text, this.#newline, at, quote.next);
        at = quote.next;
      }
      let code = text.charCodeAt(at);
      while (code !== this.#delimiter && code !== this.#newline && at < text.length) {
        if (code === QUOTE) quoted = true;
        code = text.charCodeAt(++at);
      }
      if (at >= text.length) {
        if (!final) return null;
        return { end: this.#endBefore(start, at), next: at, width, lines: lines + 1, quoted, brokenAt: 0 };
      }
      if (code === this.#newline) {
        return { end: this.#endBefore(start, at), next: at + 1, width, lines: lines + 1, quoted, brokenAt: 0 };
      }
      width += 1;
      at += 1;
    }
  }

  /** Where the quoted part that opens at `open` ends. */
  #closeOf(open: number, final: boolean): QuoteEnd {
    const text = this.#text;
    let at = open + 1;
    for (;;) {
      const quote = text.indexOf('"', at);
      // A quote that is not closed for so long is not closed at all.
      if ((quote === -1 ? text.length : quote) - open > MAX_RECORD_LENGTH) {
        return { kind: 'broken', at: open + MAX_RECORD_LENGTH };
      }
      if (quote === -1) return final ? { kind: 'broken', at: text.length } : { kind: 'unknown' };
      if (!final && quote + 2 >= text.length) return { kind: 'unknown' };
      const after = text.charCodeAt(quote + 1);
      if (after === QUOTE) {
        at = quote + 2;
        continue;
      }
      if (
        quote + 1 >= text.length ||
        after === this.#delimiter ||
        after === this.#newline ||
        this.#isLineEnd(quote + 1)
      ) {
        return { kind: 'closed', next: quote + 1 };
      }
      const inside = text.slice(open, quote);
      const isPlainText = !inside.includes(this.#newlineText) && !inside.includes(this.#delimiterText);
      return isPlainText ? { kind: 'closed', next: quote + 1 } : { kind: 'broken', at: quote };
    }
  }

  /** The record up to the end of the line that opens the broken quote. */
  #damaged(from: { start: number; open: number; lines: number; brokenAt: number }, final: boolean): Span | null {
    const newline = this.#text.indexOf(this.#newlineText, from.open);
    if (newline === -1 && !final) return null;
    const at = newline === -1 ? this.#text.length : newline;
    const next = newline === -1 ? at : at + 1;
    const end = this.#endBefore(from.start, at);
    return { end, next, width: 1, lines: from.lines + 1, quoted: true, brokenAt: from.brokenAt };
  }

  #isLineEnd(at: number): boolean {
    if (this.#newline === CARRIAGE_RETURN || this.#text.charCodeAt(at) !== CARRIAGE_RETURN) return false;
    return at + 1 >= this.#text.length || this.#text.charCodeAt(at + 1) === this.#newline;
  }

  /** `at` without the carriage return of a CRLF. */
  #endBefore(start: number, at: number): number {
    return at > start && this.#isLineEnd(at - 1) ? at - 1 : at;
  }

  #quoteFrom(from: number): number {
    const quote = this.#text.indexOf('"', from);
    return quote === -1 ? Number.POSITIVE_INFINITY : quote;
  }
}

interface Span {
  readonly end: number;
  readonly next: number;
  readonly width: number;
  /** Physical lines, the last one included. */
  readonly lines: number;
  readonly quoted: boolean;
  /** Where an open quote turned out not to be closed properly; 0 when all is well (a quote cannot break at 0). */
  readonly brokenAt: number;
}

type QuoteEnd =
  | { readonly kind: 'closed'; readonly next: number }
  | { readonly kind: 'broken'; readonly at: number }
  /** The text ends before it can be told. */
  | { readonly kind: 'unknown' };

const MAY_BE_BLANK = /^(?:$|[\s",;|])/;
const QUOTED = /"(?:[^"]|"")*"/g;

/** A line of delimiters, blanks and empty quotes. The blanks exclude the delimiter, or a tab could be read in two ways. */
function blankLine(delimiter: string): RegExp {
  const blank = delimiter === '\t' ? '[^\\S\\t]*' : '\\s*';
  const cell = `${blank}(?:"\\s*"${blank})?`;
  return new RegExp(`^${cell}(?:[${delimiter}]${cell})*$`);
}

/** Looks at nothing beyond `to`: `indexOf` would search the whole text for a character that is rare in it. */
function countBetween(text: string, code: number, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += 1) if (text.charCodeAt(at) === code) count += 1;
  return count;
}
