import { type ColumnMapping, MAPPED_FIELDS, type MappedField } from '../lib/core/columns.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import type { RowOutcome, RowStatus } from './row-outcome.js';

/** Which rows of a file are wanted; all when a choice is absent. */
export interface RowChoice {
  readonly statuses?: readonly RowStatus[] | undefined;
  /** Rows with this text in any of their cells, in whatever case. */
  readonly search?: string | undefined;
}

/** The mapped columns as the file has them, trimmed; absent when empty or not mapped. */
export type MappedValues = Readonly<Partial<Record<MappedField, string>>>;

/** One row of a file as a list shows it. */
export interface ListedRow {
  /** The physical line on which the record starts, counted from 1. */
  readonly line: number;
  /** Absent when the record is rejected. */
  readonly key?: IdentityKey;
  readonly values: MappedValues;
  readonly outcome: RowOutcome;
}

/**
 * The chosen rows of a file in file order, with what Zia found. Reads on only as long as it is iterated; with a search, only
 * rows that match it are looked up. Flat memory, three round trips per batch, changes nothing.
 */
export async function* listRows(file: Input, choice: RowChoice = {}): AsyncGenerator<ListedRow> {
  for await (const { rows, outcomes } of withOutcomes(file, { withData: true, only: matching(choice.search) })) {
    for (const [at, row] of rows.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined) throw new Error('A row of the chunk has no outcome.');
      if (choice.statuses?.includes(outcome.status) ?? true) yield listed(row, outcome, file);
    }
  }
}

function matching(search = ''): ((row: FileRow) => boolean) | undefined {
  const wanted = search.trim().toLowerCase();
  if (wanted === '') return undefined;
  return ({ cells }) => cells.some((cell) => cell.toLowerCase().includes(wanted));
}

function listed(row: FileRow, outcome: RowOutcome, { columns }: Input): ListedRow {
  const { lineNumber: line, key } = row;
  return { line, ...(key !== undefined && { key }), values: mappedValues(row, columns), outcome };
}

export function mappedValues({ cells }: FileRow, columns: ColumnMapping): MappedValues {
  const values: Partial<Record<MappedField, string>> = {};
  for (const field of MAPPED_FIELDS) {
    const at = columns[field];
    const value = at === undefined ? '' : (cells[at] ?? '').trim();
    if (value !== '') values[field] = value;
  }
  return values;
}
