import type { EnrichmentId } from './ids.js';

/** The values of a submission exactly as sent: what Zoho echoes, and what a look-up compares. */
export interface SentFields {
  readonly module: string;
  readonly recordId?: string;
  readonly name?: string;
  readonly email?: string;
  readonly website?: string;
}

/**
 * What the ledger knows of an identity key.
 * `sending`: claimed, the POST may be under way. `uncertain`: sent, the answer was lost. `held`: uncertain, a person decides.
 * `cleared`: looked up, not at Zoho, may be sent again. `scheduled`: Zoho accepted it.
 */
export type LedgerState = 'sending' | 'uncertain' | 'held' | 'cleared' | 'scheduled';

/** What Zoho did with a submission in the end; `UNFINISHED` when nobody waited any longer. */
export const FINAL_STATUSES = ['COMPLETED', 'DATA_NOT_FOUND', 'FAILED', 'UNFINISHED'] as const;
export type FinalStatus = (typeof FINAL_STATUSES)[number];

/** What Zoho found about an organization, as it answered, without what is too large to keep. */
export type EnrichedData = Readonly<Record<string, unknown>>;

/** Short digests of a row's name and website in the form of the identity key, and its record id; empty where it has none. */
export interface Traits {
  readonly name: string;
  readonly website: string;
  readonly recordId: string;
}

export interface LedgerEntry {
  readonly state: LedgerState;
  /** Call id of the latest claim. */
  readonly callId: string;
  /** Store clock, milliseconds, at the latest claim. */
  readonly sentAtMs: number;
  readonly sent: SentFields;
  /** How many times this row was sent, the latest included. */
  readonly sends: number;
  /** Present when `scheduled`. */
  readonly enrichmentId?: EnrichmentId;
  /** Store clock, milliseconds; present when `scheduled`. */
  readonly scheduledAtMs?: number;
  /** Why it is uncertain or held (a code), for people. */
  readonly reason?: string;
  /** Of a row whose values were removed in time: what still tells it from others. `sent` then has its module alone. */
  readonly traits?: Traits;
  /** When its queueing began, store clock in milliseconds: rows of one queueing do not stand for each other. */
  readonly queuedAtMs?: number;
  /** Remarks for the export, such as a field Zoho refused and the row went without. */
  readonly notes?: readonly string[];
  /** Present once the result was collected, or given up. */
  readonly finalStatus?: FinalStatus;
  /** Store clock, milliseconds; present with `finalStatus`. */
  readonly finishedAtMs?: number;
}
