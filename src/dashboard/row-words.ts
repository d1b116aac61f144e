import type { MappedField } from '../lib/core/columns.js';
import type { FieldProblem, InputField } from '../lib/core/row.js';
import type { RowStatus } from '../reports/row-outcome.js';
import type { RowGroup } from './row-bar.js';

/** One name everywhere for what became of a row. */
export const STATUS_WORDS: Readonly<Record<RowStatus, string>> = {
  enriched: 'Enriched',
  not_found: 'No data found',
  submitted: 'Sent, waiting for result',
  waiting: 'Waiting',
  uncertain: 'Checking with Zoho',
  failed: 'Failed',
  rejected: 'Rejected',
  not_enqueued: 'Not queued',
};

export const STATUS_COLORS: Readonly<Record<RowStatus, RowGroup['color']>> = {
  enriched: 'enriched',
  not_found: 'empty',
  submitted: 'submitted',
  waiting: 'queued',
  uncertain: 'uncertain',
  failed: 'failed',
  rejected: 'rejected',
  not_enqueued: 'new',
};

/** What people call a row: its company, else what else is known of it. */
export function companyOf(values: Readonly<Partial<Record<InputField | 'recordId', string>>> | null): string {
  return values?.name || values?.website || values?.email || values?.recordId || 'a row without values';
}

const PROBLEM_WORDS: Readonly<Record<FieldProblem, string>> = {
  TOO_SHORT: 'shorter than 3 characters',
  TOO_LONG: 'too long',
  NOT_ENGLISH: 'not in Latin letters',
  CONTROL_CHARACTER: 'has control characters',
  MALFORMED: 'not well formed',
  NO_LETTER: 'has no letter',
  GARBLED: 'has garbled letters',
  PLACEHOLDER: 'a placeholder',
  SHARED_HOST: 'on a social network, at a mail provider, or the like',
};

/** Why a value cannot be sent. */
export function problemWords(problem: FieldProblem, field: MappedField): string {
  return problem === 'MALFORMED' && field === 'name' ? 'an address, a formula or code' : PROBLEM_WORDS[problem];
}
