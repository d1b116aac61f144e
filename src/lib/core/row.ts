/** The three fields Zia can enrich from, in the order Zoho documents them. */
export const INPUT_FIELDS = ['name', 'email', 'website'] as const;
export type InputField = (typeof INPUT_FIELDS)[number];

/** A validated row: what is sent to Zoho. At least one input field is present; absent fields were unusable or empty. */
export interface Row {
  readonly module: string;
  readonly recordId?: string;
  readonly name?: string;
  readonly email?: string;
  readonly website?: string;
}

/** What a record holds in the mapped columns, as found: untrimmed, unvalidated, possibly empty. */
export interface Candidate {
  readonly module: string;
  readonly recordId?: string;
  readonly name?: string;
  readonly email?: string;
  readonly website?: string;
}

export type FieldProblem = 'TOO_SHORT' | 'TOO_LONG' | 'NOT_ENGLISH' | 'CONTROL_CHARACTER' | 'MALFORMED';

/** A field that was present but could not be used; the row went on without it. */
export interface FieldNote {
  readonly field: InputField;
  readonly problem: FieldProblem;
}

export type RejectCode = 'NO_USABLE_FIELD' | 'BAD_RECORD_ID' | 'UNREADABLE';

export type ParsedRow =
  | { readonly ok: true; readonly row: Row; readonly notes: readonly FieldNote[] }
  | { readonly ok: false; readonly code: RejectCode; readonly reason: string };

/**
 * The longest value of each field, in UTF-16 units. Name: the larger of the two limits Zoho's API descriptions give for an
 * enrichment (150 and 255). Email and website: the sizes of Zoho CRM's Email and URL field types, since the enrichment
 * documents give none. All three are at or above what Zoho may enforce: Zoho has the last word.
 */
export const MAX_LENGTHS: Readonly<Record<InputField, number>> = { name: 255, email: 100, website: 450 };

const MIN_CHARACTERS = 3;
const MAX_RECORD_ID_DIGITS = 19;

/** Control characters, and U+FFFD: the mark of bytes that could not be read, so the text is not what the user wrote. */
const CONTROL = /[\p{Cc}\uFFFD]/u;
/** Letters that belong to one script which is not Latin; letters shared by scripts (such as U+02BC) are left to Zoho. */
const FOREIGN_LETTER = /(?![\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}])\p{L}/u;
const DOMAIN = String.raw`(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?\.)+(?:\p{L}{2,63}|xn--[a-z0-9-]{1,59})`;
const ATOM = String.raw`[\p{L}\p{N}!#$%&'*+/=?^_\x60{|}~-]+`;
const EMAIL = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*@${DOMAIN}$`, 'iu');
const HOST_AND_PORT = new RegExp(String.raw`^${DOMAIN}\.?(?::\d{1,5})?$`, 'iu');
const HTTP_SCHEME = /^https?:\/\//i;
const RECORD_ID = new RegExp(String.raw`^\d{1,${MAX_RECORD_ID_DIGITS}}$`);
const ZOHO_ID_PREFIX = /^zcrm_/i;

/**
 * Validates a record's mapped values. Values of the row are as the user wrote them, trimmed; a record id loses Zoho's
 * `zcrm_`. Empty fields are absent, unusable ones are left out and noted. Never throws, whatever the types at run time,
 * and parsing a parsed row gives the same row. Reasons never contain row content.
 */
export function parseRow(candidate: Candidate): ParsedRow {
  if (typeof candidate.module !== 'string' || candidate.module.trim() === '') {
    return { ok: false, code: 'UNREADABLE', reason: 'The row names no CRM module.' };
  }
  const recordId = parseRecordId(candidate.recordId);
  if (recordId === null) {
    return { ok: false, code: 'BAD_RECORD_ID', reason: badRecordId(candidate.recordId) };
  }
  const row: { -readonly [K in keyof Row]: Row[K] } = { module: candidate.module };
  const notes: FieldNote[] = [];
  if (recordId !== '') row.recordId = recordId;
  for (const field of INPUT_FIELDS) {
    const raw: unknown = candidate[field];
    const value = typeof raw === 'string' ? raw.trim() : raw;
    if (value === '' || value === undefined || value === null) continue;
    const problem = typeof value === 'string' ? problemOf(field, value) : 'MALFORMED';
    if (problem !== null) notes.push({ field, problem });
    else row[field] = value as string; // problemOf saw it, so it is a string
  }
  if (INPUT_FIELDS.every((field) => row[field] === undefined)) {
    return { ok: false, code: 'NO_USABLE_FIELD', reason: noUsableField(notes) };
  }
  return { ok: true, row, notes };
}

/** What is wrong with a field, for people: `the name is shorter than 3 characters`. */
function describeNote(note: FieldNote): string {
  return `the ${note.field} ${DESCRIPTIONS[note.problem](note.field)}`;
}

const DESCRIPTIONS: Readonly<Record<FieldProblem, (field: InputField) => string>> = {
  TOO_SHORT: () => `is shorter than ${MIN_CHARACTERS} characters`,
  TOO_LONG: (field) => `is longer than ${MAX_LENGTHS[field]} characters`,
  NOT_ENGLISH: () => 'has letters outside the Latin script',
  CONTROL_CHARACTER: () => 'contains control characters or line breaks',
  MALFORMED: (field) => (field === 'email' ? 'is not a valid email address' : 'is not a valid web address'),
};

function problemOf(field: InputField, value: string): FieldProblem | null {
  if (CONTROL.test(value) || !value.isWellFormed()) return 'CONTROL_CHARACTER';
  if (value.length > MAX_LENGTHS[field]) return 'TOO_LONG';
  if (value.length < MIN_CHARACTERS || (value.length < 2 * MIN_CHARACTERS && [...value].length < MIN_CHARACTERS)) {
    return 'TOO_SHORT';
  }
  if (FOREIGN_LETTER.test(value)) return 'NOT_ENGLISH';
  if (field === 'email' && !EMAIL.test(value)) return 'MALFORMED';
  if (field === 'website' && !isWebAddress(value)) return 'MALFORMED';
  return null;
}

/** A host with a dot and a top-level domain of letters, with or without http(s), port and path; no login, no spaces. */
function isWebAddress(value: string): boolean {
  if (/\s/.test(value)) return false;
  const bare = value.replace(HTTP_SCHEME, '');
  const end = bare.search(/[/?#]/);
  if (!HOST_AND_PORT.test(end === -1 ? bare : bare.slice(0, end))) return false;
  return URL.canParse(`http://${bare}`);
}

/** The digits of a record id, '' when there is none, null when it is none of Zoho's. */
function parseRecordId(value: unknown): string | null {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') return null;
  const digits = value.trim().replace(ZOHO_ID_PREFIX, '');
  return value.trim() === '' || RECORD_ID.test(digits) ? digits : null;
}

function badRecordId(value: unknown): string {
  const inExponentForm = typeof value === 'string' && /^\s*\d[.,]?\d*e\+?\d+\s*$/i.test(value);
  return inExponentForm
    ? 'The record id was rounded by a spreadsheet (it has the form 5.7E+18): export it again and format the column as text.'
    : `The record id is not one of Zoho's: at most ${MAX_RECORD_ID_DIGITS} digits, with or without zcrm_ before them.`;
}

function noUsableField(notes: readonly FieldNote[]): string {
  if (notes.length === 0) return 'No usable field: name, email and website are empty.';
  return `No usable field: ${notes.map(describeNote).join('; ')}.`;
}
