import type { Verdict } from './answer.js';
import type { Reply } from './reply.js';
import { INPUT_FIELDS, type InputField } from './row.js';

/** A refusal that Zoho documents. */
export type Fault = Extract<Verdict, { kind: 'row' | 'stop' }>;
type StopCause = Extract<Verdict, { kind: 'stop' }>['cause'];

interface KnownStop {
  readonly cause: StopCause;
  readonly message: (details: Reply['details']) => string;
}

const MODULE_MESSAGE =
  'Zoho cannot enrich this CRM module; set ZIA_MODULE to one that Zia enriches, such as Accounts, queue the file again (its waiting rows are replaced), then resume.';
const BUG_MESSAGE =
  'Zoho refused the form of the request, which is a mistake in this program and not in your data; please report it with this code.';

/** Refusals that every row would meet. */
const STOPS: Readonly<Record<string, KnownStop>> = {
  LIMIT_EXCEEDED: {
    cause: 'quota',
    message: ({ limit }) =>
      `The org's enrichment allowance${numbered(limit)} is used up; resume when Zoho grants more.`,
  },
  NOT_ALLOWED: { cause: 'configuration', message: notMapped },
  REQUIRED_PARAM_MISSING: {
    cause: 'configuration',
    message: ({ param_name }) =>
      `Zoho misses the parameter${named(param_name)}; check ZIA_MODULE, queue the file again (its waiting rows are replaced), then resume.`,
  },
  INVALID_MODULE: { cause: 'configuration', message: () => MODULE_MESSAGE },
  NOT_SUPPORTED: { cause: 'configuration', message: () => MODULE_MESSAGE },
  API_NOT_SUPPORTED: {
    cause: 'configuration',
    message: ({ supported_version }) =>
      `This version of Zoho's API cannot enrich${typeof supported_version === 'string' ? ` (needed:${named(supported_version)})` : ''}; set ZOHO_API_VERSION to v7 or v8, then resume.`,
  },
  INVALID_URL_PATTERN: {
    cause: 'configuration',
    message: () =>
      'Zoho does not know the address of the enrichment API; check ZOHO_API_DOMAIN and ZOHO_API_VERSION, then resume.',
  },
  MANDATORY_NOT_FOUND: { cause: 'bug', message: () => BUG_MESSAGE },
  FEATURE_NOT_ENABLED: {
    cause: 'account',
    message: () => 'Data enrichment is switched off in this Zoho org; switch it on in Setup, Zia, then resume.',
  },
  FEATURE_NOT_SUPPORTED: {
    cause: 'account',
    message: () =>
      'The edition of this Zoho org has no data enrichment (Enterprise and Ultimate have); change the edition or the account, then resume.',
  },
  NO_PERMISSION: {
    cause: 'account',
    message: () =>
      'The Zoho user may not enrich data; give the profile the permission Manage Data Enrichment, then resume.',
  },
  OAUTH_SCOPE_MISMATCH: {
    cause: 'account',
    message: () =>
      'The refresh token lacks the scope ZohoCRM.settings.intelligence.CREATE; make one with it (npm run login), then resume.',
  },
};

/** What a documented refusal means; undefined for a code, or details of INVALID_DATA, that nobody documents. */
export function faultOf(reply: Reply): Fault | undefined {
  const { code, details } = reply;
  if (code === 'INVALID_DATA') return invalidData(reply);
  if (code === 'EXPECTED_FIELD_MISSING') {
    return rowFault(code, null, 'Zoho found none of name, email and website in the row; fill in at least one.');
  }
  const known = Object.hasOwn(STOPS, code) ? STOPS[code] : undefined;
  return known && { kind: 'stop', cause: known.cause, code, message: known.message(details) };
}

/** One code for faults of the row, of the settings and of this program: the details alone tell which. */
function invalidData({ code, details }: Reply): Fault | undefined {
  const subject = subjectOf(details);
  if (subject === undefined) return undefined;
  const field = INPUT_FIELDS.find((name) => name === subject);
  if (field !== undefined) return rowFault(code, field, refusedField(field, details));
  if (subject === 'record_id') {
    return rowFault(
      code,
      'record_id',
      'Zoho knows no record with the record id of this row; correct it, or leave it empty.',
    );
  }
  if (subject === 'module') return { kind: 'stop', cause: 'configuration', code, message: MODULE_MESSAGE };
  return { kind: 'stop', cause: 'bug', code, message: BUG_MESSAGE };
}

/** The field or parameter that a refusal is about. */
function subjectOf({ param_name, api_name, param, json_path, index }: Reply['details']): string | undefined {
  const given = [param_name, api_name, param].find((name) => typeof name === 'string' && name !== '');
  if (typeof given === 'string') return given;
  if (typeof json_path === 'string') return /(\w+)(\[\d+\])?$/.exec(json_path)?.[1];
  return index === undefined ? undefined : 'index';
}

function rowFault(code: string, field: InputField | 'record_id' | null, message: string): Fault {
  return { kind: 'row', code, message, field };
}

function refusedField(field: InputField, { maximum_length }: Reply['details']): string {
  return maximum_length === undefined
    ? `Zoho does not accept the ${field} of this row (at least 3 characters, in English letters); correct it and retry the row.`
    : `The ${field} of this row is longer than Zoho accepts${numbered(maximum_length)}; shorten it and retry the row.`;
}

function notMapped(details: Reply['details']): string {
  const field = INPUT_FIELDS.find((name) => name === subjectOf(details));
  return field === undefined
    ? "A field of the rows is not mapped in the org's data enrichment configuration; map name, email and website there (Setup, Zia), then resume, or go on without the one that is missing: resume --without email."
    : `The ${field} is not mapped in the org's data enrichment configuration; map it there (Setup, Zia), then resume, or go on without it: resume --without ${field}.`;
}

/** ` (1500)`, or nothing when it is not a plain number: Zoho's texts may quote the row. */
function numbered(value: unknown): string {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  return /^\d{1,12}$/.test(text) ? ` (${text})` : '';
}

function named(value: unknown): string {
  return typeof value === 'string' && /^[\w.]{1,60}$/.test(value) ? ` ${value}` : '';
}

/** Codes by which Zoho refuses an access token, whatever it was asked. */
export const REFUSED_TOKEN = new Set(['INVALID_TOKEN', 'AUTHENTICATION_FAILURE', 'INVALID_OAUTHTOKEN', 'UNAUTHORIZED']);
