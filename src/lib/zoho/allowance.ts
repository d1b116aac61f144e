import type { Document } from '../store/store.js';
import type { AccountReads } from './account-reads.js';
import type { EnrichmentStats } from './account-shapes.js';

/** How many enrichments the org has, as far as Zoho tells. */
export interface Allowance {
  readonly total: number;
  readonly used: number;
  readonly left: number;
  /**
   * `zoho`: Zoho's own numbers of the feature. `stats`: of its module of monthly figures, add-ons included. `estimate`: from
   * edition and users; `used` then counts only what this ledger knows, so `left` is the most there can be.
   */
  readonly source: 'zoho' | 'stats' | 'estimate';
}

/** Where the numbers come from, in words. As far as Zoho's metadata shows the allowance is monthly; no date of renewal is published. */
export const ALLOWANCE_SOURCES: Readonly<Record<Allowance['source'], string>> = {
  zoho: 'as Zoho tells it',
  stats: "from Zoho's monthly figures",
  estimate: 'estimated from edition and users; as used it counts only what this store knows',
};

/** The store's `allowance` document: the latest answer, also when Zoho did not tell. */
export interface RememberedAllowance {
  readonly atMs: number;
  readonly allowance: Allowance | null;
  /** When a worker last took it upon itself to ask for the others. */
  readonly askedAtMs?: number;
}

/** Enrichments a user brings, by edition, and the most an org gets: Zoho's enrichment page names these two editions. */
const PER_USER: Readonly<Record<string, number>> = { enterprise: 500, ultimate: 2_000 };
const MAX_TOTAL = 50_000;

/** What Zoho says of the allowance. */
export type ToldAllowance =
  | { readonly kind: 'told'; readonly allowance: Allowance }
  /** It could not be asked. */
  | { readonly kind: 'away'; readonly code: string }
  /** It was asked and does not tell; with `isFinal` it will not before a person has changed something. */
  | { readonly kind: 'untold'; readonly code: string; readonly isFinal: boolean };

/**
 * Asks Zoho for the allowance, else estimates it; null when neither can be done. `submitted` is what the ledger counts.
 * At most four calls; never rejects for what Zoho answers.
 */
export async function readAllowance(reads: AccountReads, submitted: number): Promise<Allowance | null> {
  const answer = await askAllowance(reads);
  switch (answer.kind) {
    case 'told':
      return answer.allowance;
    case 'away':
      return null;
    case 'untold':
      return estimate(reads, submitted);
  }
}

/** The allowance in Zoho's own numbers, never an estimate. At most two calls; never rejects for what Zoho answers. */
export async function askAllowance(reads: Pick<AccountReads, 'feature' | 'stats'>): Promise<ToldAllowance> {
  const feature = await reads.feature('data_enrichment');
  if (feature.kind === 'no-token') return { kind: 'away', code: feature.code };
  if (feature.kind === 'unavailable' && feature.code !== 'UNREADABLE') return { kind: 'away', code: feature.code };
  if (feature.kind === 'read') {
    const { total, used, left } = feature.value;
    const known = total ?? (used !== null && left !== null ? used + left : null);
    const free = left ?? (total !== null && used !== null ? Math.max(0, total - used) : null);
    if (known !== null && free !== null) {
      const allowance = { total: known, used: used ?? Math.max(0, known - free), left: free, source: 'zoho' as const };
      return { kind: 'told', allowance };
    }
  }
  const stats = await reads.stats();
  const allowance = stats.kind === 'read' ? fromStats(stats.value) : null;
  if (allowance !== null) return { kind: 'told', allowance };
  const mayTellLater = stats.kind === 'unavailable' && !NO_FIGURES.has(stats.code);
  return { kind: 'untold', code: 'code' in feature ? feature.code : 'NOT_TOLD', isFinal: !mayTellLater };
}

/** An org without the module of figures, or with figures nobody can read. */
const NO_FIGURES = new Set(['INVALID_MODULE', 'UNREADABLE']);

/**
 * The newest row of organization enrichment. How several rows of one month combine is not documented, so they are no answer.
 * Zoho counts single and bulk use apart; both are taken as used, which errs towards less left.
 */
export function fromStats(rows: readonly EnrichmentStats[]): Allowance | null {
  const ofOrganizations = rows.filter(({ feature }) => feature !== null && !/people|person/i.test(feature));
  const [newest, next] = ofOrganizations
    .filter((row): row is EnrichmentStats & { readonly dateMs: number } => row.dateMs !== null)
    .toSorted((one, other) => other.dateMs - one.dateMs);
  if (newest === undefined || (next !== undefined && monthOf(next.dateMs) === monthOf(newest.dateMs))) return null;
  const { monthlyLimit, addOn, used, usedInBulk } = newest;
  if (monthlyLimit === null || used === null) return null;
  const total = monthlyLimit + (addOn ?? 0);
  const allUsed = used + (usedInBulk ?? 0);
  return { total, used: allUsed, left: Math.max(0, total - allUsed), source: 'stats' };
}

function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}

async function estimate(reads: AccountReads, submitted: number): Promise<Allowance | null> {
  const org = await reads.org();
  if (org.kind !== 'read' || org.value.edition === null) return null;
  const perUser = Object.hasOwn(PER_USER, org.value.edition) ? PER_USER[org.value.edition] : undefined;
  if (perUser === undefined) return null;
  const users = await reads.users();
  const count = users.kind === 'read' ? users.value : org.value.licenses;
  if (count === null) return null;
  const total = Math.min(MAX_TOTAL, count * perUser);
  const used = Math.min(total, submitted);
  return { total, used, left: total - used, source: 'estimate' };
}

/** How long an answer is good enough to be shown again. */
const FRESH_MS = 60_000;

/** The allowance as anybody asked for it in the last minute and not before `sinceMs`, else as `ask` tells. */
export async function recentAllowance(
  document: Document<RememberedAllowance>,
  ask: () => Promise<Allowance | null>,
  sinceMs = 0,
): Promise<Allowance | null> {
  const { value, nowMs } = await document.read();
  const isFresh = value !== null && value.atMs >= sinceMs && value.atMs <= nowMs && nowMs - value.atMs < FRESH_MS;
  return isFresh ? value.allowance : allowanceNow(document, ask);
}

/** The allowance as `ask` tells, remembered for others. */
export async function allowanceNow(
  document: Document<RememberedAllowance>,
  ask: () => Promise<Allowance | null>,
): Promise<Allowance | null> {
  const allowance = await ask();
  await document.change((_, atMs) => ({ atMs, allowance }));
  return allowance;
}

/**
 * Whether the caller is the one of the fleet that asks now: false while somebody did so within `withinMs`. `lastMs` says when
 * that was, by what is remembered.
 */
export async function takesTurnToAsk(
  document: Document<RememberedAllowance>,
  lastMs: (remembered: Partial<RememberedAllowance>) => number,
  withinMs: number,
): Promise<boolean> {
  const { changed } = await document.change((value, nowMs) => {
    const agoMs = nowMs - lastMs(value ?? {});
    if (agoMs >= 0 && agoMs < withinMs) return undefined;
    return { atMs: 0, allowance: null, ...value, askedAtMs: nowMs };
  });
  return changed;
}
