import type { RowStatus } from '../reports/row-outcome.js';

/** Outcomes in words for people; JSON and exports keep their own. */
export const OUTCOME_WORDS: Readonly<Record<RowStatus, string>> = {
  enriched: 'enriched',
  not_found: 'no data found',
  submitted: 'sent, result to come',
  waiting: 'waiting',
  uncertain: 'checking with Zoho',
  failed: 'failed',
  rejected: 'rejected',
  not_enqueued: 'not queued',
};
