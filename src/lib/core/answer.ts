import type { EnrichmentId } from './ids.js';
import type { InputField } from './row.js';

/** What came back from one call, before anyone judges it. */
export type Answer =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: AnswerHeaders;
      /** The parsed JSON body; `undefined` when it was empty, too large, cut short or not JSON. */
      readonly body: unknown;
      /** The body was larger than is read: asking again gives no other. */
      readonly tooLarge?: true;
    }
  | {
      readonly kind: 'no-response';
      /** False only when the request provably never left: no connected socket was handed to it. */
      readonly sent: boolean;
      /** Node's or got's code (`ECONNREFUSED`, `ETIMEDOUT`, …), or `CLAIM_EXPIRED` when the 5 s of a claim had passed. */
      readonly code: string;
    };

export interface AnswerHeaders {
  /** Retry-After as milliseconds from now, both forms understood. */
  readonly retryAfterMs: number | null;
  /** X-API-CREDITS-REMAINING. */
  readonly creditsRemaining: number | null;
  /** The server's Date header as epoch milliseconds. */
  readonly dateMs: number | null;
}

/** What the answer to a submission means: the table of the design, section 8. */
export type Verdict =
  | { readonly kind: 'scheduled'; readonly enrichmentId: EnrichmentId }
  /** This row's own fault. `field` is what Zoho named: without an input field the row may go on. */
  | {
      readonly kind: 'row';
      readonly code: string;
      readonly message: string;
      readonly field: InputField | 'record_id' | null;
    }
  /** Would fail every row. */
  | {
      readonly kind: 'stop';
      readonly cause: 'quota' | 'credits' | 'configuration' | 'bug' | 'account';
      readonly code: string;
      readonly message: string;
    }
  /** The access token was refused: refresh once, resend. */
  | { readonly kind: 'token'; readonly code: string }
  | { readonly kind: 'throttled'; readonly code: string; readonly retryAfterMs: number | null }
  /** Never sent. */
  | { readonly kind: 'outage'; readonly code: string }
  /** Zoho may or may not have accepted the row. `unreadable`: a 2xx we cannot read; `lost`: 5xx, 408, timeout, reset after sending. */
  | { readonly kind: 'uncertain'; readonly code: string; readonly cause: 'unreadable' | 'lost' }
  /** A 4xx not in the table: Zoho took nothing, the job fails. */
  | { readonly kind: 'unknown'; readonly code: string; readonly status: number };
