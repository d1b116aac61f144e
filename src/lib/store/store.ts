import type { Control } from '../core/control.js';
import type { History, Moment } from '../core/history.js';
import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { EnrichedData, FinalStatus, LedgerEntry } from '../core/ledger.js';
import type { Orphan } from '../core/reconcile.js';
import type { Admission, AdmitRequest, CallAdmission, CallRequest } from './admission.js';
import type { Erasure } from './erasure.js';

export type { Admission, AdmitRequest, CallAdmission, CallRequest, Limits, Refusal } from './admission.js';

/** The answer to every report on a call: the control state right after it. */
export interface Reported {
  readonly control: Control;
  readonly nowMs: number;
}

export type Settlement = Reported &
  (
    | { readonly kind: 'settled'; readonly number: number }
    /** The key already has another enrichment id, or the id belongs to another key: nothing was changed. */
    | { readonly kind: 'conflict'; readonly key: IdentityKey; readonly enrichmentId: EnrichmentId }
  );

/**
 * How a worker shows whether the store still has what it wrote: by a number of its own, kept in the ledger's key and grown
 * by its claims, settlements and heartbeats. A store whose number is lower went back in time.
 */
export interface WorkerMark {
  /** The highest number this worker was told; 0 at its start. */
  readonly number: number;
  /** It has written back what it knows: a lower number is raised to its own. */
  readonly raise: boolean;
  /** It has found nothing missing: the heartbeat counts as a sign of life of the store. */
  readonly steady: boolean;
  /** Zoho's clock, as far as the worker has heard it. */
  readonly zohoNowMs: number | null;
}

export interface Heartbeat extends Reported {
  /** Ids of the workers alive, this one included. */
  readonly workers: readonly string[];
  /** This worker's number as the store has it now. */
  readonly number: number;
  /** The process that serves the data, and its replication history; '' where the engine has none or does not tell. */
  readonly server: string;
  readonly history: History | null;
  /** The store's last sign of life before a loss; null when it gave none. */
  readonly alive: Moment | null;
}

/**
 * One small JSON document, changed only by compare-and-set on the store's clock.
 * `change` may call `next` several times under contention, so `next` must be pure;
 * returning `undefined` leaves the document as it is.
 */
export interface Document<T> {
  read(): Promise<{ readonly value: T | null; readonly nowMs: number }>;
  change(
    next: (value: T | null, nowMs: number) => T | undefined,
  ): Promise<{ readonly value: T | null; readonly nowMs: number; readonly changed: boolean }>;
}

/** Cells of the store and what they hold; the types live with the code that owns each. */
export type DocumentName =
  | 'control'
  | 'token'
  | 'account'
  | 'sweep'
  | 'history'
  | 'mappings'
  | 'queued-as'
  | 'rejects'
  | 'collector'
  | 'allowance'
  | 'pulled'
  | 'files'
  | 'limits'
  | 'notices'
  | 'retention';

export interface LedgerCounts {
  readonly scheduled: number;
  readonly sending: number;
  readonly uncertain: number;
  readonly held: number;
  /** Scheduled rows whose result is neither collected nor given up. */
  readonly pending: number;
  /** Scheduled rows that Zoho accepted and then failed to enrich. */
  readonly failed: number;
  /** Enrichments at Zoho that no entry owns, found after the store lost writes. */
  readonly orphans: number;
}

/** What budget and reserve are measured by. */
export interface Spending {
  /** Claims made, less those given back. */
  readonly spent: number;
  /** Claims, and uncertain rows that a look-up may still give back. */
  readonly open: number;
  /** Uncertain rows that only a person gives back. */
  readonly held: number;
  readonly nowMs: number;
}

/** What the fleet is doing at this moment. */
export interface FleetStats {
  /** Members of the fleet that told lately that they live. */
  readonly workers: number;
  readonly inFlight: number;
  /** Rows for which Zoho found something. */
  readonly withData: number;
}

/**
 * What became of an imported entry. `conflict`: the row is scheduled here under another enrichment id, or its id belongs to
 * another row here; nothing was changed. `forgotten`: the row was forgotten here, and stays so.
 */
export type ImportVerdict = 'added' | 'stronger' | 'known' | 'conflict' | 'forgotten';

/** What the ledger can be listed by: the state of an entry, or how the row ended. */
export type LedgerIndex = 'sending' | 'uncertain' | 'held' | 'pending' | 'failed' | 'enriched' | 'notfound';

export interface LedgerPage {
  /** Null after the last page. */
  readonly cursor: string | null;
  readonly entries: ReadonlyMap<IdentityKey, LedgerEntry>;
}

/**
 * The durable state that outlives jobs: ledger, control, pace, permits, token.
 * Each operation is atomic and runs on the store's own clock; every one may be repeated safely with the same arguments.
 * Rejects with `StoreUnavailableError` when the engine cannot be reached.
 */
export interface Store extends Erasure {
  /** Stop, budget, reserve, pace, permit and claim in one step, in that order of refusal after the ledger has been asked. */
  admit(request: AdmitRequest): Promise<Admission>;
  /** A permit and a slot for a call that submits nothing. */
  admitCall(request: CallRequest): Promise<CallAdmission>;
  /** Frees the permit of a call; unknown ids are ignored. */
  finishCall(callId: string): Promise<void>;

  /**
   * Zoho accepted the row. Frees the permit. Accepts any state of the entry: a late answer and an adoption are both true.
   * `workerId` names the worker whose number grows by it.
   */
  settle(
    key: IdentityKey,
    callId: string,
    enrichmentId: EnrichmentId,
    notes?: readonly string[],
    workerId?: string,
  ): Promise<Settlement>;
  /** Zoho took nothing: removes the claim if `callId` still holds it (an entry sent before becomes `cleared`), frees the permit. */
  release(key: IdentityKey, callId: string): Promise<Reported>;
  /** The answer was lost: `sending` by `callId` becomes `uncertain`, frees the permit. */
  markUncertain(key: IdentityKey, callId: string, reason: string): Promise<Reported>;

  /** Looked up and not at Zoho: `uncertain` or `held` with this `callId` becomes `cleared`. False when it changed meanwhile. */
  clear(key: IdentityKey, callId: string): Promise<boolean>;
  /**
   * A row that Zoho accepted under this id and then failed becomes `cleared`: it may be sent, and paid for, again. The id
   * stays owned. False when the row is not in that state; repeating it changes nothing.
   */
  reopen(key: IdentityKey, enrichmentId: EnrichmentId): Promise<boolean>;
  /** Only a person may decide: `uncertain` with this `callId` becomes `held`. False when it changed meanwhile. */
  hold(key: IdentityKey, callId: string, reason: string): Promise<boolean>;
  /**
   * A person found the row at Zoho: `held` with this `callId` becomes `scheduled` without an id, so it is never sent again and
   * its result is not asked for. False when it changed meanwhile.
   */
  markTaken(key: IdentityKey, callId: string): Promise<boolean>;
  /** Marks claims older than `claimLostAfterMs` as uncertain (their worker died); returns their keys, at most `limit`. */
  expireClaims(claimLostAfterMs: number, limit: number): Promise<readonly IdentityKey[]>;

  /** Entries in state `uncertain` (or also `held`), oldest send first. */
  uncertain(options: {
    readonly held: boolean;
    readonly limit: number;
  }): Promise<ReadonlyMap<IdentityKey, LedgerEntry>>;
  /** Claims in state `sending`, oldest first: a look-up must not adopt what one of these may have caused. */
  sending(limit: number): Promise<ReadonlyMap<IdentityKey, LedgerEntry>>;
  /** The keys these enrichment ids belong to; that of a forgotten row is `-`, which is nobody's. */
  owners(ids: readonly EnrichmentId[]): Promise<ReadonlyMap<EnrichmentId, IdentityKey>>;
  /**
   * Keys of entries that have these aliases, see `core/other-columns.ts`: up to eight for each, the earliest. The entry of a
   * key may be gone, or have other fields since.
   */
  aliasOwners(aliases: readonly string[]): Promise<ReadonlyMap<string, readonly IdentityKey[]>>;
  /** Ledger entries of these keys; absent keys are absent. */
  entries(keys: readonly IdentityKey[]): Promise<ReadonlyMap<IdentityKey, LedgerEntry>>;
  counts(): Promise<LedgerCounts>;
  /** With `atLeast`, raises what is spent to it first: so a worker tells a store that went back in time. Safe to repeat. */
  spending(atLeast?: number): Promise<Spending>;
  /** Changes nothing and reads no entry. */
  fleetStats(): Promise<FleetStats>;

  /** Scheduled rows whose result is not collected, oldest first; with `sinceMs` those scheduled then or later. */
  pending(options: {
    readonly sinceMs?: number;
    readonly limit: number;
  }): Promise<ReadonlyMap<IdentityKey, LedgerEntry>>;
  /** One page of the rows in an index, the latest first, and how many there are in all. Costs no more for a later page. */
  list(
    index: LedgerIndex,
    page: { readonly offset: number; readonly limit: number },
  ): Promise<{ readonly total: number; readonly entries: ReadonlyMap<IdentityKey, LedgerEntry> }>;
  /**
   * Rows with `text` in a value that was sent, or in their enrichment id; the case of ASCII letters is ignored. Looks through
   * some `count` entries at a time: start with null and go on with the cursor until that is null. In no order.
   */
  search(text: string, cursor: string | null, count: number): Promise<LedgerPage>;
  /** Rows that Zoho accepted and then failed to enrich, the latest first. */
  failed(limit: number): Promise<ReadonlyMap<IdentityKey, LedgerEntry>>;
  /**
   * What Zoho did with a scheduled row in the end: notes status and time, keeps the data and takes the row off the pending
   * ones in one step. Repeating it changes nothing; `UNFINISHED` gives way to any other status. False when the row is not
   * scheduled, ended otherwise, or is no longer the one with this `enrichmentId`: it was forgotten, or sent again since.
   */
  finish(
    key: IdentityKey,
    status: FinalStatus,
    data: EnrichedData | null,
    enrichmentId?: EnrichmentId,
  ): Promise<boolean>;
  /** What Zoho found for these keys; keys without data are absent. */
  results(keys: readonly IdentityKey[]): Promise<ReadonlyMap<IdentityKey, EnrichedData>>;
  /**
   * One page of the whole ledger, in no order: start with null and go on with the cursor it answers until that is null.
   * A page has about `count` entries and may be empty. An entry that is there all the while comes at least once; on Redis it
   * may come twice.
   */
  scanLedger(cursor: string | null, count: number): Promise<LedgerPage>;
  /**
   * Takes entries of another store of the same account over, with the results of those that have one. What is here gives way
   * to a stronger state only (cleared, uncertain, held, sending, scheduled; a result to none), so a repeated import changes
   * nothing. Claims are for their own store: give `sending` entries as `uncertain`.
   */
  importEntries(
    entries: ReadonlyMap<IdentityKey, LedgerEntry>,
    results: ReadonlyMap<IdentityKey, EnrichedData>,
  ): Promise<ReadonlyMap<IdentityKey, ImportVerdict>>;

  /**
   * Keeps these for `admit`, which finds them by what they echo; ids that are owned or known stay as they are. `held`: a row
   * that equals one is a person's to decide. Returns how many were added.
   */
  addOrphans(orphans: readonly Orphan[], held: boolean): Promise<number>;
  /** Those of these ids that are orphans. */
  orphans(ids: readonly EnrichmentId[]): Promise<ReadonlyMap<EnrichmentId, Orphan>>;

  /** Renews the permits of these calls and the worker itself; a visitor gives no `mark`. */
  heartbeat(workerId: string, callIds: readonly string[], leaseMs: number, mark?: WorkerMark): Promise<Heartbeat>;
  /** Takes the worker off the list of the living. Returns how many are left, and how many claims. */
  leave(workerId: string): Promise<{ readonly workers: number; readonly claims: number }>;
  /** Counts the connections made to the store: an answer that came over a new one may be another server's. */
  connections(): number;

  readonly control: Document<Control>;
  document<T>(name: Exclude<DocumentName, 'control'>): Document<T>;
}
