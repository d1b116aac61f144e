import * as z from 'zod';
import type { EnrichmentId } from '../core/ids.js';
import type { Echo } from '../core/reconcile.js';

/**
 * Zoho's bodies as values. Every parser answers `undefined` for a body it cannot read, tolerates unknown keys and nulls,
 * and never throws. Refusals are unwrapped by `parseReply` in core.
 */

/** One page of the list of enrichments. */
export interface ListPage {
  readonly items: readonly ListedEnrichment[];
  readonly moreRecords: boolean;
}

export interface ListedEnrichment {
  readonly id: EnrichmentId;
  /** SCHEDULED, RUNNING, COMPLETED, DATA_NOT_FOUND, FAILED, or one that nobody documents; null when absent. */
  readonly status: string | null;
  /** Zoho's clock; null when absent or unreadable. */
  readonly createdAtMs: number | null;
  /** Zoho's id of the user; null when absent or unreadable. */
  readonly createdBy: string | null;
}

/** One enrichment, asked for by id. */
export interface Enrichment {
  readonly id: EnrichmentId;
  readonly status: string | null;
  /** The values of the submission as Zoho keeps them. */
  readonly echo: Echo;
  /** Null until Zoho is done, and when it found nothing. */
  readonly enrichedData: Readonly<Record<string, unknown>> | null;
}

/** What the accounts server answers; every part is optional, because every part has been seen missing. */
export interface TokenBody {
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly apiDomain: string | null;
  /** Null when the answer does not tell. */
  readonly lifeMs: number | null;
  readonly error: string | null;
  /** Marks of throttling; the text itself may be in any language. */
  readonly hasErrorDescription: boolean;
  readonly status: string | null;
}

/** A body without entries, as Zoho sends with 204, is no page: callers know it by the status. */
export function parseListPage(body: unknown): ListPage | undefined {
  const parsed = LIST_PAGE.safeParse(body);
  if (!parsed.success) return undefined;
  return { items: parsed.data.__zia_org_enrichment, moreRecords: parsed.data.info?.more_records ?? false };
}

export function parseEnrichment(body: unknown): Enrichment | undefined {
  const parsed = ENRICHMENT.safeParse(body);
  return parsed.success ? parsed.data.__zia_org_enrichment[0] : undefined;
}

export function parseTokenBody(body: unknown): TokenBody | undefined {
  const parsed = TOKEN_BODY.safeParse(body);
  return parsed.success ? parsed.data : undefined;
}

/** Ids go beyond 2^53: one that came as a JSON number may have lost digits, so only strings are ids. */
const enrichmentId = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((id) => id as EnrichmentId); // of the form just tested

const optionalText = z
  .string()
  .nullish()
  .catch(null)
  .transform((text) => text ?? null);

const time = optionalText.transform((text) => {
  const ms = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
});

const user = z
  .object({ id: z.string().min(1) })
  .nullish()
  .catch(null);

const listed = z
  .object({ id: enrichmentId, status: optionalText, created_time: time, created_by: user })
  .transform(({ id, status, created_time, created_by }): ListedEnrichment => {
    return { id, status, createdAtMs: created_time, createdBy: created_by?.id ?? null };
  });

const LIST_PAGE = z.object({
  __zia_org_enrichment: z.array(listed),
  info: z.object({ more_records: z.boolean().nullish() }).nullish(),
});

const echo = z
  .object({ name: optionalText, email: optionalText, website: optionalText })
  .nullish()
  .transform((values): Echo => values ?? {});

const enrichment = z
  .object({
    id: enrichmentId,
    status: optionalText,
    enrich_based_on: echo,
    // A result of another shape, such as an empty list, is as none: the enrichment has ended all the same.
    enriched_data: z.record(z.string(), z.unknown()).nullish().catch(null),
  })
  .transform(({ id, status, enrich_based_on, enriched_data }): Enrichment => {
    return { id, status, echo: enrich_based_on, enrichedData: enriched_data ?? null };
  });

const ENRICHMENT = z.object({ __zia_org_enrichment: z.tuple([enrichment]) });

const seconds = z
  .union([z.number(), z.string().regex(/^\d{1,15}$/)])
  .nullish()
  .catch(null)
  .transform((value) => (value === null || value === undefined ? null : Number(value)));

/** A token becomes a header, so nothing but visible ASCII may be one. */
const token = z
  .string()
  .regex(/^[\x21-\x7e]+$/)
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);

const MAX_LIFE_S = 86_400;

/**
 * Where `expires_in_sec` exists, or no token could live that long, `expires_in` means milliseconds: an old habit of
 * Zoho's accounts servers.
 */
function lifeMs(expiresIn: number | null, expiresInSec: number | null): number | null {
  const life = expiresInSec === null ? inSeconds(expiresIn) : expiresInSec;
  return life === null || !(life > 0) ? null : Math.min(life, MAX_LIFE_S) * 1_000;
}

function inSeconds(expiresIn: number | null): number | null {
  return expiresIn !== null && expiresIn > MAX_LIFE_S ? expiresIn / 1_000 : expiresIn;
}

const TOKEN_BODY = z
  .object({
    access_token: token,
    refresh_token: token,
    api_domain: optionalText,
    expires_in: seconds,
    expires_in_sec: seconds,
    error: optionalText,
    error_description: z.unknown().optional(),
    status: optionalText,
  })
  .transform((body): TokenBody => {
    return {
      accessToken: body.access_token,
      refreshToken: body.refresh_token,
      apiDomain: body.api_domain,
      lifeMs: lifeMs(body.expires_in, body.expires_in_sec),
      error: body.error,
      hasErrorDescription: body.error_description !== undefined && body.error_description !== null,
      status: body.status,
    };
  });
