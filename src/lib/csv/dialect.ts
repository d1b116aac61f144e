import { type Dialect, RecordCutter } from './record-cutter.js';

const DELIMITERS = [',', ';', '\t', '|'] as const;

/**
 * Finds how a file separates cells and records from the text at its start. The delimiter is the one that splits the header
 * and then most rows into as many cells; of equals, the one that makes more cells. When none splits the header, the file
 * has one column, and the first delimiter that would not split its rows either is taken, so `Acme, Inc.` stays whole.
 * `whole` says that the sample is the entire file. Throws UsageError RECORD_TOO_LONG.
 */
export function findDialect(sample: string, whole: boolean, fileName: string): Dialect {
  const newline = findNewline(sample);
  const candidates = DELIMITERS.map((delimiter) => judge({ delimiter, newline }, sample, whole, fileName));
  const splitting = candidates.filter((candidate) => candidate.headerWidth > 1);
  const best = splitting.sort((a, b) => b.agreeing - a.agreeing || b.headerWidth - a.headerWidth)[0];
  const oneColumn = candidates.find((candidate) => candidate.widest === 1) ?? candidates[0];
  return { delimiter: (best ?? oneColumn)?.delimiter ?? ',', newline };
}

interface Candidate {
  readonly delimiter: string;
  readonly headerWidth: number;
  readonly widest: number;
  /** How many rows have as many cells as the header. */
  readonly agreeing: number;
}

function judge(dialect: Dialect, sample: string, whole: boolean, fileName: string): Candidate {
  const [header, ...rows] = new RecordCutter(dialect, fileName).feed(sample, whole);
  const headerWidth = header === undefined || header.damaged ? 0 : header.width;
  return {
    delimiter: dialect.delimiter,
    headerWidth,
    widest: rows.reduce((widest, row) => Math.max(widest, row.width), headerWidth),
    agreeing: rows.filter((row) => !row.damaged && row.width === headerWidth).length,
  };
}

/** The first line end outside quotes decides: `\r` alone is how old spreadsheets on a Mac end lines. */
function findNewline(sample: string): '\n' | '\r' {
  let inQuotes = false;
  for (let at = 0; at < sample.length; at += 1) {
    const character = sample[at];
    if (character === '"') inQuotes = !inQuotes;
    else if (character === '\n' && !inQuotes) return '\n';
    else if (character === '\r' && !inQuotes) return sample[at + 1] === '\n' ? '\n' : '\r';
  }
  return '\n';
}
