import pLimit from 'p-limit';
import type { Moment } from '../lib/core/history.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { Echo, Orphan } from '../lib/core/reconcile.js';
import type { Store } from '../lib/store/store.js';
import type { Read, ZohoReads } from './zoho-reads.js';

/** One look at Zoho's list, newest first, back to a moment. */
export interface ListSnapshot {
  /** Enrichments that nobody in the ledger owned when the list had been read, with their echoes. */
  readonly orphans: readonly Orphan[];
  /** Enrichments on the list that the ledger knows, newest first. */
  readonly known: ReadonlyMap<EnrichmentId, IdentityKey>;
}

export interface Listed {
  readonly id: EnrichmentId;
  /** On the store's clock. */
  readonly createdAtMs: number;
  /** Zoho's id of the user; null where it does not tell. */
  readonly createdBy: string | null;
}

export type ListFailure = Exclude<Read<never>, { kind: 'read' }>;
export type LookResult = { readonly kind: 'look'; readonly look: ListSnapshot } | ListFailure;
export type ListResult =
  | { readonly kind: 'listed'; readonly items: readonly Listed[]; readonly zohoNowMs: number | null }
  | ListFailure;

/** The list and the store's clock may disagree by the offset's error, and list times have whole seconds. */
export const TOLERANCE_MS = 10_000;
const ECHOES_AT_ONCE = 5;
/** Echoes of enrichments made by others never change, so they are asked for once. */
const REMEMBERED_ECHOES = 50_000;
/** A million enrichments: a list that goes on after that has no end. */
const MAX_PAGES = 10_000;

const always = async () => true;

/** Zoho's list of enrichments, read for whoever leads. */
export class EnrichmentList {
  readonly #reads: ZohoReads;
  readonly #store: Store;
  readonly #remembered = new Map<EnrichmentId, Echo | null>();

  constructor(reads: ZohoReads, store: Store) {
    this.#reads = reads;
    this.#store = store;
  }

  /** The list back to a moment. Fails whole: half a list proves nothing. Asked between pages, `goOn` may end it. */
  async list(backTo: Moment, goOn = always): Promise<ListResult> {
    const items = new Map<EnrichmentId, Listed>();
    let firstNowMs: number | null = null;
    for (let page = 1; page <= MAX_PAGES; page++) {
      if (!(await goOn())) return { kind: 'unavailable', code: 'INTERRUPTED' };
      const answer = await this.#reads.list(page);
      if (answer.kind !== 'read') return answer;
      const { nowMs } = await this.#store.control.read();
      const offsetMs = answer.zohoNowMs === null ? 0 : nowMs - answer.zohoNowMs;
      firstNowMs ??= answer.zohoNowMs;
      const backToMs = (backTo.zohoMs === null ? backTo.storeMs : backTo.zohoMs + offsetMs) - TOLERANCE_MS;
      const before = items.size;
      let oldestMs = Number.POSITIVE_INFINITY;
      for (const { id, createdAtMs, createdBy } of answer.value.items) {
        // A time nobody can read counts as new: looking at one enrichment too many is harmless.
        const createdMs = createdAtMs === null ? nowMs : createdAtMs + offsetMs;
        oldestMs = Math.min(oldestMs, createdMs);
        items.set(id, { id, createdAtMs: createdMs, createdBy });
      }
      if (!answer.value.moreRecords || oldestMs < backToMs)
        return { kind: 'listed', items: [...items.values()], zohoNowMs: firstNowMs };
      // A page without anything new would be followed by others like it, for ever.
      if (items.size === before) break;
    }
    return { kind: 'unavailable', code: 'LIST_WITHOUT_END' };
  }

  /** What nobody owns, and what somebody does. `sinceMs` is on the store's clock. */
  async since(sinceMs: number): Promise<LookResult> {
    const listed = await this.list({ storeMs: sinceMs, zohoMs: null });
    if (listed.kind !== 'listed') return listed;
    const ids = listed.items.map(({ id }) => id);
    const [known, kept] = await Promise.all([this.#store.owners(ids), this.#store.orphans(ids)]);
    const unknown = listed.items.filter(({ id }) => !known.has(id));
    const found = await this.echoes(unknown.map(({ id }) => id).filter((id) => !kept.has(id)));
    if ('kind' in found) return found;
    const orphans = unknown.flatMap(({ id, createdAtMs }) => {
      const echo = kept.get(id)?.echo ?? found.get(id);
      return echo ? [{ id, createdAtMs, echo }] : [];
    });
    return { kind: 'look', look: { orphans, known } };
  }

  /** What these echo, null for an id that Zoho does not know; asked for once. */
  async echoes(
    ids: readonly EnrichmentId[],
    goOn = always,
  ): Promise<ReadonlyMap<EnrichmentId, Echo | null> | ListFailure> {
    const limit = pLimit(ECHOES_AT_ONCE);
    const found = new Map<EnrichmentId, Echo | null>();
    let failure: ListFailure | undefined;
    const ask = async (id: EnrichmentId): Promise<void> => {
      const known = this.#remembered.get(id);
      if (known !== undefined) found.set(id, known);
      if (known !== undefined || failure) return;
      if (!(await goOn())) {
        failure = { kind: 'unavailable', code: 'INTERRUPTED' };
        return;
      }
      const answer = await this.#reads.echo(id);
      if (answer.kind !== 'read') failure = answer;
      else {
        this.#remember(id, answer.value);
        found.set(id, answer.value);
      }
    };
    await Promise.all(ids.map((id) => limit(ask, id)));
    return failure ?? found;
  }

  #remember(id: EnrichmentId, echo: Echo | null): void {
    this.#remembered.set(id, echo);
    if (this.#remembered.size <= REMEMBERED_ECHOES) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }
}
