import { aliasRank, isPersonsName, MAPPED_FIELDS, type MappedField, plainHeader } from './column-aliases.js';
import { type ColumnCandidate, type ColumnValues, chooseByValues } from './column-values.js';
import { INPUT_FIELDS } from './input-fields.js';

export { MAPPED_FIELDS, type MappedField };

/** Where each field is in a record, counted from 0; absent fields are not in the file or left out. */
export type ColumnMapping = Readonly<Partial<Record<MappedField, number>>>;

/** What the user said about columns: a header's text, `#3` for the third column, or null to leave the field out. */
export type ColumnOverrides = Readonly<Partial<Record<MappedField, string | null>>>;

export type ColumnProblemCode = 'BAD_MAP_FLAG' | 'UNKNOWN_COLUMN' | 'NO_USABLE_COLUMN';

/** `message` is one sentence for people. */
export interface ColumnProblem {
  readonly ok: false;
  readonly code: ColumnProblemCode;
  readonly message: string;
}

export type FoundColumns =
  | {
      readonly ok: true;
      readonly columns: ColumnMapping;
      /** Fields whose column would have been another one without the values. */
      readonly byValues: readonly MappedField[];
    }
  | ColumnProblem;
export type ParsedMapFlags = { readonly ok: true; readonly overrides: ColumnOverrides } | ColumnProblem;

const FIELD_BY_FLAG: Readonly<Record<string, MappedField>> = {
  name: 'name',
  email: 'email',
  website: 'website',
  recordid: 'recordId',
};

/**
 * Finds the columns of a header row. Overrides win and are matched exactly first, then with case and punctuation ignored,
 * then by position; a column serves one field only. Where `values` say what the columns hold, they decide between those
 * that the headers allow. Without any of name, email and website it is a problem that lists the headers.
 */
export function findColumns(
  headers: readonly string[],
  overrides: ColumnOverrides,
  values: readonly (ColumnValues | undefined)[] = [],
): FoundColumns {
  const columns: Partial<Record<MappedField, number>> = {};
  const byValues: MappedField[] = [];
  for (const field of MAPPED_FIELDS) {
    const wanted = overrides[field];
    if (wanted === undefined || wanted === null) continue;
    const index = indexOfHeader(headers, wanted);
    if (index === -1) return unknownColumn(field, wanted, headers);
    columns[field] = index;
  }
  const taken = new Set(Object.values(columns));
  for (const field of MAPPED_FIELDS) {
    if (overrides[field] !== undefined) continue;
    const indexes = aliasColumns(field, headers).filter((index) => !taken.has(index));
    const index = bestOf(field, headers, indexes, values);
    if (index === undefined) continue;
    columns[field] = index;
    if (index !== indexes[0]) byValues.push(field);
  }
  if (INPUT_FIELDS.every((field) => columns[field] === undefined)) return noUsableColumn(headers);
  return { ok: true, columns, byValues };
}

/** The columns that a field's aliases name, the most specific first and of equals the leftmost. */
export function aliasColumns(field: MappedField, headers: readonly string[]): readonly number[] {
  return headers
    .map((header, index) => ({ index, rank: aliasRank(field, header) }))
    .filter(({ rank, index }) => rank !== -1 && !(field === 'name' && isPersonsName(headers[index] ?? '', headers)))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ index }) => index);
}

function bestOf(
  field: MappedField,
  headers: readonly string[],
  indexes: readonly number[],
  values: readonly (ColumnValues | undefined)[],
): number | undefined {
  const candidates = indexes.flatMap((index): ColumnCandidate[] => {
    const own = values[index];
    return own === undefined ? [] : [{ index, header: headers[index] ?? '', values: own }];
  });
  return candidates.length === 0 ? indexes[0] : chooseByValues(field, candidates)?.index;
}

/** Reads `--map` values: `name=Firm` takes the column Firm, `email=` leaves the field out. Each field at most once. */
export function parseMapFlags(flags: readonly string[]): ParsedMapFlags {
  const overrides: Partial<Record<MappedField, string | null>> = {};
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const field = equals === -1 ? undefined : FIELD_BY_FLAG[plainHeader(flag.slice(0, equals))];
    if (field === undefined) {
      return badFlag(
        `--map ${quoted(flag)} is not understood: write --map <field>=<header>, with one of ${fieldNames()}.`,
      );
    }
    if (overrides[field] !== undefined) return badFlag(`--map names the field ${flagName(field)} twice: give it once.`);
    overrides[field] = flag.slice(equals + 1).trim() || null;
  }
  return { ok: true, overrides };
}

/** What `--map` calls this column: its header, or its position where the header is blank or names another column first. */
export function columnName(headers: readonly string[], index: number): string {
  const header = headers[index]?.trim() ?? '';
  return header !== '' && indexOfHeader(headers, header) === index ? header : `#${index + 1}`;
}

/** The column that `--map` means by a header's text or `#3`; -1 when there is none. */
export function indexOfHeader(headers: readonly string[], wanted: string): number {
  const exact = headers.findIndex((header) => header.trim() === wanted);
  if (exact !== -1) return exact;
  const target = plainHeader(wanted);
  const named = target === '' ? -1 : headers.findIndex((header) => plainHeader(header) === target);
  if (named !== -1) return named;
  const position = Number(/^#(\d{1,6})$/.exec(wanted)?.[1] ?? 0);
  return position >= 1 && position <= headers.length ? position - 1 : -1;
}

function unknownColumn(field: MappedField, wanted: string, headers: readonly string[]): ColumnProblem {
  const message = `--map ${flagName(field)}=${quoted(wanted)} names no column of the file, whose headers are: ${headersListed(headers)}.`;
  return { ok: false, code: 'UNKNOWN_COLUMN', message };
}

function noUsableColumn(headers: readonly string[]): ColumnProblem {
  const message =
    `No column for name, email or website was found among the headers ${headersListed(headers)}: ` +
    'name one with --map, for example --map name="Firm", or --map name=#2 for the second column.';
  return { ok: false, code: 'NO_USABLE_COLUMN', message };
}

function badFlag(message: string): ColumnProblem {
  return { ok: false, code: 'BAD_MAP_FLAG', message };
}

const MAX_HEADERS_LISTED = 40;
const MAX_HEADER_SHOWN = 60;

function headersListed(headers: readonly string[]): string {
  const shown = headers.slice(0, MAX_HEADERS_LISTED).map(quoted).join(', ');
  const more = headers.length - MAX_HEADERS_LISTED;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** Headers are printed to a terminal, so control characters are shown as `?`. */
function quoted(header: string): string {
  const safe = header.trim().replace(/[\p{Cc}\p{Cs}]/gu, '?');
  return `"${safe.length > MAX_HEADER_SHOWN ? `${safe.slice(0, MAX_HEADER_SHOWN)}…` : safe}"`;
}

function flagName(field: MappedField): string {
  return field === 'recordId' ? 'record_id' : field;
}

function fieldNames(): string {
  return MAPPED_FIELDS.map(flagName).join(', ');
}
