import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Answer } from '../core/answer.js';
import { classifyRead } from '../core/classify-read.js';
import { parseReply } from '../core/reply.js';
import { AppError, UsageError } from '../errors.js';
import type { ZohoReadApi } from './client.js';
import type { PacedCalls } from './paced-calls.js';

/** A record as a query returns it: the id, and the value of each column asked for, whatever JSON it is. */
export interface QueriedRecord {
  readonly id: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export type QueryResult =
  | { readonly kind: 'page'; readonly records: readonly QueriedRecord[]; readonly moreRecords: boolean }
  /** Zoho does not take a field of the query, as a column or as a filter. */
  | { readonly kind: 'field-refused'; readonly field: string; readonly reason: string };

export interface RecordQueries {
  /**
   * Asks until Zoho answers: throttling and outages are waited out. Throws `UsageError` for what only a person can put right
   * (scope, permission, module, syntax) and `AppError` CRM_UNANSWERED when Zoho stays away longer than the patience.
   */
  query(selectQuery: string): Promise<QueryResult>;
  /** How many records a count query finds. */
  count(
    countQuery: string,
  ): Promise<{ readonly kind: 'count'; readonly count: number } | Extract<QueryResult, { kind: 'field-refused' }>>;
}

export interface RecordQueriesDeps {
  readonly calls: Pick<PacedCalls, 'ask'>;
  readonly readApi: Pick<ZohoReadApi, 'query'>;
  readonly module: string;
  /** How long Zoho may stay away: before its first answer, and in the middle. */
  readonly patienceMs: { readonly first: number; readonly later: number };
  /** The first wait; doubled up to a minute. */
  readonly retryMs: number;
  /** Told once a wait, for people. */
  readonly onWait: (code: string, waitMs: number) => void;
  readonly signal: AbortSignal;
}

const MAX_WAIT_MS = 60_000;

export function createRecordQueries(deps: RecordQueriesDeps): RecordQueries {
  const { calls, readApi, patienceMs, retryMs, onWait, signal } = deps;
  let answered = false;

  return {
    query: async (text) => {
      const answer = await patiently(text);
      if (answer === null) return { kind: 'page', records: [], moreRecords: false };
      const page = PAGE.safeParse(answer);
      if (page.success) return { kind: 'page', ...pageOf(page.data) };
      return refusal(answer);
    },
    count: async (text) => {
      const answer = await patiently(text);
      if (answer === null) return { kind: 'count', count: 0 };
      const counted = COUNT.safeParse(answer);
      const [count] = counted.success ? Object.values(counted.data.data[0] ?? {}) : [];
      if (count !== undefined) return { kind: 'count', count };
      return refusal(answer);
    },
  };

  /** The body of the answer, a refusal's too; null for an empty one. */
  async function patiently(text: string): Promise<unknown> {
    const startedAt = performance.now();
    for (let waitMs = retryMs; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      signal.throwIfAborted();
      const asked = await calls.ask((credentials) => readApi.query(credentials, text));
      if (asked.kind === 'no-token') throw new UsageError('CRM_NO_TOKEN', asked.message);
      const code = asked.kind === 'unavailable' ? asked.code : unavailableCode(asked.answer);
      if (code === null && asked.kind === 'answer') {
        answered = true;
        return bodyOf(asked.answer);
      }
      const patience = answered ? patienceMs.later : patienceMs.first;
      if (performance.now() - startedAt + waitMs > patience) throw unanswered(code ?? 'UNREADABLE');
      onWait(code ?? 'UNREADABLE', waitMs);
      await sleep(waitMs, undefined, { signal });
    }
  }

  function refusal(body: unknown): Extract<QueryResult, { kind: 'field-refused' }> {
    const { code = 'UNREADABLE', details = {} } = parseReply(body) ?? {};
    const { column_name: field, reason } = details;
    if (code === 'INVALID_QUERY' && typeof field === 'string' && /^[\w.$]{1,100}$/.test(field)) {
      return { kind: 'field-refused', field, reason: typeof reason === 'string' ? reason : 'not usable in a query' };
    }
    throw refused(code, details, deps.module);
  }
}

/** Null when the answer is one: a page, nothing, or a refusal of the query itself. */
function unavailableCode(answer: Answer): string | null {
  const meaning = classifyRead(answer);
  if (meaning.kind !== 'unavailable') return null;
  return answer.kind === 'response' && answer.status === 400 && parseReply(answer.body) !== undefined
    ? null
    : meaning.code;
}

function bodyOf(answer: Answer): unknown {
  if (answer.kind !== 'response' || answer.status === 204) return null;
  return answer.body;
}

function unanswered(code: string): AppError {
  return new AppError(
    'CRM_UNANSWERED',
    `Zoho gave no usable answer to the query for too long (${code}); check the network and Zoho's status page, then go on with --resume.`,
  );
}

function refused(code: string, details: Readonly<Record<string, unknown>>, module: string): UsageError {
  const scopes = scopesToRead(module).join(' and ');
  switch (code) {
    case 'OAUTH_SCOPE_MISMATCH':
      return new UsageError(
        'CRM_SCOPE_MISSING',
        `The refresh token may not read ${module} by query (OAUTH_SCOPE_MISMATCH): make a code with the scopes ${scopes} as well, then run \`npm run login\`.`,
      );
    case 'NO_PERMISSION':
      return new UsageError(
        'CRM_NO_PERMISSION',
        `The Zoho user may not read ${module} (NO_PERMISSION): give the user's profile access to the module.`,
      );
    case 'INVALID_MODULE':
      return new UsageError(
        'CRM_NO_MODULE',
        `Zoho knows no module ${module} that a query can read (INVALID_MODULE): use its API name, such as Accounts, with --module or ZIA_MODULE.`,
      );
    case 'SYNTAX_ERROR':
      return new UsageError(
        'CRM_SYNTAX',
        `Zoho cannot read the query (SYNTAX_ERROR${told(details)}): correct --where; of more than two criteria, put pairs into brackets: ((A and B) and C).`,
      );
    default:
      return new UsageError(
        'CRM_QUERY_REFUSED',
        `Zoho refuses the query (${code}${told(details)}): correct --where, --missing or --fields.`,
      );
  }
}

/** The scopes of Zoho's API that reading records by query takes. */
export function scopesToRead(module: string): readonly string[] {
  return ['ZohoCRM.coql.READ', `ZohoCRM.modules.${module.toLowerCase()}.READ`];
}

/** What Zoho says of a refusal, as short plain text. */
function told(details: Readonly<Record<string, unknown>>): string {
  const facts = Object.entries(details).flatMap(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' ? [`${name} ${String(value).slice(0, 60)}`] : [],
  );
  const text = facts.join(', ').replace(/[\p{Cc}\p{Cf}]/gu, ' ');
  return text === '' ? '' : `: ${text}`;
}

function pageOf({ data, info }: z.infer<typeof PAGE>): Omit<Extract<QueryResult, { kind: 'page' }>, 'kind'> {
  return {
    records: data.map(({ id, ...values }) => ({ id, values })),
    moreRecords: info?.more_records ?? false,
  };
}

const PAGE = z.object({
  // Ids go beyond 2^53: only one that came as text is whole.
  data: z.array(z.looseObject({ id: z.string().regex(/^\d{1,19}$/) })),
  info: z.object({ more_records: z.boolean().nullish() }).nullish(),
});

const COUNT = z.object({
  data: z.array(z.record(z.string(), z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]))).length(1),
});
