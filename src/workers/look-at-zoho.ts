import pLimit from 'p-limit';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { Echo, Orphan } from '../lib/core/reconcile.js';
import type { Store } from '../lib/store/store.js';
import type { Read, ZohoReads } from './zoho-reads.js';

/** One look at Zoho's list, newest first, back to a moment. */
export interface Look {
  /** Enrichments that nobody in the ledger owned when the list had been read, with their echoes. */
  readonly orphans: readonly Orphan[];
  /** Enrichments on the list that the ledger knows, newest first. */
  readonly known: ReadonlyMap<EnrichmentId, IdentityKey>;
}

type Failure = Exclude<Read<never>, { kind: 'read' }>;
export type LookResult = { readonly kind: 'look'; readonly look: Look } | Failure;

export interface LookAtZoho {
  /** `sinceMs` is on the store's clock. Fails whole: half a list proves nothing. */
  since(sinceMs: number, store: Store): Promise<LookResult>;
}

/** The list and the store's clock may disagree by the offset's error, and list times have whole seconds. */
const TOLERANCE_MS = 10_000;
const ECHOES_AT_ONCE = 5;
/** Echoes of enrichments made by others never change, so they are asked for once. */
const REMEMBERED_ECHOES = 50_000;

export function createLookAtZoho(reads: ZohoReads): LookAtZoho {
  const echoes = new Map<EnrichmentId, Echo | null>();

  return {
    since: async (sinceMs, store) => {
      const listed = await listSince(sinceMs, store);
      if (listed.kind !== 'listed') return listed;
      const known = await store.owners(listed.items.map(({ id }) => id));
      const unknown = listed.items.filter(({ id }) => !known.has(id));
      const failure = await fetchEchoes(unknown.map(({ id }) => id));
      if (failure) return failure;
      const orphans = unknown.flatMap(({ id, createdAtMs }) => {
        const echo = echoes.get(id);
        return echo ? [{ id, createdAtMs, echo }] : [];
      });
      return { kind: 'look', look: { orphans, known } };
    },
  };

  async function listSince(
    sinceMs: number,
    store: Store,
  ): Promise<{ kind: 'listed'; items: { id: EnrichmentId; createdAtMs: number }[] } | Failure> {
    const items = new Map<EnrichmentId, { id: EnrichmentId; createdAtMs: number }>();
    for (let page = 1; ; page++) {
      const answer = await reads.list(page);
      if (answer.kind !== 'read') return answer;
      const { nowMs } = await store.control.read();
      const offsetMs = answer.zohoNowMs === null ? 0 : nowMs - answer.zohoNowMs;
      let oldestMs = Number.POSITIVE_INFINITY;
      for (const { id, createdAtMs } of answer.value.items) {
        // A time nobody can read counts as new: looking at one enrichment too many is harmless.
        const createdMs = createdAtMs === null ? nowMs : createdAtMs + offsetMs;
        oldestMs = Math.min(oldestMs, createdMs);
        items.set(id, { id, createdAtMs: createdMs });
      }
      if (!answer.value.moreRecords || oldestMs < sinceMs - TOLERANCE_MS)
        return { kind: 'listed', items: [...items.values()] };
    }
  }

  async function fetchEchoes(ids: readonly EnrichmentId[]): Promise<Failure | undefined> {
    const limit = pLimit(ECHOES_AT_ONCE);
    let failure: Failure | undefined;
    await Promise.all(
      ids
        .filter((id) => !echoes.has(id))
        .map((id) =>
          limit(async () => {
            if (failure) return;
            const answer = await reads.echo(id);
            if (answer.kind === 'read') remember(id, answer.value);
            else failure = answer;
          }),
        ),
    );
    return failure;
  }

  function remember(id: EnrichmentId, echo: Echo | null): void {
    echoes.set(id, echo);
    if (echoes.size > REMEMBERED_ECHOES) {
      for (const oldest of echoes.keys()) {
        echoes.delete(oldest);
        break;
      }
    }
  }
}
