import { looksLikeEmail } from '../core/column-values.js';
import type { ColumnChoice, Finding, FindingCode } from '../core/input-check.js';
import { INPUT_FIELDS, type InputField } from '../core/input-fields.js';
import { createCompanies } from './companies.js';
import type { CsvSource } from './csv-source.js';
import { type NotedLines, noLines, noteLine } from './noted-lines.js';
import type { FileRow } from './read-row.js';

/** Gathers what is noticed in the rows of a file. */
export interface Findings {
  add(row: FileRow, repeated: boolean): void;
  /** Counts a finding that others made. */
  note(code: FindingCode, line: number): void;
  result(): readonly Finding[];
}

/** A column is unlikely when more than half of its values, and not just one or two, are of no use. */
const MANY = 3;

interface ColumnCount {
  filled: number;
  readonly useless: NotedLines;
}

export function createFindings(source: CsvSource, { columns, findings }: ColumnChoice): Findings {
  const byCode = new Map<FindingCode, NotedLines>();
  const companies = createCompanies();
  const fields = new Map<InputField, ColumnCount>(
    INPUT_FIELDS.map((field) => [field, { filled: 0, useless: noLines() }]),
  );

  function countFields({ cells, parsed, lineNumber }: FileRow): void {
    for (const [field, count] of fields) {
      const cell = cells[columns[field] ?? -1] ?? '';
      if (cell === '' || cell.trim() === '') continue;
      count.filled += 1;
      const isUseless = parsed.notes?.some((note) => note.field === field) ?? false;
      if (isUseless || (field === 'name' && cell.includes('@') && looksLikeEmail(cell.trim()))) {
        noteLine(count.useless, lineNumber);
      }
    }
  }

  function note(code: FindingCode, line: number): void {
    const noted = byCode.get(code) ?? noLines();
    byCode.set(code, noted);
    noteLine(noted, line);
  }

  return {
    note,
    add: (row, repeated) => {
      const { parsed, lineNumber, cells } = row;
      if (row.problem !== undefined) return;
      countFields(row);
      for (const { problem } of parsed.notes ?? []) {
        if (problem === 'PLACEHOLDER' || problem === 'SHARED_HOST') note(problem, lineNumber);
      }
      if (!parsed.ok) return;
      if (cells.length < source.headers.length) note('SHORT_RECORD', lineNumber);
      if (!repeated) companies.add(parsed.row, lineNumber);
    },
    result: () => [
      ...findings,
      ...legacyEncoding(source),
      ...[...byCode].map(([code, noted]) => ({ code, ...noted })),
      ...(findings.some(({ swapped }) => swapped) ? [] : [...fields]).flatMap(([field, { filled, useless }]) =>
        useless.count >= MANY && useless.count > filled / 2
          ? [{ code: 'UNLIKELY_COLUMN' as const, ...useless, fields: [field] }]
          : [],
      ),
      ...companies.findings(),
    ],
  };
}

function legacyEncoding({ encoding, rowCount, headerLine }: CsvSource): readonly Finding[] {
  return encoding.startsWith('utf-') ? [] : [{ code: 'LEGACY_ENCODING', count: rowCount, lines: [headerLine] }];
}
