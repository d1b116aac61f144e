import type { EnrichmentId } from './ids.js';

/** What one attempt at a row amounted to. The worker turns it into a BullMQ action; only `discard` is final for the worse. */
export type Outcome =
  /** Zoho has the row. `known`: the ledger said so, nothing was sent now. */
  | { readonly kind: 'done'; readonly enrichmentId: EnrichmentId; readonly known: boolean }
  /** A dead letter: this row will not be tried again unless a person asks. */
  | { readonly kind: 'discard'; readonly code: string; readonly message: string }
  /** The whole fleet stands still: the row goes back to the head of the queue, untouched. */
  | { readonly kind: 'requeue'; readonly code: string; readonly waitMs: number | null }
  /** Only this row must wait; no attempt is spent. */
  | { readonly kind: 'snooze'; readonly code: 'PENDING' | 'UNCERTAIN'; readonly waitMs: number };
