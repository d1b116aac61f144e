import type { Answer } from '../core/answer.js';
import type { EnrichmentId } from '../core/ids.js';
import type { SentFields } from '../core/ledger.js';

export interface Credentials {
  readonly accessToken: string;
  /** API base, such as `https://www.zohoapis.com`, without a trailing slash. */
  readonly apiDomain: string;
}

export interface ListQuery {
  readonly page: number;
  /** At most 100. */
  readonly perPage: number;
}

/**
 * Zoho's API, one method a call, no retries, no judgement: every outcome, network faults included, is an `Answer`;
 * nothing is thrown but broken invariants.
 */
export interface ZohoClient {
  /**
   * The POST that schedules an enrichment. `mayStillSend` is asked in the tick in which a connected socket is handed
   * to the request; when it answers false nothing is sent and the answer is `CLAIM_EXPIRED`, never sent.
   */
  createEnrichment(credentials: Credentials, sent: SentFields, mayStillSend: () => boolean): Promise<Answer>;
  /** Newest first. */
  listEnrichments(credentials: Credentials, query: ListQuery): Promise<Answer>;
  getEnrichment(credentials: Credentials, id: EnrichmentId): Promise<Answer>;
  /** Destroys idle sockets. Safe to call twice. */
  close(): void;
}
