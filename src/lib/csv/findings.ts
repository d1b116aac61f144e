import type { ColumnChoice, Finding, FindingCode } from '../core/input-check.js';
import { INPUT_FIELDS, type InputField } from '../core/input-fields.js';
import type { FieldProblem } from '../core/row.js';
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
  readonly field: InputField;
  filled: number;
  readonly useless: NotedLines;
  /** Those of them that no finding of their own tells. */
  readonly untold: NotedLines;
}

const TOLD_APART: readonly FieldProblem[] = ['PLACEHOLDER', 'SHARED_HOST'];

export function createFindings(source: CsvSource, { columns, findings }: ColumnChoice): Findings {
  const byCode = new Map<FindingCode, NotedLines>();
  const companies = createCompanies(source.rowCount);
  const fields = INPUT_FIELDS.map(
    (field): ColumnCount => ({ field, filled: 0, useless: noLines(), untold: noLines() }),
  );

  function countFields({ cells, parsed, lineNumber }: FileRow): void {
    for (const count of fields) {
      const { field } = count;
      const cell = cells[columns[field] ?? -1] ?? '';
      if (cell === '' || cell.trim() === '') continue;
      count.filled += 1;
      if (parsed.notes === undefined || parsed.notes.length === 0) continue;
      const problem = parsed.notes.find((note) => note.field === field)?.problem;
      if (problem !== undefined && !TOLD_APART.includes(problem)) noteLine(count.untold, lineNumber);
      if (problem !== undefined) noteLine(count.useless, lineNumber);
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
      ...rememberedKeep(source),
      ...legacyEncoding(source),
      ...[...byCode].map(([code, noted]) => ({ code, ...noted })),
      ...(findings.some(({ swapped }) => swapped) ? [] : fields.flatMap(ofColumn)),
      ...companies.findings(),
    ],
  };
}

/** That most values of a column are of no use, else how many are for other reasons than those that are told apart. */
function ofColumn({ field, filled, useless, untold }: ColumnCount): readonly Finding[] {
  if (useless.count >= MANY && useless.count > filled / 2)
    return [{ code: 'UNLIKELY_COLUMN', ...useless, fields: [field] }];
  return untold.count === 0 ? [] : [{ code: 'UNUSABLE_VALUE', ...untold, fields: [field] }];
}

function rememberedKeep({ keep, keepFrom }: CsvSource): readonly Finding[] {
  return keepFrom === 'remembered' && keep.length > 0
    ? [{ code: 'REMEMBERED_KEEP', count: keep.length, lines: [], keep }]
    : [];
}

function legacyEncoding({ encoding, rowCount, headerLine }: CsvSource): readonly Finding[] {
  return encoding.startsWith('utf-') ? [] : [{ code: 'LEGACY_ENCODING', count: rowCount, lines: [headerLine] }];
}
