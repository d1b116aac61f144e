import { assertNever } from '../lib/core/assert-never.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import { compareWithZoho, isEchoOf, isEmptyEcho, type LookupFinding } from '../lib/core/reconcile.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import type { Document, Store } from '../lib/store/store.js';
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

/** Rows settled by one pass; the rest waits for the next. */
const ROWS_A_PASS = 10_000;
/** Known enrichments, the newest, among which one is compared with its echo. */
const CONTROLS_AMONG = 1_000;

/**
 * Settles uncertain rows by looking them up: found ones are adopted, missing ones are sent again once this account has
 * shown that the look-up works, ambiguous ones are held for a person. Never sends anything itself.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #store: Store;
  /** When a claim was first looked for in vain, by call id: a later send of the same row starts anew. */
  readonly #firstMisses = new Map<string, number>();

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#store = deps.engine.store;
  }

  /** One look at Zoho for all uncertain rows. `unavailable`: Zoho could not be asked, nothing was decided. */
  async pass(): Promise<'looked' | 'unavailable'> {
    const { nowMs } = await this.#store.control.read();
    const uncertain = await this.#store.uncertain({ held: false, limit: ROWS_A_PASS });
    const settled = [...uncertain].filter(
      ([, { sentAtMs }]) => sentAtMs + this.#deps.settings.timing.settlingMs <= nowMs,
    );
    await this.#settleOrphaned(
      settled.filter(([, { callId }]) => orphanIn(callId) !== undefined),
      nowMs,
    );
    const due = settled.filter(([, { callId }]) => orphanIn(callId) === undefined);
    if (due.length === 0) return 'looked';
    const oldestMs = Math.min(...due.map(([, { sentAtMs }]) => sentAtMs));
    const result = await this.#deps.look.since(oldestMs);
    if (result.kind === 'unavailable') {
      this.#deps.log.warn('lookup.unavailable', { code: result.code, rows: due.length });
      return 'unavailable';
    }
    if (result.kind === 'forbidden') {
      await Promise.all(due.map(([key, entry]) => this.#hold(key, entry, `LOOKUP_${result.code}`)));
      return 'looked';
    }
    for (const finding of await this.#findings(new Map(due), result.look))
      await this.#apply(finding, result.look, nowMs);
    return 'looked';
  }

  /** Rows that equal an orphan: what it echoes is known, so nothing has to be asked. */
  async #settleOrphaned(due: readonly (readonly [IdentityKey, LedgerEntry])[], nowMs: number): Promise<void> {
    if (due.length === 0) return;
    const orphans = await this.#store.orphans(due.flatMap(([, { callId }]) => orphanIn(callId) ?? []));
    const look = { orphans: [...orphans.values()], known: new Map() };
    for (const finding of await this.#findings(new Map(due), look)) await this.#apply(finding, look, nowMs);
  }

  /**
   * Claims are read after the list, and owners after the claims: whoever caused a orphan is then seen as sending, as
   * uncertain, or as its owner.
   */
  async #findings(due: ReadonlyMap<IdentityKey, LedgerEntry>, look: ListSnapshot): Promise<readonly LookupFinding[]> {
    const sending = await this.#store.sending(ROWS_A_PASS);
    const uncertain = await this.#store.uncertain({ held: false, limit: ROWS_A_PASS });
    const owned = await this.#store.owners(look.orphans.map(({ id }) => id));
    const orphans = look.orphans.filter(({ id }) => !owned.has(id));
    return compareWithZoho(uncertain, sending, orphans).filter(
      ({ key, entry }) => due.get(key)?.callId === entry.callId,
    );
  }

  async #apply(finding: LookupFinding, look: ListSnapshot, lookedAtMs: number): Promise<void> {
    const { key, entry } = finding;
    switch (finding.kind) {
      case 'found':
        return this.#adopt(key, entry, finding.id);
      case 'ambiguous':
        return this.#hold(key, entry, 'AMBIGUOUS');
      case 'unclear':
        return;
      case 'missing':
        return this.#missing(key, entry, look, lookedAtMs);
      default:
        return assertNever(finding);
    }
  }

  async #adopt(key: IdentityKey, entry: LedgerEntry, id: EnrichmentId): Promise<void> {
    const settled = await this.#store.settle(key, entry.callId, id, entry.notes);
    if (settled.kind === 'conflict') return;
    this.#firstMisses.delete(entry.callId);
    this.#deps.log.info('row.adopted', { jobId: key, enrichmentId: id });
    await this.#wake(key);
  }

  async #missing(key: IdentityKey, entry: LedgerEntry, look: ListSnapshot, lookedAtMs: number): Promise<void> {
    // The orphan is another row's by now, so this row was never sent.
    if (orphanIn(entry.callId) !== undefined) return this.#sendAgain(key, entry);
    const firstMissMs = this.#firstMisses.get(entry.callId);
    if (firstMissMs === undefined) {
      this.#firstMisses.set(entry.callId, lookedAtMs);
      return;
    }
    const { betweenMissesMs, lateAcceptMs } = this.#deps.settings.timing;
    if (lookedAtMs - firstMissMs < betweenMissesMs || lookedAtMs - entry.sentAtMs < lateAcceptMs) return;
    if (this.#deps.settings.onUncertain === 'hold') return this.#hold(key, entry, 'NOT_FOUND');
    const echo = await this.#positiveControl(look);
    if (echo === 'differs') return this.#hold(key, entry, 'ECHO_DIFFERS');
    if (echo === 'shown') return this.#sendAgain(key, entry);
    // Other rows may still give this account its positive control; when none are left, a person has to look.
    const { waiting, active } = await this.#deps.engine.counts();
    if (waiting + active === 0) await this.#hold(key, entry, 'LOOKUP_UNPROVEN');
  }

  async #sendAgain(key: IdentityKey, entry: LedgerEntry): Promise<void> {
    if (!(await this.#store.clear(key, entry.callId))) return;
    this.#firstMisses.delete(entry.callId);
    this.#deps.log.info('row.cleared', { jobId: key, sends: entry.sends });
    await this.#wake(key);
  }

  async #hold(key: IdentityKey, entry: LedgerEntry, reason: string): Promise<void> {
    if (!(await this.#store.hold(key, entry.callId, reason))) return;
    this.#firstMisses.delete(entry.callId);
    this.#deps.log.error('row.held', { jobId: key, reason });
    await this.#wake(key);
  }

  /** Has this account shown that a known id is listed and that its echo equals what was sent? Shown once, shown for good. */
  async #positiveControl(look: ListSnapshot): Promise<SweepState['echo']> {
    const { value } = await this.#deps.document.read();
    if (value !== null && value.echo !== 'unknown') return value.echo;
    const entries = await this.#store.entries([...new Set([...look.known.values()].slice(0, CONTROLS_AMONG))]);
    // What is kept of a forgotten row, or of one that was sent again, cannot be compared.
    const known = [...look.known].find(([id, key]) => isComparable(entries.get(key), id));
    const entry = known && entries.get(known[1]);
    if (known === undefined || entry === undefined) return 'unknown';
    const read = await this.#deps.reads.echo(known[0]);
    if (read.kind !== 'read' || read.value === null || isEmptyEcho(read.value)) return 'unknown';
    const echo = isEchoOf(read.value, entry.sent) ? 'shown' : 'differs';
    await this.#deps.document.change((state) => (state === null ? undefined : { ...state, echo }));
    this.#deps.log.info('lookup.proven', { echo });
    return echo;
  }

  /** Lets the row's job run now instead of at its next look at the ledger; a job in another state needs no waking. */
  async #wake(key: IdentityKey): Promise<void> {
    const job = await this.#deps.queue.getJob(key);
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
