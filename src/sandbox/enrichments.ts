import {
  bareError,
  EMPTY,
  FEATURE_NOT_ENABLED,
  FEATURE_NOT_SUPPORTED,
  listedError,
  ok,
  RESOURCE,
  type SandboxAnswer,
} from './answers.js';
import { nowMs, type SandboxEnrichment, type SentValues } from './effects.js';
import { enrichedDataOf, finalStatusOf } from './enriched-data.js';
import type { SandboxOptions } from './options.js';

/** The enrichments of the org: what was accepted, in order, and what became of it. */
export interface EnrichmentBook {
  /** Judges a submission; `accept` schedules it and must be called at most once. */
  judge(url: URL, body: string, options: SandboxOptions): Judgement;
  list(url: URL, options: SandboxOptions): SandboxAnswer;
  get(id: string, options: SandboxOptions): SandboxAnswer;
  /** Schedules one that no call of the API asked for, as a person does in the CRM's own pages. */
  accept(sent: SentValues, createdBy: string): SandboxEnrichment;
  all(): readonly SandboxEnrichment[];
  /** What the latest finished enrichment of a CRM record found; null data when it found nothing. FAILED ones write nothing. */
  finishedFor(module: string, recordId: string, options: SandboxOptions): FinishedEnrichment | undefined;
  reset(): void;
}

export interface FinishedEnrichment {
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly atMs: number;
}

export type Judgement =
  | { readonly kind: 'refused'; readonly answer: SandboxAnswer; readonly sent: SentValues | null }
  | { readonly kind: 'acceptable'; readonly sent: SentValues; readonly accept: () => SandboxEnrichment };

const FIELDS = ['name', 'email', 'website'] as const;
const PER_PAGE = 100;
/** The user whose refresh token the API calls come with. */
export const API_USER = '554023000000235011';
const EDITIONS = ['enterprise', 'ultimate'];
const STATUSES = ['SCHEDULED', 'RUNNING', 'UPDATED', 'COMPLETED', 'FAILED', 'DATA_NOT_FOUND'];

export function createEnrichmentBook(): EnrichmentBook {
  const accepted: SandboxEnrichment[] = [];
  let nextId = firstId();
  const byId = new Map<string, SandboxEnrichment>();
  const byRecord = new Map<string, SandboxEnrichment>();

  function accept(sent: SentValues, createdBy = API_USER): SandboxEnrichment {
    const enrichment = { id: String(nextId), sent, createdAtMs: nowMs(), createdBy };
    nextId += 7n;
    accepted.push(enrichment);
    byId.set(enrichment.id, enrichment);
    if (sent.recordId !== undefined) byRecord.set(`${sent.module} ${sent.recordId}`, enrichment);
    return enrichment;
  }

  return {
    judge: (url, body, options) => {
      const parsed = parseSubmission(url, body, options);
      if ('answer' in parsed) return { kind: 'refused', answer: parsed.answer, sent: parsed.sent };
      if (options.quota !== null && accepted.length >= options.quota) {
        return { kind: 'refused', answer: limitExceeded(options.quota), sent: parsed.sent };
      }
      return { kind: 'acceptable', sent: parsed.sent, accept: () => accept(parsed.sent) };
    },
    list: (url, options) => {
      const refusal = featureFault(options) ?? listFault(url);
      if (refusal !== undefined) return refusal;
      const wanted = url.searchParams.get('status');
      const perPage = Math.min(PER_PAGE, positive(url.searchParams.get('per_page')) ?? PER_PAGE);
      const page = options.listRepeats ? 1 : (positive(url.searchParams.get('page')) ?? 1);
      const matching = wanted === null ? accepted : accepted.filter((one) => statusOf(one, options) === wanted);
      const items = pageOf(matching, page, perPage, url.searchParams.get('sort_order') === 'asc');
      if (items.length === 0) return EMPTY;
      const info = {
        per_page: perPage,
        count: items.length,
        page,
        more_records: options.listRepeats || page * perPage < matching.length,
      };
      return ok({ [RESOURCE]: items.map((one) => listed(one, options)), info });
    },
    get: (id, options) => {
      if (!options.featureEnabled) return listedError('FEATURE_NOT_ENABLED', {}, 'Data Enrichment feature not enabled');
      const refusal = featureFault(options);
      if (refusal !== undefined) return refusal;
      const enrichment = byId.get(id);
      return enrichment === undefined ? EMPTY : ok({ [RESOURCE]: [detailed(enrichment, options)] });
    },
    accept,
    all: () => accepted,
    finishedFor: (module, recordId, options) => {
      const enrichment = byRecord.get(`${module} ${recordId}`);
      if (enrichment === undefined) return undefined;
      const status = statusOf(enrichment, options);
      const atMs = enrichment.createdAtMs + options.completeAfterMs;
      if (status === 'DATA_NOT_FOUND') return { data: null, atMs };
      return status === 'COMPLETED' ? { data: enrichedDataOf(enrichment.sent), atMs } : undefined;
    },
    reset: () => {
      accepted.length = 0;
      byId.clear();
      byRecord.clear();
    },
  };
}

/** 19 digits, above 2^53; another start for every process, because a ledger outlives the stand-in that fills it. */
function firstId(): bigint {
  const tenMs = Math.floor(nowMs() / 10) % 1e10;
  return BigInt(`4${String(tenMs).padStart(10, '0')}00000001`);
}

function featureFault({ featureEnabled, edition }: SandboxOptions): SandboxAnswer | undefined {
  if (!featureEnabled) return FEATURE_NOT_ENABLED;
  return EDITIONS.includes(edition) ? undefined : FEATURE_NOT_SUPPORTED;
}

/** What a list call may ask for: Zoho documents the refusal of a status only, the others are made alike. */
function listFault({ searchParams }: URL): SandboxAnswer | undefined {
  const allowed = { status: STATUSES, sort_by: ['created_time'], sort_order: ['asc', 'desc'] };
  for (const [param, supported_values] of Object.entries(allowed)) {
    const given = searchParams.get(param);
    if (given !== null && !supported_values.includes(given)) {
      return bareError(400, 'INVALID_DATA', { param, supported_values }, `${param} value invalid`);
    }
  }
  return undefined;
}

/** A page without turning the whole list round: a look at its newest end must stay cheap. */
function pageOf(
  oldestFirst: readonly SandboxEnrichment[],
  page: number,
  perPage: number,
  ascending: boolean,
): readonly SandboxEnrichment[] {
  const skipped = (page - 1) * perPage;
  if (ascending) return oldestFirst.slice(skipped, skipped + perPage);
  const end = oldestFirst.length - skipped;
  return end <= 0 ? [] : oldestFirst.slice(Math.max(0, end - perPage), end).reverse();
}

type Parsed = { readonly sent: SentValues } | { readonly answer: SandboxAnswer; readonly sent: SentValues | null };

function parseSubmission(url: URL, body: string, options: SandboxOptions): Parsed {
  const refuse = (answer: SandboxAnswer, sent: SentValues | null = null): Parsed => ({ answer, sent });
  const refusal = featureFault(options);
  if (refusal !== undefined) return refuse(refusal);
  const module = url.searchParams.get('module');
  if (!module) {
    return refuse(
      bareError(400, 'REQUIRED_PARAM_MISSING', { param_name: 'module' }, 'One of the expected parameter is missing'),
    );
  }
  if (!options.modules.includes(module)) {
    const message = 'The given module is not supported for Org Enrichment';
    return refuse(bareError(400, 'INVALID_DATA', { param_name: 'module' }, message));
  }
  const recordId = url.searchParams.get('record_id');
  if (recordId !== null && !/^\d{1,19}$/.test(recordId)) {
    return refuse(
      bareError(400, 'INVALID_DATA', { param_name: 'record_id' }, 'the related id given seems to be invalid'),
    );
  }
  const element = onlyElement(body);
  if ('answer' in element) return refuse(element.answer);
  const { fields } = element;
  const sent: SentValues = {
    module,
    ...(recordId === null ? {} : { recordId }),
    ...Object.fromEntries(
      FIELDS.flatMap((field) => (typeof fields[field] === 'string' ? [[field, fields[field]]] : [])),
    ),
  };
  const fault = fieldFault(fields, options);
  return fault === undefined ? { sent } : refuse(fault, sent);
}

const path = (field: string) => `$.${RESOURCE}[0].enrich_based_on.${field}`;

function onlyElement(body: string): { readonly fields: Record<string, unknown> } | { readonly answer: SandboxAnswer } {
  const elements = readObject(parseJson(body))?.[RESOURCE];
  if (!Array.isArray(elements) || elements.length === 0) {
    const details = { api_name: RESOURCE, json_path: `$.${RESOURCE}` };
    return { answer: listedError('MANDATORY_NOT_FOUND', details, 'required field not found') };
  }
  if (elements.length > 1) {
    const details = { maximum_length: 1, api_name: RESOURCE, json_path: `$.${RESOURCE}` };
    return { answer: bareError(400, 'INVALID_DATA', details, 'invalid data') };
  }
  const element = readObject(elements[0]) ?? {};
  const strange = Object.keys(element).find((key) => key !== 'enrich_based_on');
  if (strange !== undefined) return { answer: unknownKey(strange, `$.${RESOURCE}[0].${strange}`) };
  const fields = readObject(element.enrich_based_on);
  if (fields === undefined) {
    const details = { api_name: 'enrich_based_on', json_path: `$.${RESOURCE}[0].enrich_based_on` };
    return { answer: listedError('MANDATORY_NOT_FOUND', details, 'required field not found') };
  }
  return { fields };
}

function fieldFault(fields: Record<string, unknown>, options: SandboxOptions): SandboxAnswer | undefined {
  const strange = Object.keys(fields).find((key) => !isField(key));
  if (strange !== undefined) return unknownKey(strange, path(strange));
  const given = FIELDS.filter((field) => fields[field] !== undefined);
  if (given.length === 0) {
    const expected = FIELDS.map((field) => ({ api_name: field, json_path: path(field) }));
    return listedError('EXPECTED_FIELD_MISSING', { expected_fields: expected }, 'Specify atleast one field');
  }
  for (const field of given) {
    const place = { api_name: field, json_path: path(field) };
    if (options.unmapped.includes(field)) return listedError('NOT_ALLOWED', place, 'the field is not mapped');
    const value = fields[field];
    if (typeof value !== 'string' || value.length < 3 || /[^\P{L}\p{Script=Latin}]/u.test(value)) {
      return listedError('INVALID_DATA', { expected_data_type: 'text', ...place }, 'invalid data');
    }
    if (value.length > 255) return listedError('INVALID_DATA', { maximum_length: 255, ...place }, 'invalid data');
  }
  return undefined;
}

function unknownKey(name: string, jsonPath: string): SandboxAnswer {
  return listedError('INVALID_DATA', { api_name: name, json_path: jsonPath }, 'the key is not allowed');
}

function limitExceeded(limit: number): SandboxAnswer {
  const dueTo = [{ api_name: 'enrich_based_on', json_path: `$.${RESOURCE}[0].enrich_based_on` }];
  return listedError('LIMIT_EXCEEDED', { limit, limit_due_to: dueTo }, 'enrichment data limit exceeded');
}

function statusOf({ sent, createdAtMs }: SandboxEnrichment, options: SandboxOptions): string {
  const age = nowMs() - createdAtMs;
  if (age >= options.completeAfterMs) return finalStatusOf(sent, options);
  return age >= options.completeAfterMs / 2 ? 'RUNNING' : 'SCHEDULED';
}

function listed(enrichment: SandboxEnrichment, options: SandboxOptions): object {
  const { id, createdAtMs } = enrichment;
  const created_time = new Date(createdAtMs + options.clockOffsetMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    id,
    status: statusOf(enrichment, options),
    created_time,
    created_by: { id: enrichment.createdBy, name: 'Sandbox User' },
  };
}

function detailed(enrichment: SandboxEnrichment, options: SandboxOptions): object {
  const { name = null, email = null, website = null } = echoOf(enrichment.sent, options.echo);
  const status = statusOf(enrichment, options);
  return {
    id: enrichment.id,
    status,
    enrich_based_on: { name, email, website },
    enriched_data: status === 'COMPLETED' ? enrichedDataOf(enrichment.sent) : null,
  };
}

function echoOf(sent: SentValues, echo: SandboxOptions['echo']): Partial<SentValues> {
  if (echo === 'nothing') return {};
  if (echo === 'other') return { ...sent, name: `${sent.name ?? ''} Inc` };
  return echo === 'scheme' && sent.website ? { ...sent, website: `https://${sent.website}` } : sent;
}

function isField(key: string): boolean {
  return FIELDS.some((field) => field === key);
}

function positive(text: string | null): number | undefined {
  const value = Number(text);
  return text !== null && Number.isInteger(value) && value > 0 ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
