import { CUSTOMER_NAMES, GENERIC_NAMES, type MappedField, plainHeader } from './column-aliases.js';
import { parseRecordId } from './record-id.js';
import { isSharedWebsite } from './shared-hosts.js';

/** What the first records of a file hold in one column. */
export interface ColumnValues {
  readonly filled: number;
  readonly emails: number;
  readonly websites: number;
  /** Websites on hosts of others. */
  readonly shared: number;
  /** Values without a letter. */
  readonly numbers: number;
  readonly recordIds: number;
  /** The value of all that are filled, when there are several and they are all the same. */
  readonly onlyValue: string | null;
}

/** Gathers what a column holds. */
export function createColumnTally(): { add(cell: string): void; values(): ColumnValues } {
  const counts = { filled: 0, emails: 0, websites: 0, shared: 0, numbers: 0, recordIds: 0 };
  let first: string | null = null;
  let isSame = true;
  return {
    add: (cell) => {
      const value = cell.trim();
      if (value === '') return;
      counts.filled += 1;
      if (first === null) first = value;
      else if (value !== first) isSame = false;
      if (looksLikeEmail(value)) counts.emails += 1;
      else if (looksLikeWebsite(value)) {
        counts.websites += 1;
        if (isSharedWebsite(value, undefined)) counts.shared += 1;
      } else if (!/\p{L}/u.test(value)) counts.numbers += 1;
      if (/\d{13}/.test(value) && parseRecordId(value) !== null) counts.recordIds += 1;
    },
    values: () => ({ ...counts, onlyValue: isSame && counts.filled > 1 ? first : null }),
  };
}

export function looksLikeEmail(value: string): boolean {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value);
}

export function looksLikeWebsite(value: string): boolean {
  return /^(?:https?:\/\/)?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}(?:[:/?#]\S*)?$/iu.test(value);
}

/** A column that may give a field. */
export interface ColumnCandidate {
  readonly index: number;
  readonly header: string;
  readonly values: ColumnValues;
}

/**
 * The candidate that gives the field: the first, unless its values speak against it and another's do not. Null where no
 * candidate can be the field at all.
 */
export function chooseByValues(field: MappedField, candidates: readonly ColumnCandidate[]): ColumnCandidate | null {
  const possible = field === 'recordId' ? candidates.filter(mayBeRecordId) : candidates;
  return possible.find((candidate) => !loses(field, candidate, possible)) ?? possible[0] ?? null;
}

function mayBeRecordId({ values }: ColumnCandidate): boolean {
  return values.filled === 0 || values.recordIds > 0;
}

/** An almost empty column loses against one with so many times as many values. */
const FULLER = 10;

function loses(field: MappedField, candidate: ColumnCandidate, all: readonly ColumnCandidate[]): boolean {
  const { filled, numbers, shared, emails } = candidate.values;
  if (all.some(({ values }) => values.filled > filled * FULLER)) return true;
  if (filled === 0) return false;
  if (field === 'name') return numbers === filled || isOneForAll(candidate, all);
  if (field === 'website') return shared + emails > filled / 2;
  return false;
}

const YES_OR_NO =
  /^(y|yes|no?|true|false|ja|nein|nee|oui|non|s[ií]|sim|n[aã]o|vero|falso|x|active|inactive|aktiv|customer|kunde|client)$/i;

/** `Yes` for all rows is no name; and if a company is the same for all, the column of anything's name may tell more. */
function isOneForAll({ header, values }: ColumnCandidate, all: readonly ColumnCandidate[]): boolean {
  if (values.onlyValue === null) return false;
  if (YES_OR_NO.test(values.onlyValue)) return true;
  const others = all.filter(
    (other) => other.header !== header && other.values.onlyValue === null && other.values.filled > 0,
  );
  const isCustomer = CUSTOMER_NAMES.includes(plainHeader(header));
  return others.some((other) => isCustomer || !GENERIC_NAMES.includes(plainHeader(other.header)));
}

/** What most values of a column look like; null when they are too mixed or too few. */
export function likenessOf({ filled, emails, websites, numbers }: ColumnValues): 'email' | 'website' | 'name' | null {
  if (filled < ENOUGH) return null;
  if (emails > filled * MOST) return 'email';
  if (websites > filled * MOST) return 'website';
  return filled - emails - websites - numbers > filled * MOST ? 'name' : null;
}

/** The same of the cells themselves. */
export function likenessOfCells(cells: readonly string[]): ReturnType<typeof likenessOf> {
  const tally = createColumnTally();
  for (const cell of cells) tally.add(cell);
  return likenessOf(tally.values());
}

const ENOUGH = 3;
const MOST = 0.7;
