import { assertNever } from '../lib/core/assert-never.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import { compareWithZoho, isEchoOf, isEmptyEcho, type LookupFinding } from '../lib/core/reconcile.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import type { Document } from '../lib/store/store.js';
import type { EnrichmentList, ListSnapshot } from './list-enrichments.js';
import type { SweepSettings, SweepState } from './sweep-state.js';
import type { ZohoReads } from './zoho-reads.js';

export interface ReconcilerDeps {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly reads: ZohoReads;
  readonly look: EnrichmentList;
  readonly document: Document<SweepState>;
  readonly settings: SweepSettings;
  readonly log: Logger;
}

export interface Reconciler {
  /** One look at Zoho for all uncertain rows. `unavailable`: Zoho could not be asked, nothing was decided. */
  pass(): Promise<'looked' | 'unavailable'>;
}

/** Rows settled by one pass; the rest waits for the next. */
const ROWS_A_PASS = 10_000;
/** Known enrichments, the newest, among which one is compared with its echo. */
const CONTROLS_AMONG = 1_000;

/**
 * Settles uncertain rows by looking them up: found ones are adopted, missing ones are sent again once this account has
 * shown that the look-up works, ambiguous ones are held for a person. Never sends anything itself.
 */
export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { engine, queue, settings, log } = deps;
  const { store } = engine;
  /** When a claim was first looked for in vain, by call id: a later send of the same row starts anew. */
  const firstMisses = new Map<string, number>();

  return { pass };

  async function pass(): Promise<'looked' | 'unavailable'> {
    const { nowMs } = await store.control.read();
    const uncertain = await store.uncertain({ held: false, limit: ROWS_A_PASS });
    const settled = [...uncertain].filter(([, { sentAtMs }]) => sentAtMs + settings.timing.settlingMs <= nowMs);
    await settleOrphaned(
      settled.filter(([, { callId }]) => orphanIn(callId) !== undefined),
      nowMs,
    );
    const due = settled.filter(([, { callId }]) => orphanIn(callId) === undefined);
    if (due.length === 0) return 'looked';
    const oldestMs = Math.min(...due.map(([, { sentAtMs }]) => sentAtMs));
    const result = await deps.look.since(oldestMs);
    if (result.kind === 'unavailable') {
      log.warn('lookup.unavailable', { code: result.code, rows: due.length });
      return 'unavailable';
    }
    if (result.kind === 'forbidden') {
      await Promise.all(due.map(([key, entry]) => hold(key, entry, `LOOKUP_${result.code}`)));
      return 'looked';
    }
    for (const finding of await findings(new Map(due), result.look)) await apply(finding, result.look, nowMs);
    return 'looked';
  }

  /** Rows that equal an orphan: what it echoes is known, so nothing has to be asked. */
  async function settleOrphaned(due: readonly (readonly [IdentityKey, LedgerEntry])[], nowMs: number): Promise<void> {
    if (due.length === 0) return;
    const orphans = await store.orphans(due.flatMap(([, { callId }]) => orphanIn(callId) ?? []));
    const look = { orphans: [...orphans.values()], known: new Map() };
    for (const finding of await findings(new Map(due), look)) await apply(finding, look, nowMs);
  }

  /**
   * Claims are read after the list, and owners after the claims: whoever caused a orphan is then seen as sending, as
   * uncertain, or as its owner.
   */
  async function findings(
    due: ReadonlyMap<IdentityKey, LedgerEntry>,
    look: ListSnapshot,
  ): Promise<readonly LookupFinding[]> {
    const sending = await store.sending(ROWS_A_PASS);
    const uncertain = await store.uncertain({ held: false, limit: ROWS_A_PASS });
    const owned = await store.owners(look.orphans.map(({ id }) => id));
    const orphans = look.orphans.filter(({ id }) => !owned.has(id));
    return compareWithZoho(uncertain, sending, orphans).filter(
      ({ key, entry }) => due.get(key)?.callId === entry.callId,
    );
  }

  async function apply(finding: LookupFinding, look: ListSnapshot, lookedAtMs: number): Promise<void> {
    const { key, entry } = finding;
    switch (finding.kind) {
      case 'found':
        return adopt(key, entry, finding.id);
      case 'ambiguous':
        return hold(key, entry, 'AMBIGUOUS');
      case 'unclear':
        return;
      case 'missing':
        return missing(key, entry, look, lookedAtMs);
      default:
        return assertNever(finding);
    }
  }

  async function adopt(key: IdentityKey, entry: LedgerEntry, id: EnrichmentId): Promise<void> {
    const settled = await store.settle(key, entry.callId, id, entry.notes);
    if (settled.kind === 'conflict') return;
    firstMisses.delete(entry.callId);
    log.info('row.adopted', { jobId: key, enrichmentId: id });
    await wake(key);
  }

  async function missing(key: IdentityKey, entry: LedgerEntry, look: ListSnapshot, lookedAtMs: number): Promise<void> {
    // The orphan is another row's by now, so this row was never sent.
    if (orphanIn(entry.callId) !== undefined) return sendAgain(key, entry);
    const firstMissMs = firstMisses.get(entry.callId);
    if (firstMissMs === undefined) {
      firstMisses.set(entry.callId, lookedAtMs);
      return;
    }
    const { betweenMissesMs, lateAcceptMs } = settings.timing;
    if (lookedAtMs - firstMissMs < betweenMissesMs || lookedAtMs - entry.sentAtMs < lateAcceptMs) return;
    if (settings.onUncertain === 'hold') return hold(key, entry, 'NOT_FOUND');
    const echo = await positiveControl(look);
    if (echo === 'differs') return hold(key, entry, 'ECHO_DIFFERS');
    if (echo === 'shown') return sendAgain(key, entry);
    // Other rows may still give this account its positive control; when none are left, a person has to look.
    const { waiting, active } = await engine.counts();
    if (waiting + active === 0) await hold(key, entry, 'LOOKUP_UNPROVEN');
  }

  async function sendAgain(key: IdentityKey, entry: LedgerEntry): Promise<void> {
    if (!(await store.clear(key, entry.callId))) return;
    firstMisses.delete(entry.callId);
    log.info('row.cleared', { jobId: key, sends: entry.sends });
    await wake(key);
  }

  async function hold(key: IdentityKey, entry: LedgerEntry, reason: string): Promise<void> {
    if (!(await store.hold(key, entry.callId, reason))) return;
    firstMisses.delete(entry.callId);
    log.error('row.held', { jobId: key, reason });
    await wake(key);
  }

  /** Has this account shown that a known id is listed and that its echo equals what was sent? Shown once, shown for good. */
  async function positiveControl(look: ListSnapshot): Promise<SweepState['echo']> {
    const { value } = await deps.document.read();
    if (value !== null && value.echo !== 'unknown') return value.echo;
    const entries = await store.entries([...new Set([...look.known.values()].slice(0, CONTROLS_AMONG))]);
    // What is kept of a forgotten row, or of one that was sent again, cannot be compared.
    const known = [...look.known].find(([id, key]) => isComparable(entries.get(key), id));
    const entry = known && entries.get(known[1]);
    if (known === undefined || entry === undefined) return 'unknown';
    const read = await deps.reads.echo(known[0]);
    if (read.kind !== 'read' || read.value === null || isEmptyEcho(read.value)) return 'unknown';
    const echo = isEchoOf(read.value, entry.sent) ? 'shown' : 'differs';
    await deps.document.change((state) => (state === null ? undefined : { ...state, echo }));
    log.info('lookup.proven', { echo });
    return echo;
  }

  /** Lets the row's job run now instead of at its next look at the ledger; a job in another state needs no waking. */
  async function wake(key: IdentityKey): Promise<void> {
    const job = await queue.getJob(key);
    await job?.promote().catch(() => undefined);
  }
}

function isComparable(entry: LedgerEntry | undefined, id: EnrichmentId): boolean {
  return entry?.enrichmentId === id && !isEmptyEcho(entry.sent);
}

/** The orphan for which `admit` made a row uncertain. */
function orphanIn(callId: string): EnrichmentId | undefined {
  const [, id] = /^orphan\.(\d+)$/.exec(callId) ?? [];
  return id as EnrichmentId | undefined; // put there by the store's scripts
}
