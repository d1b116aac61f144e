import { cleanField } from './clean-field.js';
import { INPUT_FIELDS, type InputField } from './input-fields.js';
import { isPlaceholderEmail, isPlaceholderValue, isPlaceholderWebsite } from './placeholders.js';
import { badRecordId, parseRecordId } from './record-id.js';
import { isSharedEmail, isSharedWebsite } from './shared-hosts.js';
import { asciiHost, partsOf } from './web-address.js';

export { INPUT_FIELDS, type InputField };

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

export type FieldProblem =
  | 'TOO_SHORT'
  | 'TOO_LONG'
  | 'NOT_ENGLISH'
  | 'CONTROL_CHARACTER'
  | 'MALFORMED'
  | 'NO_LETTER'
  | 'GARBLED'
  | 'PLACEHOLDER'
  | 'SHARED_HOST';

/** Values to use although they seem to say nothing: the flag `--keep`. */
export const KEEPABLE = ['placeholders', 'shared-hosts'] as const;
export type Keepable = (typeof KEEPABLE)[number];

export interface ParseOptions {
  /** Default none. A worker keeps all: whoever queued the row has decided. */
  readonly keep?: readonly Keepable[] | undefined;
}

/** A field that was present but could not be used; the row went on without it. */
export interface FieldNote {
  readonly field: InputField;
  readonly problem: FieldProblem;
}

export type RejectCode =
  | 'NO_USABLE_FIELD'
  | 'BAD_RECORD_ID'
  | 'SHARED_RECORD_ID'
  | 'UNREADABLE'
  | 'TOO_MANY_CELLS'
  | 'TOO_FEW_CELLS'
  | 'REPEATED_HEADER';

export type ParsedRow =
  | { readonly ok: true; readonly row: Row; readonly notes: readonly FieldNote[] }
  | {
      readonly ok: false;
      readonly code: RejectCode;
      readonly reason: string;
      /** What is wrong with each field of NO_USABLE_FIELD. */
      readonly notes?: readonly FieldNote[];
    };

/**
 * The longest value of each field, in UTF-16 units. Name: the larger of the two limits Zoho's API descriptions give for an
 * enrichment (150 and 255). Email and website: the sizes of Zoho CRM's Email and URL field types, since the enrichment
 * documents give none. All three are at or above what Zoho may enforce: Zoho has the last word.
 */
export const MAX_LENGTHS: Readonly<Record<InputField, number>> = { name: 255, email: 100, website: 450 };

const MIN_CHARACTERS = 3;

/** Control characters, and U+FFFD: the mark of bytes that could not be read, so the text is not what the user wrote. */
const CONTROL = /[\p{Cc}\uFFFD]/u;
/** Letters that belong to one script which is not Latin; letters shared by scripts (such as U+02BC) are left to Zoho. */
const FOREIGN_LETTER = /(?![\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}])\p{L}/u;
const DOMAIN = String.raw`(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?\.)+(?:\p{L}{2,63}|xn--[a-z0-9-]{1,59})`;
const ATOM = String.raw`[\p{L}\p{N}!#$%&'*+/=?^_\x60{|}~-]+`;
const EMAIL = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*@${DOMAIN}$`, 'iu');
/** Most addresses are of this form, of which the full patterns take several times as long to say the same. */
const LABELS = '(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}';
const SIMPLE_EMAIL = new RegExp(`^[a-z0-9]+(?:[._-][a-z0-9]+)*@${LABELS}$`, 'i');
const SIMPLE_WEBSITE = new RegExp(`^(?:https?://)?(?!www\\.[a-z]+(?:/|$))(?!.*xn--)${LABELS}(?:/[\\w./-]*)?$`, 'i');
const HOST_AND_PORT = new RegExp(String.raw`^${DOMAIN}\.?(?::\d{1,5})?$`, 'iu');
const LETTER = /\p{L}/u;
/** A number as spreadsheets write it; what is in it is no letter. */
const SCIENTIFIC = /^[+-]?\d+(?:[.,]\d+)?E[+-]?\d+$/i;
/** A whole value that is an email address, a web address with http or www, a formula, JSON, or has a tag of HTML in it. */
const NO_NAME =
  /^(?:[^\s@]+@[^\s@]+\.[^\s@]+|(?:https?:\/\/|www\.)\S+\.\S+|=[A-Z][A-Z.]*\(.*|\{\s*".*\}|\[\s*["{].*\]|.*<\/[a-z]+>.*)$/is;
/** Cells of a row with another separator than its file: `Acme Ltd;acme.com`, `"Acme Ltd";"Bonn"`. A tab is refused before. */
const SEVERAL_CELLS = /"[;,|]"|;"?(?:https?:\/\/|[^\s;@"]+@)?[a-z\d-]+(?:\.[a-z\d-]+)*\.[a-z]{2,}(?=["/;]|$)/i;
/** `Ã¼`, `â€™`: UTF-8 read as windows-1252. Not Ã before a quotation mark or a no-break space, which Portuguese has. */
const GARBLED = /[ÂÃ][\u00A1-\u00AA\u00AC-\u00BA\u00BC-\u00BF]|â€[\u0080-\u00BF“”™œš˜ž¦¢]/;
const LEADING_WWW = /^www\./i;

/**
 * Validates a record's mapped values. Values of the row are as the user wrote them, cleaned (see `cleanField`); a web
 * address has its host in ASCII, a record id loses Zoho's `zcrm_`. Empty fields are absent, unusable ones are left out and
 * noted. Never throws, whatever the types at run time, and parsing a parsed row gives the same row. Reasons never contain
 * row content.
 */
export function parseRow(candidate: Candidate, { keep = [] }: ParseOptions = {}): ParsedRow {
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
    if (raw === undefined || raw === null || raw === '') continue;
    const value = typeof raw === 'string' ? usableForm(field, raw) : null;
    if (value === '') continue;
    const problem = value === null ? 'MALFORMED' : problemOf(field, value, row.name, keep);
    if (problem !== null) notes.push({ field, problem });
    else row[field] = value as string; // problemOf saw it, so it is a string
  }
  if (INPUT_FIELDS.every((field) => row[field] === undefined)) {
    return { ok: false, code: 'NO_USABLE_FIELD', reason: noUsableField(notes), notes };
  }
  return { ok: true, row, notes };
}

/** A value as it would be sent. */
function usableForm(field: InputField, raw: string): string {
  const value = cleanField(field, raw);
  if (field !== 'website' || PLAIN_ASCII.test(value)) return value;
  const { scheme, host, port, rest } = partsOf(value);
  // A host of another script is refused for its letters; Punycode would hide them.
  return FOREIGN_LETTER.test(host) ? value : scheme + asciiHost(host) + (port === '' ? '' : `:${port}`) + rest;
}

const PLAIN_ASCII = /^[ -~]*$/;

/** What is wrong with a field, for people: `the name is shorter than 3 characters`. */
function describeNote(note: FieldNote): string {
  return `the ${note.field} ${DESCRIPTIONS[note.problem](note.field)}`;
}

const DESCRIPTIONS: Readonly<Record<FieldProblem, (field: InputField) => string>> = {
  TOO_SHORT: () => `is shorter than ${MIN_CHARACTERS} characters`,
  TOO_LONG: (field) => `is longer than ${MAX_LENGTHS[field]} characters`,
  NOT_ENGLISH: () => 'has letters outside the Latin script',
  CONTROL_CHARACTER: () => 'contains control characters or line breaks',
  NO_LETTER: () => 'has no letter in it',
  GARBLED: () => 'has garbled letters: text in UTF-8 was read as something else',
  PLACEHOLDER: () => 'is a placeholder',
  SHARED_HOST: (field) =>
    field === 'email' ? 'is at a free-mail provider' : 'is a page on a social network or another host of many',
  MALFORMED: (field) =>
    ({
      name: 'is an address, a formula, code or several cells',
      email: 'is not a valid email address',
      website: 'is not a valid web address',
    })[field],
};

function problemOf(
  field: InputField,
  value: string,
  name: string | undefined,
  keep: readonly Keepable[],
): FieldProblem | null {
  const isPlain = PLAIN_ASCII.test(value);
  if (!isPlain && (CONTROL.test(value) || !value.isWellFormed())) return 'CONTROL_CHARACTER';
  if (value.length > MAX_LENGTHS[field]) return 'TOO_LONG';
  if (value.length < MIN_CHARACTERS || (value.length < 2 * MIN_CHARACTERS && [...value].length < MIN_CHARACTERS)) {
    return 'TOO_SHORT';
  }
  if (!isPlain && FOREIGN_LETTER.test(value)) return 'NOT_ENGLISH';
  if (!isPlain && GARBLED.test(value)) return 'GARBLED';
  const keepsPlaceholders = keep.includes('placeholders');
  if (field === 'name') {
    if (!LETTER.test(value) || SCIENTIFIC.test(value)) return 'NO_LETTER';
    if (NO_NAME.test(value) || SEVERAL_CELLS.test(value)) return 'MALFORMED';
    return !keepsPlaceholders && isPlaceholderValue(value) ? 'PLACEHOLDER' : null;
  }
  if (!(field === 'email' ? SIMPLE_EMAIL.test(value) || EMAIL.test(value) : isWebAddress(value))) {
    return isPlaceholderValue(value) || (field === 'email' && isPlaceholderEmail(value)) ? 'PLACEHOLDER' : 'MALFORMED';
  }
  if (!keepsPlaceholders && (field === 'email' ? isPlaceholderEmail : isPlaceholderWebsite)(value))
    return 'PLACEHOLDER';
  if (keep.includes('shared-hosts')) return null;
  return (field === 'email' ? isSharedEmail : isSharedWebsite)(value, name) ? 'SHARED_HOST' : null;
}

/**
 * A host with a dot, also without its `www.`, and a top-level domain of letters, with or without http(s), port and path; no
 * login, no spaces.
 */
function isWebAddress(value: string): boolean {
  if (SIMPLE_WEBSITE.test(value)) return true;
  if (/\s/.test(value)) return false;
  const { scheme, host } = partsOf(value);
  const bare = value.slice(scheme.length);
  const end = bare.search(/[/?#]/);
  if (!HOST_AND_PORT.test(end === -1 ? bare : bare.slice(0, end))) return false;
  if (!HOST_AND_PORT.test(host.replace(LEADING_WWW, ''))) return false;
  return URL.canParse(`http://${bare}`);
}

function noUsableField(notes: readonly FieldNote[]): string {
  if (notes.length === 0) return 'No usable field: name, email and website are empty.';
  return `No usable field: ${notes.map(describeNote).join('; ')}.`;
}
