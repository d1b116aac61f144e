import type { IdentityKey } from '../lib/core/ids.js';
import type { EnrichedData, LedgerEntry, SentFields } from '../lib/core/ledger.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichJob, EnrichPayload, EnrichQueue } from '../lib/queues.js';
import { type RowOutcome, recordedOutcome } from './row-outcome.js';

/** Something that happened to a row. */
export interface RowEvent {
  readonly event: 'queued' | 'sent' | 'accepted' | 'failed' | 'result';
  /** Epoch milliseconds. */
  readonly atMs: number;
}

/** All that is known of a row beside its file. */
export interface RowRecord {
  readonly key: IdentityKey;
  /** The values that are or were sent; null when neither ledger nor queue knows the row. */
  readonly sent: SentFields | null;
  readonly entry: LedgerEntry | undefined;
  readonly outcome: RowOutcome;
  readonly data: EnrichedData | undefined;
  /** Line in the file it was queued from, as the job knows it. */
  readonly line: number | undefined;
  readonly hasJob: boolean;
  /** Oldest first. */
  readonly history: readonly RowEvent[];
}

const ABSENT = { state: 'absent' } as const;

/** Everything about these rows, in their order, in a few round trips. */
export async function rowRecords(
  engine: Engine,
  queue: EnrichQueue,
  keys: readonly IdentityKey[],
): Promise<readonly RowRecord[]> {
  if (keys.length === 0) return [];
  const [entries, fates, results, jobs] = await Promise.all([
    engine.store.entries(keys),
    engine.jobStatuses(keys),
    engine.store.results(keys),
    Promise.all(keys.map((key) => queue.getJob(key))),
  ]);
  return keys.map((key, at) => {
    const entry = entries.get(key);
    const data = results.get(key);
    const job = jobs[at];
    return {
      key,
      sent: entry?.sent.module ? entry.sent : job === undefined ? null : fieldsOf(job.data),
      entry,
      outcome: recordedOutcome({ entry, fate: fates.get(key) ?? ABSENT, data }),
      data,
      line: job?.data?.line,
      hasJob: job !== undefined,
      history: historyOf(entry, job),
    };
  });
}

function fieldsOf(data: EnrichPayload | null): SentFields | null {
  if (data === null || typeof data !== 'object') return null;
  const { module, recordId, name, email, website } = data;
  return {
    module,
    ...(recordId !== undefined && { recordId }),
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(website !== undefined && { website }),
  };
}

/** What ledger and queue remember of a row, oldest first. */
function historyOf(entry: LedgerEntry | undefined, job: EnrichJob | undefined): readonly RowEvent[] {
  const hasFailed = job?.failedReason !== undefined;
  const events: readonly { readonly event: RowEvent['event']; readonly atMs: number | undefined }[] = [
    { event: 'queued', atMs: job?.timestamp },
    { event: 'sent', atMs: entry?.sentAtMs },
    { event: 'accepted', atMs: entry?.scheduledAtMs },
    { event: 'failed', atMs: hasFailed ? job?.finishedOn : undefined },
    { event: 'result', atMs: entry?.finishedAtMs },
  ];
  return events.flatMap(({ event, atMs }) => (atMs === undefined ? [] : [{ event, atMs }]));
}
