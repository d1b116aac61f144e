import { assertNever } from '../lib/core/assert-never.js';
import { ENRICHMENT_FAILED, parseFailure, type RowFailure } from '../lib/core/failure.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { EnrichedData, LedgerEntry } from '../lib/core/ledger.js';
import type { FieldNote, FieldProblem, ParsedRow } from '../lib/core/row.js';
import type { JobStatus } from '../lib/engine/engine.js';

/** What `zia_status` can say; every row of a file has exactly one of these. */
export const ROW_STATUSES = [
  'enriched',
  'not_found',
  'submitted',
  'waiting',
  'uncertain',
  'failed',
  'rejected',
  'not_enqueued',
] as const;
export type RowStatus = (typeof ROW_STATUSES)[number];

/** What happened to one row of a file, in the words of the export. */
export interface RowOutcome {
  readonly status: RowStatus;
  readonly enrichmentId?: EnrichmentId;
  /** When Zoho accepted the row: store clock, epoch milliseconds. */
  readonly submittedAtMs?: number;
  /** Why the row failed, was rejected, or is uncertain. */
  readonly error?: RowFailure;
  /** Remarks for people: fields left out, a row that waits for a decision. */
  readonly notes: readonly string[];
  /** The key under which the row was sent or queued, where that is not its own. */
  readonly sentAs?: IdentityKey;
  /** What Zoho found; absent when it found nothing, or when the report has no use for it. */
  readonly data?: EnrichedData;
}

/** What is known of a row beside the file: its ledger entry, its job, and what Zoho found. */
export interface RowRecords {
  readonly entry?: LedgerEntry | undefined;
  readonly fate: JobStatus;
  /** Null when it was looked for and there is none; absent when the report has no use for it. */
  readonly data?: EnrichedData | null | undefined;
}

/**
 * The outcome of a file's row from the records that exist of it. The ledger outlives the jobs and alone knows whether money
 * was spent, so a scheduled entry wins over any job, and an open claim over a failed one.
 */
export function rowOutcome(records: RowRecords, parsed: ParsedRow): RowOutcome {
  if (!parsed.ok) return { status: 'rejected', error: { code: parsed.code, message: parsed.reason }, notes: [] };
  return recordedOutcome(records, parsed.notes.map(fieldNote));
}

/** The same without a file. */
export function recordedOutcome({ entry, fate, data }: RowRecords, fileNotes: readonly string[] = []): RowOutcome {
  if (entry === undefined) return { ...jobOutcome(fate), notes: fileNotes };
  const isEarlier = Boolean(data) && entry.finalStatus !== 'COMPLETED';
  const earlier = isEarlier ? ['the data is of an earlier enrichment'] : [];
  const notes = [...fileNotes, ...(entry.notes ?? []), ...entryNotes(entry, data), ...earlier];
  return { ...ledgerOutcome(entry, fate), notes, ...(data && { data }) };
}

type Finding = Omit<RowOutcome, 'notes'>;

function ledgerOutcome(entry: LedgerEntry, fate: JobStatus): Finding {
  switch (entry.state) {
    case 'scheduled':
      return {
        ...resultOf(entry),
        ...(entry.enrichmentId !== undefined && { enrichmentId: entry.enrichmentId }),
        submittedAtMs: entry.scheduledAtMs ?? entry.sentAtMs,
      };
    case 'uncertain':
      return uncertain(entry, 'The answer was lost; the row is looked up at Zoho before it is ever sent again.');
    case 'held':
      if (entry.reason === 'UNREADABLE_ENTRY') {
        return uncertain(entry, 'The ledger’s entry of the row cannot be read; look for the row at Zoho.');
      }
      return uncertain(entry, 'The answer was lost and a look-up cannot decide; the row waits for a person.');
    case 'sending':
      return { status: 'waiting' };
    case 'cleared':
      return jobOutcome(fate);
    default:
      return assertNever(entry.state);
  }
}

function resultOf({ finalStatus }: LedgerEntry): Finding {
  switch (finalStatus) {
    case undefined:
    case 'UNFINISHED':
      return { status: 'submitted' };
    case 'COMPLETED':
      return { status: 'enriched' };
    case 'DATA_NOT_FOUND':
      return { status: 'not_found' };
    case 'FAILED':
      return { status: 'failed', error: ENRICHMENT_FAILED };
    default:
      return assertNever(finalStatus);
  }
}

const HOUR_MS = 3_600_000;

function entryNotes(entry: LedgerEntry, data: RowRecords['data']): readonly string[] {
  const { finalStatus, finishedAtMs, scheduledAtMs, enrichmentId, traits } = entry;
  if (finalStatus === 'COMPLETED' && traits !== undefined) return ['result removed'];
  if (finalStatus === 'COMPLETED' && data === null)
    return ['Zoho finished this row, and gave no data that can be kept: none, of an unknown form, or more than 10 MB'];
  if (finalStatus !== 'UNFINISHED') return [];
  if (enrichmentId === undefined)
    return ['a person found this row at Zoho, so it is not sent again; its result is not known'];
  const hours = Math.floor(((finishedAtMs ?? 0) - (scheduledAtMs ?? 0)) / HOUR_MS);
  return [`Zoho had not finished this row after ${hours} hours, so its result is no longer asked for`];
}

function uncertain(entry: LedgerEntry, message: string): Finding {
  return { status: 'uncertain', error: { code: entry.reason ?? 'UNCERTAIN', message } };
}

function jobOutcome(fate: JobStatus): Finding {
  switch (fate.state) {
    case 'absent':
      return { status: 'not_enqueued' };
    case 'waiting':
    case 'active':
    case 'delayed':
      return { status: 'waiting' };
    case 'completed':
      // A job completes only after its ledger entry was written: a missing entry was lost with the store's last writes.
      return { status: 'submitted' };
    case 'failed':
      return { status: 'failed', error: parseFailure(fate.reason) };
    default:
      return assertNever(fate);
  }
}

const PROBLEMS: Readonly<Record<FieldProblem, string>> = {
  TOO_SHORT: 'shorter than 3 characters',
  TOO_LONG: 'too long',
  NOT_ENGLISH: 'not in English letters',
  CONTROL_CHARACTER: 'holds a control character',
  MALFORMED: 'not well formed',
  NO_LETTER: 'no letter in it',
  GARBLED: 'garbled letters',
  PLACEHOLDER: 'a placeholder',
  SHARED_HOST: 'on a host of many, such as a social network or a mail provider',
};

function fieldNote({ field, problem }: FieldNote): string {
  return `${field} left out: ${PROBLEMS[problem]}`;
}

/** An outcome as JSON has it, in every command the same. */
export function outcomeDocument({ status, enrichmentId, submittedAtMs, error, notes, data }: RowOutcome) {
  return {
    status,
    enrichmentId: enrichmentId ?? null,
    submittedAt: submittedAtMs === undefined ? null : new Date(submittedAtMs).toISOString(),
    error: error ?? null,
    notes,
    data: data ?? null,
  };
}
