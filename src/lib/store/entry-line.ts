import type { EnrichmentId } from '../core/ids.js';
import { FINAL_STATUSES, type LedgerEntry, type LedgerState, type SentFields } from '../core/ledger.js';

const STATES: ReadonlySet<string> = new Set<LedgerState>(['sending', 'uncertain', 'held', 'cleared', 'scheduled']);

/**
 * A ledger entry as the engines keep it, one field a line, empty when absent:
 * state, call id, sent at, sends, enrichment id, scheduled at, reason, fields sent (JSON), notes (JSON), final status,
 * finished at. The last two, and any that are added, are missing from the lines of earlier versions.
 * Scripts can then change one field without parsing what a row holds. Throws when the line is not an entry.
 */
export function parseEntryLine(line: string): LedgerEntry {
  const [
    state = '',
    callId = '',
    sentAt,
    sends,
    enrichmentId,
    scheduledAt,
    reason,
    sent = '',
    notes,
    final,
    finishedAt,
  ] = line.split('\n');
  const finalStatus = FINAL_STATUSES.find((status) => status === final);
  if (!STATES.has(state)) throw new Error('The ledger holds an entry this version cannot read; update the program.');
  return {
    // In STATES, checked above.
    state: state as LedgerState,
    callId,
    sentAtMs: Number(sentAt),
    sends: Number(sends),
    // Only our own scripts write these two: what `admit` and `settle` were given.
    sent: JSON.parse(sent) as SentFields,
    ...(enrichmentId ? { enrichmentId: enrichmentId as EnrichmentId } : {}),
    ...(scheduledAt ? { scheduledAtMs: Number(scheduledAt) } : {}),
    ...(reason ? { reason } : {}),
    ...(notes ? { notes: JSON.parse(notes) as readonly string[] } : {}),
    ...(finalStatus ? { finalStatus } : {}),
    ...(finishedAt ? { finishedAtMs: Number(finishedAt) } : {}),
  };
}

/** The eleven fields of an entry line, in its order. */
export function entryFields(entry: LedgerEntry): readonly string[] {
  const { state, callId, sentAtMs, sends, enrichmentId = '', scheduledAtMs, reason = '', sent, notes = [] } = entry;
  const { finalStatus = '', finishedAtMs } = entry;
  return [
    state,
    callId,
    String(sentAtMs),
    String(sends),
    enrichmentId,
    scheduledAtMs === undefined ? '' : String(scheduledAtMs),
    reason,
    JSON.stringify(sent),
    notes.length === 0 ? '' : JSON.stringify(notes),
    finalStatus,
    finishedAtMs === undefined ? '' : String(finishedAtMs),
  ];
}
