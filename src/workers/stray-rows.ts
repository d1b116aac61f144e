import { identityKey } from '../lib/core/identity.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry, SentFields } from '../lib/core/ledger.js';
import { isEchoOf, type Orphan as Stray } from '../lib/core/reconcile.js';
import { KEEPABLE, parseRow } from '../lib/core/row.js';
import { type StrayFinding, strayFindings, type UnknownRow } from '../lib/core/server-state.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import type { Store } from '../lib/store/store.js';
import { parsePayload } from './payload.js';

export interface StrayRowsDeps {
  readonly store: Store;
  readonly queue: EnrichQueue;
  readonly log: Logger;
  /** Called between pages of the queue; throws when somebody else has taken over. */
  readonly stillOurs: () => Promise<void>;
}

/** How many enrichments went to which fate; `kept` are without a row, as JSON for the store. */
export interface StraysPlaced {
  readonly adopted: number;
  readonly held: number;
  readonly kept: readonly Stray[];
}

const PAGE = 1_000;
/** Rows may move by some places while the list is read: pages overlap by more than the fleet takes at a time. */
const OVERLAP = 200;
const OPEN_ENTRIES = 10_000;
const CALL_ID = 'server-change';

/**
 * Gives enrichments that nobody owns to the queued rows that caused them: their claims were lost with the store's last
 * writes. Safe to repeat.
 */
export async function placeStrays(strays: readonly Stray[], deps: StrayRowsDeps): Promise<StraysPlaced> {
  const { store, log } = deps;
  const rows = strays.length === 0 ? [] : await unknownRows(strays, deps);
  const [sending, doubts] = await Promise.all([
    store.sending(OPEN_ENTRIES),
    store.uncertain({ held: true, limit: OPEN_ENTRIES }),
  ]);
  const findings = strayFindings(strays, rows, [...sending.values(), ...doubts.values()]);
  for (const finding of findings) if (finding.kind !== 'keep') await place(finding, store, log);
  const count = (kind: StrayFinding['kind']) => findings.filter((finding) => finding.kind === kind).length;
  return {
    adopted: count('adopt'),
    held: count('hold'),
    kept: findings.flatMap((finding) => (finding.kind === 'keep' ? [finding.stray] : [])),
  };
}

async function place(
  { kind, row, stray }: Exclude<StrayFinding, { kind: 'keep' }>,
  store: Store,
  log: Logger,
): Promise<void> {
  await store.importEntries(new Map([[row.key, entryOf(row.sent, stray, kind === 'hold')]]), new Map());
  if (kind === 'hold') {
    log.error('row.held', { jobId: row.key, reason: 'AMBIGUOUS' });
    return;
  }
  const settled = await store.settle(row.key, CALL_ID, stray.id);
  if (settled.kind === 'settled') log.info('row.adopted', { jobId: row.key, enrichmentId: stray.id });
}

/** The claim that was lost, as far as Zoho tells. */
function entryOf(sent: SentFields, stray: Stray, held: boolean): LedgerEntry {
  return {
    state: held ? 'held' : 'uncertain',
    callId: CALL_ID,
    sentAtMs: Math.floor(stray.createdAtMs),
    sends: 1,
    sent,
    reason: held ? 'AMBIGUOUS' : 'CLAIM_LOST',
  };
}

/** Queued rows that the ledger does not know, or knows as not sent, with the values of one of the strays. */
async function unknownRows(strays: readonly Stray[], deps: StrayRowsDeps): Promise<readonly UnknownRow[]> {
  const found = new Map<IdentityKey, UnknownRow>();
  for await (const data of queuedData(deps)) {
    const sent = sentOf(data);
    if (sent === undefined || !strays.some(({ echo }) => isEchoOf(echo, sent))) continue;
    const key = identityKey(sent);
    found.set(key, { key, sent });
  }
  const entries = await deps.store.entries([...found.keys()]);
  return [...found.values()].filter(({ key }) => (entries.get(key)?.state ?? 'cleared') === 'cleared');
}

function sentOf(data: unknown): SentFields | undefined {
  const payload = parsePayload(data);
  if (!payload.ok) return undefined;
  const parsed = parseRow(payload.value, { keep: KEEPABLE });
  return parsed.ok ? parsed.row : undefined;
}

/**
 * The data of every job that may still be sent, some twice. What is active may go back to the head of the queue meanwhile,
 * so the head is read once more at the end.
 */
async function* queuedData({ queue, stillOurs }: StrayRowsDeps): AsyncGenerator<unknown> {
  for (const state of ['delayed', 'waiting', 'active', 'waiting'] as const) {
    for (let start = 0; ; start += PAGE - OVERLAP) {
      await stillOurs();
      const jobs = await queue.getJobs([state], start, start + PAGE - 1, true);
      for (const job of jobs) if (job?.data !== undefined) yield job.data;
      if (jobs.length < PAGE) break;
    }
  }
}

/** The enrichments without a row, kept for rows that are queued again. */
export interface KeptStrays {
  readonly strays: readonly Stray[];
}

const MOST_KEPT = 10_000;

/** Keeps these beside those of earlier changes; the oldest give way. */
export async function keepStrays(store: Store, strays: readonly Stray[]): Promise<void> {
  if (strays.length === 0) return;
  await store.cell<KeptStrays>('strays').change((kept) => {
    const ids = new Set(strays.map(({ id }) => id));
    const others = (kept?.strays ?? []).filter(({ id }) => !ids.has(id));
    return { strays: [...others, ...strays].slice(-MOST_KEPT) };
  });
}

/**
 * The store, with an admission that knows the kept enrichments: a row with the values of one that nobody owns is uncertain
 * instead of sent. A row with a record id is held, because rows with the same values and another record id may exist.
 * `runId` tells which server was seen last: after each change the kept ones are read again.
 */
export function admitWithStrays(store: Store, runId: () => string | null): Store {
  let kept: readonly Stray[] = [];
  let readFor: string | null | undefined;

  async function strayOf({ sent }: { readonly sent: SentFields }): Promise<Stray | undefined> {
    const now = runId();
    if (readFor !== now) {
      kept = (await store.cell<KeptStrays>('strays').read()).value?.strays ?? [];
      readFor = now;
    }
    const same = kept.filter(({ echo }) => isEchoOf(echo, sent));
    if (same.length === 0) return undefined;
    const owned = await store.owners(same.map(({ id }) => id));
    return same.find(({ id }) => !owned.has(id));
  }

  return {
    ...store,
    admit: async (request) => {
      const stray = await strayOf(request);
      if (stray !== undefined) {
        const entry = (await store.entries([request.key])).get(request.key);
        const looked = entry?.state === 'cleared' && entry.sentAtMs >= Math.floor(stray.createdAtMs);
        if (!looked) {
          const held = request.sent.recordId !== undefined;
          await store.importEntries(new Map([[request.key, entryOf(request.sent, stray, held)]]), new Map());
        }
      }
      return store.admit(request);
    },
  };
}
