import type { EnrichmentId } from '../core/ids.js';
import type { LedgerEntry, LedgerState, SentFields } from '../core/ledger.js';

const STATES: ReadonlySet<string> = new Set<LedgerState>(['sending', 'uncertain', 'held', 'cleared', 'scheduled']);

/**
 * A ledger entry as the engines keep it, one field a line, empty when absent:
 * state, call id, sent at, sends, enrichment id, scheduled at, reason, fields sent (JSON), notes (JSON).
 * Scripts can then change one field without parsing what a row holds. Throws when the line is not an entry.
 */
export function parseEntryLine(line: string): LedgerEntry {
  const [state = '', callId = '', sentAt, sends, enrichmentId, scheduledAt, reason, sent = '', notes] =
    line.split('\n');
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
  };
}
