import { type ColumnMapping, MAPPED_FIELDS, type MappedField } from '../lib/core/columns.js';
import type { FileRow } from '../lib/csv/row-reader.js';

/** The mapped columns as the file has them, trimmed; absent when empty or not mapped. */
export type MappedValues = Readonly<Partial<Record<MappedField, string>>>;

export function mappedValues({ cells }: Pick<FileRow, 'cells'>, columns: ColumnMapping): MappedValues {
  const values: Partial<Record<MappedField, string>> = {};
  for (const field of MAPPED_FIELDS) {
    const at = columns[field];
    const value = at === undefined ? '' : (cells[at] ?? '').trim();
    if (value !== '') values[field] = value;
  }
  return values;
}
