import { ENRICHMENT_FAILED, parseFailure } from '../lib/core/failure.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import type { EnrichJob, EnrichQueue } from '../lib/queues.js';
import type { Store } from '../lib/store/store.js';

/** Failed rows with one code. */
export interface ProblemGroup {
  readonly code: string;
  readonly rows: number;
  /** Reason of the latest of them. */
  readonly message: string;
  /** Sending them again costs an enrichment each: Zoho took them before. */
  readonly isPaid: boolean;
}

/** What needs a person. */
export interface Problems {
  readonly groups: readonly ProblemGroup[];
  /** More rows failed than were looked at: the counts are of the latest of them. */
  readonly isPartial: boolean;
  /** The oldest rows that only a person may decide. */
  readonly held: readonly (readonly [IdentityKey, LedgerEntry])[];
}

/** Failed jobs that are looked at: each is read whole. */
export const MAX_FAILED_READ = 1_000;
const MAX_HELD_SHOWN = 10;
/** The code of a row that waits for a person: its job has failed, and it is told apart. */
export const HELD_CODE = 'UNCERTAIN_HELD';

/** The failed jobs that are no held rows, the latest first, at most a thousand. */
export async function failedJobs(queue: EnrichQueue): Promise<readonly EnrichJob[]> {
  const jobs = await queue.getFailed(0, MAX_FAILED_READ - 1);
  // BullMQ gives null for a job that went away meanwhile.
  return jobs.filter((job) => job && parseFailure(job.failedReason ?? '').code !== HELD_CODE);
}

/** Failed rows by code, and those that need a decision. Three reads, however many rows there are. */
export async function readProblems(queue: EnrichQueue, store: Pick<Store, 'counts' | 'list'>): Promise<Problems> {
  const [jobs, total, ledger, held] = await Promise.all([
    failedJobs(queue),
    queue.getFailedCount(),
    store.counts(),
    store.list('held', { offset: 0, limit: MAX_HELD_SHOWN }),
  ]);
  const groups = new Map<string, ProblemGroup>();
  for (const { failedReason } of jobs) {
    const { code, message } = parseFailure(failedReason ?? '');
    const group = groups.get(code) ?? { code, rows: 0, message, isPaid: false };
    groups.set(code, { ...group, rows: group.rows + 1 });
  }
  const own = [...groups.values()].sort((a, b) => b.rows - a.rows);
  const byZoho = { ...ENRICHMENT_FAILED, rows: ledger.failed, isPaid: true };
  return {
    groups: ledger.failed > 0 ? [...own, byZoho] : own,
    isPartial: total > MAX_FAILED_READ,
    held: [...held.entries],
  };
}
