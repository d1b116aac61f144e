import { identityKey, keyForm } from './identity.js';
import type { EnrichmentId, IdentityKey } from './ids.js';
import type { LedgerEntry } from './ledger.js';
import { digest } from './other-columns.js';
import type { Row } from './row.js';

/** An enrichment at Zoho that no ledger entry owns, with what Zoho echoes of its submission. */
export interface Orphan {
  readonly id: EnrichmentId;
  /** On the store's clock: Zoho's time, corrected by the measured offset. */
  readonly createdAtMs: number;
  readonly echo: Echo;
}

/** Zoho echoes the input fields only: neither module nor record id. Absent and empty fields are the same. */
export type Echo = Readonly<Partial<Record<'name' | 'email' | 'website', string | null | undefined>>>;

export type LookupFinding =
  /** This enrichment is the row's. */
  | { readonly kind: 'found'; readonly key: IdentityKey; readonly entry: LedgerEntry; readonly id: EnrichmentId }
  /** Nothing at Zoho matches. */
  | { readonly kind: 'missing'; readonly key: IdentityKey; readonly entry: LedgerEntry }
  /** A match may belong to a row that is being sent right now: look again later. */
  | { readonly kind: 'unclear'; readonly key: IdentityKey; readonly entry: LedgerEntry }
  /** Several uncertain rows sent the same values: the echo cannot tell whose match it is. */
  | { readonly kind: 'ambiguous'; readonly key: IdentityKey; readonly entry: LedgerEntry };

/** Zoho's times have whole seconds, and the clock offset is measured from a header with whole seconds too. */
const ZOHO_TIME_ERROR_MS = 5_000;

/**
 * What a look at Zoho says about each uncertain row. `sending` are the rows whose claim was alive when the look ended,
 * `orphans` the enrichments nobody owns. Every orphan is given to one row at most.
 */
export function compareWithZoho(
  uncertain: ReadonlyMap<IdentityKey, LedgerEntry>,
  sending: ReadonlyMap<IdentityKey, LedgerEntry>,
  orphans: readonly Orphan[],
): readonly LookupFinding[] {
  const orphansByForm = groupBy(orphans, ({ echo }) => echoForm(echo));
  const uncertainByForm = groupBy(uncertain, ([, entry]) => echoForm(entry.sent));
  const sendingForms = new Set([...sending.values()].map(({ sent }) => echoForm(sent)));
  return [...uncertainByForm].flatMap(([form, rows]) => {
    return findingsOf(rows, orphansByForm.get(form) ?? [], sendingForms.has(form));
  });
}

/** True when Zoho's echo is what was sent, in the form of the identity key: Zoho may write a website its own way. */
export function isEchoOf(echo: Echo, sent: Echo): boolean {
  return echoForm(echo) === echoForm(sent);
}

/**
 * What tells whether a row may have caused an orphan: short digests of name, email and website in the form of the identity
 * key, empty where there is none, separated by commas. The engines compare them. The row did when all three are equal. It
 * may have, under other columns, when they agree wherever both have one and the website is the same, or name and email; a
 * name alone proves nothing, and then a person decides.
 */
export function echoDigests(echo: Echo): string {
  const form = keyForm({ module: '', ...echoFields(echo) });
  return (['name', 'email', 'website'] as const).map((field) => digest(field, '', form[field])).join(',');
}

/** The fields that an echo has, as a row has them. */
export function echoFields({ name, email, website }: Echo): Omit<Row, 'module'> {
  return { ...(name && { name }), ...(email && { email }), ...(website && { website }) };
}

/** The echo in the form of the identity key, of no module and no record. */
function echoForm(echo: Echo): string {
  return identityKey({ module: '', ...echoFields(echo) });
}

/** True when Zoho told nothing of what was sent: that proves neither that it was this row nor that it was not. */
export function isEmptyEcho({ name, email, website }: Echo): boolean {
  return !name && !email && !website;
}

function findingsOf(
  rows: readonly (readonly [IdentityKey, LedgerEntry])[],
  orphans: readonly Orphan[],
  alsoBeingSent: boolean,
): readonly LookupFinding[] {
  const findings = rows.map(([key, entry]): LookupFinding => {
    const match = earliestSince(orphans, entry.sentAtMs - ZOHO_TIME_ERROR_MS);
    if (match === undefined) return { kind: 'missing', key, entry };
    return alsoBeingSent ? { kind: 'unclear', key, entry } : { kind: 'found', key, entry, id: match.id };
  });
  if (rows.length === 1 || findings.every(({ kind }) => kind === 'missing')) return findings;
  return rows.map(([key, entry]) => ({ kind: alsoBeingSent ? 'unclear' : 'ambiguous', key, entry }));
}

function earliestSince(orphans: readonly Orphan[], sinceMs: number): Orphan | undefined {
  return orphans
    .filter(({ createdAtMs }) => createdAtMs >= sinceMs)
    .reduce<Orphan | undefined>((best, one) => (best && best.createdAtMs <= one.createdAtMs ? best : one), undefined);
}

function groupBy<T>(items: Iterable<T>, textOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const text = textOf(item);
    const group = groups.get(text);
    if (group) group.push(item);
    else groups.set(text, [item]);
  }
  return groups;
}
