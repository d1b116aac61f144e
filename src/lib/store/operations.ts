/**
 * What an engine must offer for the store: each operation runs atomically, next to the data, on the store's clock.
 * Arguments and replies are lists of strings and the same on both engines, where each operation is one script
 * (`redis/<name>.lua`) or one function (`zia.<name>` in `postgres/*.sql`); they are described at the Lua scripts.
 */
export const OPERATIONS = [
  'admit',
  'admit-call',
  'finish-call',
  'settle',
  'release',
  'mark-uncertain',
  'clear',
  'reopen',
  'hold',
  'expire-claims',
  'uncertain',
  'sending',
  'owners',
  'alias-owners',
  'entries',
  'counts',
  'spending',
  'fleet-stats',
  'scan',
  'import',
  'heartbeat',
  'leave',
  'pending',
  'failed',
  'list',
  'mark-taken',
  'search',
  'finish',
  'results',
  'orphans',
  'add-orphans',
  'orphans-like',
  'scan-orphans',
  'forget',
  'forget-orphans',
  'finished-between',
  'remove-values',
  'read-document',
  'change-document',
] as const;

export type OperationName = (typeof OPERATIONS)[number];

export type Reply = readonly string[];

/** The one argument of `admit`, as JSON. Names are a contract with the scripts. */
export interface AdmitArgs {
  readonly key: string;
  readonly callId: string;
  /** Fields sent, JSON. */
  readonly sent: string;
  /** The fields sent without what Zoho echoes, JSON. */
  readonly place: string;
  /** The row has a record id: an echo does not tell whether an orphan is its own. */
  readonly choice: boolean;
  /** What tells whether an orphan may be the row's: see `echoDigests`. */
  readonly digests: string;
  /** Aliases of the fields sent, separated by blanks. */
  readonly aliases: string;
  readonly callsPerSecond: number;
  readonly maxInFlight: number;
  readonly leaseMs: number;
  readonly lostAfterMs: number;
  readonly slotMs: number | null;
  /** What is to be left of the allowance; 0 for none. */
  readonly keep: number;
  readonly refreshBefore: number | null;
  /** Entries with the same aliases may stand for the row: first the keys of those that do, then of those that do not. */
  readonly mayBeKnown: boolean;
  readonly fits: string;
  readonly others: string;
  /** Empty for a caller that is no worker. */
  readonly worker: string;
  readonly number: number;
}

/** Rejects with `StoreUnavailableError` when the engine cannot be reached or refuses. Every operation may be repeated. */
export interface Operations {
  run(name: OperationName, args: readonly string[]): Promise<Reply>;
  /** Counts the connections made: an answer that came over a new one may be another server's. */
  connections(): number;
}
