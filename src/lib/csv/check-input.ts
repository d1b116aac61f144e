import { MAPPED_FIELDS, type MappedField } from '../core/columns.js';
import type { ColumnChoice, FindingCode, InputCheck, InputColumn } from '../core/input-check.js';
import type { CsvSource } from './csv-source.js';
import { createFindings } from './findings.js';
import type { FileRow } from './read-row.js';

/** The check of a file, made while its rows are read. */
export interface InputChecker {
  /** Takes in the next row; `repeated` when an earlier row of the file is the same. */
  add(row: FileRow, repeated: boolean): void;
  /** Counts a finding that others made. */
  note(code: FindingCode, line: number): void;
  /** The check of what was taken in so far. */
  result(): InputCheck;
}

/** Begins the check of a file that is read by these columns. */
export function checkInput(source: CsvSource, choice: ColumnChoice): InputChecker {
  const findings = createFindings(source, choice);
  const used = new Set(Object.values(choice.columns));
  const form = {
    encoding: source.encoding,
    delimiter: source.delimiter,
    headerLine: source.headerLine,
    columns: Object.fromEntries(MAPPED_FIELDS.map((field) => [field, columnOf(field, source, choice)])) as Record<
      MappedField,
      InputColumn | null
    >,
    unused: source.headers.filter((header, at) => !used.has(at) && header.trim() !== ''),
  };
  return { add: findings.add, note: findings.note, result: () => ({ ...form, findings: findings.result() }) };
}

function columnOf(field: MappedField, { headers }: CsvSource, { columns, origins }: ColumnChoice): InputColumn | null {
  const index = columns[field];
  return index === undefined ? null : { header: headers[index] ?? '', index, from: origins[field] ?? 'flag' };
}
