import type { Control } from '../core/control.js';
import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { SentFields } from '../core/ledger.js';

/** Limits of one admission. The same configuration on every worker makes them fleet-wide. */
export interface Limits {
  /** Calls per second; 0 means no limit. Slots are spaced evenly at 98% of it. */
  readonly callsPerSecond: number;
  /** Calls in flight over the whole fleet; lowered by `Control.maxInFlight` while throttled. */
  readonly maxInFlight: number;
  /** A permit not renewed by `heartbeat` for this long belongs to a dead worker and is free again. */
  readonly permitTtlMs: number;
}

export interface CallRequest {
  /** Unique per call, made by the worker. Repeating an admission with the same id is safe. */
  readonly callId: string;
  readonly limits: Limits;
  /** The slot an earlier `not-yet` reserved for this call. */
  readonly slotMs?: number;
}

export interface AdmitRequest extends CallRequest {
  readonly key: IdentityKey;
  readonly sent: SentFields;
  /** A claim older than this is lost: 5 s + request timeout + margin. */
  readonly claimLostAfterMs: number;
  /** So many enrichments of the allowance are to be left (ZIA_KEEP_ALLOWANCE); default 0, and then it is not asked for. */
  readonly keep?: number;
  /** A row with a result from before this time, store clock, is sent again; never when absent. */
  readonly refreshBeforeMs?: number | undefined;
  /** When its queueing began: a row of another one that was sent stands for it under other columns; none does when absent. */
  readonly queuedAtMs?: number | undefined;
  /** The worker that asks; one whose number is higher than the store's is refused. */
  readonly worker?: { readonly id: string; readonly number: number };
}

/**
 * `looking`: the store may have lost writes, and nothing is claimed before the sweep has looked. `budget`, `reserve`: nothing is
 * left of it; `waitMs` is null when nothing that is under way can give any back. `allowance`: Zoho has not told it yet.
 */
export const HOLD_REASONS = ['looking', 'budget', 'reserve', 'allowance'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** What every worker that may not send now is told. */
export type Refusal =
  /** A slot in the pace is reserved: ask again, with `slotMs`, after `waitMs`. Nothing is claimed yet. */
  | { readonly kind: 'not-yet'; readonly waitMs: number; readonly slotMs: number }
  /** No permit is free. The slot was given back. */
  | { readonly kind: 'no-permit' }
  /** Stopped, held back, or another row is the canary. `waitMs` is null when only a person ends it. */
  | {
      readonly kind: 'held-back';
      readonly control: Control;
      readonly waitMs: number | null;
      readonly reason?: HoldReason;
    };

export type Admission =
  /** Claimed and counted in flight: the POST must leave within 5 s. */
  | {
      readonly kind: 'go';
      readonly epoch: number;
      readonly sentAtMs: number;
      readonly sends: number;
      /** The worker's number, grown by this claim. */
      readonly number: number;
      /** Claims made less claims given back, this one included. */
      readonly spent: number;
    }
  | Refusal
  /** The fleet waits for a canary and no row is it yet: take it (`canaryTaken`), then ask again. */
  | { readonly kind: 'canary-open'; readonly control: Control }
  | { readonly kind: 'scheduled'; readonly enrichmentId: EnrichmentId }
  /** Another claim on this key is younger than `claimLostAfterMs`. */
  | { readonly kind: 'claimed'; readonly waitMs: number }
  | { readonly kind: 'uncertain'; readonly held: boolean };

/** Calls other than submissions: paced and counted alike, not halted by a stop, held back by throttling and outage. */
export type CallAdmission = { readonly kind: 'go' } | Refusal;
