import { type ColumnChoice, type Finding, type FindingCode, MAX_LINES_SHOWN } from '../core/input-check.js';
import type { CsvSource } from './csv-source.js';
import type { FileRow } from './row-reader.js';

/** Gathers what is noticed in the rows of a file. */
export interface Findings {
  add(row: FileRow, repeated: boolean): void;
  /** Counts a finding that others made. */
  note(code: FindingCode, line: number): void;
  result(): readonly Finding[];
}

export function createFindings(source: CsvSource, choice: ColumnChoice): Findings {
  const byCode = new Map<FindingCode, { count: number; lines: number[] }>();
  function note(code: FindingCode, line: number): void {
    const found = byCode.get(code) ?? { count: 0, lines: [] };
    byCode.set(code, found);
    found.count += 1;
    if (found.lines.length < MAX_LINES_SHOWN) found.lines.push(line);
  }
  return {
    add: (row) => {
      if (row.parsed.ok && row.cells.length < source.headers.length) note('SHORT_RECORD', row.lineNumber);
    },
    note,
    result: () => [...choice.findings, ...[...byCode].map(([code, found]) => ({ code, ...found }))],
  };
}
