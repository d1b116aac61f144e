import type { EnrichmentId } from '../core/ids.js';
import { FINAL_STATUSES, type LedgerEntry, type LedgerState, type SentFields, type Traits } from '../core/ledger.js';

const STATES: ReadonlySet<string> = new Set<LedgerState>(['sending', 'uncertain', 'held', 'cleared', 'scheduled']);

const NOTHING_SENT: SentFields = { module: '' };

/**
 * A ledger entry as the engines keep it, one field a line, empty when absent:
 * state, call id, sent at, sends, enrichment id, scheduled at, reason, fields sent (JSON), notes (JSON), final status,
 * finished at. The last two, and any that are added, are missing from the lines of earlier versions.
 * Scripts can then change one field without parsing what a row holds. A line that is no entry, or one of a newer version, is
 * one that only a person can settle: the row may have been sent. It must not keep the others from being read.
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
  if (!STATES.has(state)) {
    return { state: 'held', callId: '', sentAtMs: 0, sends: 1, sent: NOTHING_SENT, reason: 'UNREADABLE_ENTRY' };
  }
  return {
    // In STATES, checked above.
    state: state as LedgerState,
    callId,
    sentAtMs: Number(sentAt) || 0,
    sends: Number(sends) || 1,
    // Only our own scripts write these two: what `admit` and `settle` were given.
    ...sentOf(sent),
    ...(enrichmentId ? { enrichmentId: enrichmentId as EnrichmentId } : {}),
    ...(scheduledAt ? { scheduledAtMs: Number(scheduledAt) } : {}),
    ...(reason ? { reason } : {}),
    ...(notes ? { notes: (parsed(notes) ?? []) as readonly string[] } : {}),
    ...(finalStatus ? { finalStatus } : {}),
    ...(finishedAt ? { finishedAtMs: Number(finishedAt) } : {}),
  };
}

/** Written by `sentText`. */
function sentOf(json: string): Pick<LedgerEntry, 'sent' | 'traits' | 'queuedAtMs'> {
  const { digests, queued, ...sent } = (parsed(json) ?? NOTHING_SENT) as SentFields & More;
  return {
    sent,
    ...(digests !== undefined && { traits: digests }),
    ...(queued !== undefined && { queuedAtMs: queued }),
  };
}

/** What an entry keeps beside the fields sent. */
interface Kept {
  readonly traits?: Traits | undefined;
  readonly queuedAtMs?: number | undefined;
}

/** As it is written. */
interface More {
  readonly digests?: Traits | undefined;
  readonly queued?: number | undefined;
}

/** The fields sent as an entry line has them. */
export function sentText(sent: SentFields, { traits, queuedAtMs }: Kept): string {
  return JSON.stringify({ ...sent, digests: traits, queued: queuedAtMs } satisfies SentFields & More);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
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
    sentText(sent, entry),
    notes.length === 0 ? '' : JSON.stringify(notes),
    finalStatus,
    finishedAtMs === undefined ? '' : String(finishedAtMs),
  ];
}
