import { INPUT_FIELDS, type InputField } from './row.js';

/** The fields a column can be mapped to: what Zia enriches from, and the CRM record it belongs to. */
export const MAPPED_FIELDS = [...INPUT_FIELDS, 'recordId'] as const;
export type MappedField = InputField | 'recordId';

/** Where each field is in a record, counted from 0; absent fields are not in the file or left out. */
export type ColumnMapping = Readonly<Partial<Record<MappedField, number>>>;

/** What the user said about columns: a header's text, or null to leave the field out. */
export type ColumnOverrides = Readonly<Partial<Record<MappedField, string | null>>>;

export type ColumnProblemCode = 'BAD_MAP_FLAG' | 'UNKNOWN_COLUMN' | 'NO_USABLE_COLUMN';

/** `message` is one sentence for people. */
export interface ColumnProblem {
  readonly ok: false;
  readonly code: ColumnProblemCode;
  readonly message: string;
}

export type FoundColumns = { readonly ok: true; readonly columns: ColumnMapping } | ColumnProblem;
export type ParsedMapFlags = { readonly ok: true; readonly overrides: ColumnOverrides } | ColumnProblem;

/**
 * Headers of each field, most specific first, as `plain` writes them. The first alias that any header matches wins; of
 * several headers that match it, the leftmost.
 */
const ALIASES: Readonly<Record<MappedField, readonly string[]>> = {
  name: [
    'accountname',
    'companyname',
    'organizationname',
    'organisationname',
    'businessname',
    'firmname',
    'legalname',
    'customername',
    'clientname',
    'nameofcompany',
    'company',
    'organization',
    'organisation',
    'account',
    'business',
    'firm',
    'employer',
    'customer',
    'client',
    'name',
  ],
  email: [
    'companyemail',
    'companyemailaddress',
    'accountemail',
    'businessemail',
    'workemail',
    'primaryemail',
    'emailaddress',
    'email',
    'emailid',
    'contactemail',
    'mail',
  ],
  website: [
    'companywebsite',
    'accountwebsite',
    'websiteurl',
    'websiteaddress',
    'companyurl',
    'companydomain',
    'website',
    'webpage',
    'webaddress',
    'homepage',
    'homepageurl',
    'domainname',
    'domain',
    'url',
    'web',
    'site',
  ],
  recordId: ['recordid', 'zohorecordid', 'crmrecordid', 'zohocrmrecordid', 'accountrecordid'],
};

const FIELD_BY_FLAG: Readonly<Record<string, MappedField>> = {
  name: 'name',
  email: 'email',
  website: 'website',
  recordid: 'recordId',
};

/**
 * Finds the columns of a header row. Overrides win and are matched exactly first, then with case and punctuation ignored;
 * a column serves one field only. Without any of name, email and website it is a problem that lists the headers.
 */
export function findColumns(headers: readonly string[], overrides: ColumnOverrides): FoundColumns {
  const columns: Partial<Record<MappedField, number>> = {};
  const plainHeaders = headers.map(plain);
  for (const field of MAPPED_FIELDS) {
    const wanted = overrides[field];
    if (wanted === undefined || wanted === null) continue;
    const index = indexOfHeader(headers, plainHeaders, wanted);
    if (index === -1) return unknownColumn(field, wanted, headers);
    columns[field] = index;
  }
  const taken = new Set(Object.values(columns));
  for (const field of MAPPED_FIELDS) {
    if (overrides[field] !== undefined) continue;
    const index = indexOfAlias(plainHeaders, ALIASES[field], taken);
    if (index !== -1) columns[field] = index;
  }
  if (INPUT_FIELDS.every((field) => columns[field] === undefined)) return noUsableColumn(headers);
  return { ok: true, columns };
}

/** Reads `--map` values: `name=Firm` takes the column Firm, `email=` leaves the field out. Each field at most once. */
export function parseMapFlags(flags: readonly string[]): ParsedMapFlags {
  const overrides: Partial<Record<MappedField, string | null>> = {};
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const field = equals === -1 ? undefined : FIELD_BY_FLAG[plain(flag.slice(0, equals))];
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

/** A header with case, accents of width, spaces and punctuation ignored. */
function plain(header: string): string {
  return header
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]/gu, '');
}

function indexOfHeader(headers: readonly string[], plainHeaders: readonly string[], wanted: string): number {
  const exact = headers.findIndex((header) => header.trim() === wanted);
  if (exact !== -1) return exact;
  const target = plain(wanted);
  return target === '' ? -1 : plainHeaders.indexOf(target);
}

function indexOfAlias(plainHeaders: readonly string[], aliases: readonly string[], taken: ReadonlySet<number>): number {
  for (const alias of aliases) {
    const index = plainHeaders.findIndex((header, at) => header === alias && !taken.has(at));
    if (index !== -1) return index;
  }
  return -1;
}

function unknownColumn(field: MappedField, wanted: string, headers: readonly string[]): ColumnProblem {
  const message = `--map ${flagName(field)}=${quoted(wanted)} names no column of the file, whose headers are: ${listed(headers)}.`;
  return { ok: false, code: 'UNKNOWN_COLUMN', message };
}

function noUsableColumn(headers: readonly string[]): ColumnProblem {
  const message =
    `No column for name, email or website was found among the headers ${listed(headers)}: ` +
    'name one with --map, for example --map name="Firm".';
  return { ok: false, code: 'NO_USABLE_COLUMN', message };
}

function badFlag(message: string): ColumnProblem {
  return { ok: false, code: 'BAD_MAP_FLAG', message };
}

const MAX_HEADERS_LISTED = 40;
const MAX_HEADER_SHOWN = 60;

function listed(headers: readonly string[]): string {
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
