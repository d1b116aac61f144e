import type { Lease } from '../lib/core/lease.js';
import type { Timing } from './timing.js';

/** What the sweep of this store remembers, whoever leads it. */
export interface SweepState {
  readonly leader: Lease | null;
  /** The positive control: this account has shown that a known id is listed and that its echo equals what was sent. */
  readonly echo: 'unknown' | 'shown' | 'differs';
  /** Zoho's ids of the users that have made an enrichment of this ledger. */
  readonly users?: readonly string[];
}

export interface SweepSettings {
  readonly workerId: string;
  readonly timing: Timing;
  /** What happens to a row that was looked up and not found: sent again, or left to a person. */
  readonly onUncertain: 'resend' | 'hold';
  /** Values of rows that finished longer ago are removed; 0, or absent, keeps them for good. */
  readonly keepResultsMs?: number | undefined;
}
