import type { EnrichmentId } from '../lib/core/ids.js';
import type { Echo } from '../lib/core/reconcile.js';
import type { InFlight } from '../lib/store/in-flight.js';
import type { Store } from '../lib/store/store.js';
import type { AccessTokens } from '../lib/zoho/access-tokens.js';
import type { ZohoClient } from '../lib/zoho/client.js';
import { createPacedCalls, type PacedRead } from '../lib/zoho/paced-calls.js';
import { type Enrichment, type ListPage, parseEnrichment, parseListPage } from '../lib/zoho/shapes.js';
import type { Timing } from './timing.js';

/** What came of reading from Zoho: `forbidden` when no amount of waiting helps, `unavailable` when it may. */
export type Read<T> = Exclude<PacedRead<T>, { kind: 'no-token' }>;

/** Reads for the sweep, each one call, paced and counted in flight like every call of the fleet. */
export interface ZohoReads {
  /** One page of the list, newest first; `page` counts from 1. */
  list(page: number): Promise<Read<ListPage>>;
  /** What Zoho echoes of a submission; null when it does not know the id. */
  echo(id: EnrichmentId): Promise<Read<Echo | null>>;
  /** One enrichment with its data; null when Zoho does not know the id. */
  enrichment(id: EnrichmentId): Promise<Read<Enrichment | null>>;
}

export const LIST_PAGE_SIZE = 100;

export interface ZohoReadsDeps {
  readonly store: Store;
  readonly zoho: ZohoClient;
  readonly tokens: AccessTokens;
  readonly inFlight: InFlight;
  readonly timing: Timing;
  /** As of `SubmitDeps`. */
  readonly onRefused: (refusal: { readonly code: string }) => void;
}

export function createZohoReads({ store, zoho, tokens, inFlight, timing, onRefused }: ZohoReadsDeps): ZohoReads {
  const { shortWaitMs: askAgainMs } = timing;
  const calls = createPacedCalls({ store, tokens, inFlight, askAgainMs, patienceMs: Number.POSITIVE_INFINITY });
  const enrichment = async (id: EnrichmentId) =>
    judged(
      await calls.read(
        (credentials) => zoho.getEnrichment(credentials, id),
        (body) => (body === undefined ? null : parseEnrichment(body)),
      ),
    );
  return {
    list: async (page) =>
      judged(
        await calls.read(
          (credentials) => zoho.listEnrichments(credentials, { page, perPage: LIST_PAGE_SIZE }),
          (body) => (body === undefined ? { items: [], moreRecords: false } : parseListPage(body)),
        ),
      ),
    echo: async (id) => {
      const answer = await enrichment(id);
      return answer.kind === 'read' ? { ...answer, value: answer.value?.echo ?? null } : answer;
    },
    enrichment,
  };

  function judged<T>(answer: PacedRead<T>): Read<T> {
    if (answer.kind !== 'no-token') return answer;
    const { why, code } = answer;
    if (why === 'own-credentials') onRefused(answer);
    return { kind: why === 'credentials' ? 'forbidden' : 'unavailable', code };
  }
}
