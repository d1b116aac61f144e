import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { RESULT_COLUMNS } from '../lib/core/result-columns.js';
import type { MappedValues } from './mapped-values.js';
import type { RowStatus } from './row-outcome.js';

/** Which rows of a file are wanted; all when a choice is absent. The same for commands and pages. */
export interface RowChoice {
  /** Rows with one of these outcomes. */
  readonly statuses?: readonly RowStatus[] | undefined;
  /** Rows with this error code. */
  readonly code?: string | undefined;
  /** Rows with this text in one of their values in the mapped columns, in whatever case. */
  readonly search?: string | undefined;
  /** Enriched rows for which Zia found nothing in this column of the export. */
  readonly without?: string | undefined;
}

/** What a choice looks at once the outcome of a row is known. */
export interface ChosenBy {
  readonly status: RowStatus;
  readonly code: string | undefined;
  /** Which columns Zia filled, a bit each; undefined where there is no result. Asked for only when the choice needs it. */
  readonly filled: () => number | undefined;
}

/** Between the values of a row; no CSV cell that is not a reject has one. */
const SEPARATOR = '\u0000';

/** The values of a row in one text, as it is searched and kept. */
export function valuesText(values: MappedValues): string {
  return MAPPED_FIELDS.map((field) => values[field]?.replaceAll(SEPARATOR, '') ?? '').join(SEPARATOR);
}

/** The values again. */
export function valuesIn(text: string): MappedValues {
  const values = text.split(SEPARATOR);
  return Object.fromEntries(MAPPED_FIELDS.flatMap((field, at) => (values[at] ? [[field, values[at]]] : [])));
}

/** Whether a row is searched for, by the text of its values; null when every row is. */
export function searchFilter({ search = '' }: RowChoice): ((text: string) => boolean) | null {
  const wanted = search.trim().toLowerCase();
  return wanted === '' ? null : (text) => text.toLowerCase().includes(wanted);
}

/** Whether a row is chosen by its outcome. */
export function outcomeFilter({ statuses, code, without }: RowChoice): (row: ChosenBy) => boolean {
  const wanted = statuses === undefined ? null : new Set(statuses);
  const bit = without === undefined ? -1 : RESULT_COLUMNS.indexOf(without);
  const lacks = (filled: number | undefined) => filled !== undefined && !hasBit(filled, bit);
  return (row) =>
    (wanted === null || wanted.has(row.status)) &&
    (code === undefined || row.code === code) &&
    (without === undefined || (row.status === 'enriched' && lacks(row.filled())));
}

/** Above 31 bits, where JavaScript's own operators end. */
function hasBit(mask: number, bit: number): boolean {
  return Math.floor(mask / 2 ** bit) % 2 === 1;
}
