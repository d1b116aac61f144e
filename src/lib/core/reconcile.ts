import type { EnrichmentId, IdentityKey } from './ids.js';
import type { LedgerEntry, SentFields } from './ledger.js';

/** An enrichment at Zoho that no ledger entry owns, with what Zoho echoes of its submission. */
export interface Stray {
  readonly id: EnrichmentId;
  /** On the store's clock: Zoho's time, corrected by the measured offset. */
  readonly createdAtMs: number;
  readonly echo: Echo;
}

/** Zoho echoes the input fields only: neither module nor record id. Absent and empty fields are the same. */
export type Echo = Readonly<Partial<Record<'name' | 'email' | 'website', string | null>>>;

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
const CLOCK_TOLERANCE_MS = 5_000;

/**
 * What a look at Zoho says about each uncertain row. `sending` are the rows whose claim was alive when the look ended,
 * `strays` the enrichments nobody owns. Every stray is given to one row at most.
 */
export function compareWithZoho(
  uncertain: ReadonlyMap<IdentityKey, LedgerEntry>,
  sending: ReadonlyMap<IdentityKey, LedgerEntry>,
  strays: readonly Stray[],
): readonly LookupFinding[] {
  const straysByEcho = groupBy(strays, ({ echo }) => echoText(echo));
  const doubtsByEcho = groupBy(uncertain, ([, entry]) => echoText(entry.sent));
  const sendingEchoes = new Set([...sending.values()].map(({ sent }) => echoText(sent)));
  return [...doubtsByEcho].flatMap(([echo, doubts]) => {
    const possible = straysByEcho.get(echo) ?? [];
    return findingsOf(doubts, possible, sendingEchoes.has(echo));
  });
}

/** True when Zoho's echo is exactly what was sent. */
export function isEchoOf(echo: Echo, sent: SentFields): boolean {
  return echoText(echo) === echoText(sent);
}

/** True when Zoho told nothing of what was sent: that proves neither that it was this row nor that it was not. */
export function isEmptyEcho({ name, email, website }: Echo): boolean {
  return !name && !email && !website;
}

function findingsOf(
  doubts: readonly (readonly [IdentityKey, LedgerEntry])[],
  strays: readonly Stray[],
  alsoBeingSent: boolean,
): readonly LookupFinding[] {
  const findings = doubts.map(([key, entry]): LookupFinding => {
    const match = earliestSince(strays, entry.sentAtMs - CLOCK_TOLERANCE_MS);
    if (match === undefined) return { kind: 'missing', key, entry };
    return alsoBeingSent ? { kind: 'unclear', key, entry } : { kind: 'found', key, entry, id: match.id };
  });
  if (doubts.length === 1 || findings.every(({ kind }) => kind === 'missing')) return findings;
  return doubts.map(([key, entry]) => ({ kind: alsoBeingSent ? 'unclear' : 'ambiguous', key, entry }));
}

function earliestSince(strays: readonly Stray[], sinceMs: number): Stray | undefined {
  return strays
    .filter(({ createdAtMs }) => createdAtMs >= sinceMs)
    .reduce<Stray | undefined>(
      (best, stray) => (best && best.createdAtMs <= stray.createdAtMs ? best : stray),
      undefined,
    );
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

function echoText({ name, email, website }: Echo): string {
  return JSON.stringify([name || null, email || null, website || null]);
}
