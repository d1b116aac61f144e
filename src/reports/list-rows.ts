import type { IdentityKey } from '../lib/core/ids.js';
import { filledColumns } from '../lib/core/result-columns.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import { type MappedValues, mappedValues } from './mapped-values.js';
import { outcomeFilter, type RowChoice, searchFilter, valuesText } from './row-choice.js';
import type { RowOutcome } from './row-outcome.js';

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
  const isSearched = searchFilter(choice);
  const only =
    isSearched === null ? undefined : (row: FileRow) => isSearched(valuesText(mappedValues(row, file.columns)));
  const isChosen = outcomeFilter(choice);
  for await (const { rows, outcomes } of withOutcomes(file, { withData: true, only })) {
    for (const [at, row] of rows.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined) throw new Error('A row of the chunk has no outcome.');
      const { status, error, data } = outcome;
      const filled = () => (data === undefined ? undefined : filledColumns(data));
      if (isChosen({ status, code: error?.code, filled })) yield listed(row, outcome, file);
    }
  }
}

function listed(row: FileRow, outcome: RowOutcome, file: Input): ListedRow {
  const { lineNumber: line, key } = row;
  return { line, ...(key !== undefined && { key }), values: mappedValues(row, file.columns), outcome };
}
