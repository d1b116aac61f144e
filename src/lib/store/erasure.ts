import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { LedgerEntry } from '../core/ledger.js';
import type { Orphan } from '../core/reconcile.js';

/**
 * What became of a row that was to be forgotten. `open`: it is being sent, or is uncertain, and stays. `kept`: it had not
 * finished by the time given, and stays. `absent`: nothing is known of it.
 */
export type Forgetting = 'forgotten' | 'open' | 'kept' | 'absent';

/** What takes values out of the store. */
export interface Erasure {
  /** Rows that Zoho finished in this time, store clock, the earliest first. */
  finishedBetween(
    index: 'enriched' | 'notfound',
    options: { readonly fromMs: number; readonly beforeMs: number; readonly limit: number },
  ): Promise<ReadonlyMap<IdentityKey, LedgerEntry>>;
  /**
   * Removes what was sent for finished rows and what Zia found; key, id, status and times stay, and what tells the row from
   * others. Returns how many; a row that was sent again since keeps its values. Repeating it is safe.
   */
  removeValues(entries: ReadonlyMap<IdentityKey, LedgerEntry>): Promise<number>;
  /** The orphans that rows with these digests may have caused, see `echoDigests`; those without one are absent. */
  orphansLike(digests: readonly string[]): Promise<ReadonlyMap<string, readonly EnrichmentId[]>>;
  /** One page of all orphans, as `scanLedger` has it. */
  scanOrphans(
    cursor: string | null,
    count: number,
  ): Promise<{ readonly cursor: string | null; readonly orphans: readonly Orphan[] }>;

  /**
   * Removes all that is known of rows: ledger entry, result, job, and the aliases given with each key, a row in one step.
   * Rows that are being sent or uncertain stay, and with `finishedBeforeMs` (store clock) all that had not finished by then.
   * The ids they had stay owned, by nobody, so that no look at Zoho's list takes them for orphans. With `dryRun` nothing is
   * changed. Repeating it is safe.
   */
  forget(
    rows: ReadonlyMap<IdentityKey, readonly string[]>,
    options: { readonly finishedBeforeMs?: number | undefined; readonly dryRun?: boolean },
  ): Promise<ReadonlyMap<IdentityKey, Forgetting>>;
  /** The same for orphans; one for which a row is uncertain stays. */
  forgetOrphans(
    ids: readonly EnrichmentId[],
    options: { readonly dryRun?: boolean },
  ): Promise<ReadonlyMap<EnrichmentId, Forgetting>>;
}
