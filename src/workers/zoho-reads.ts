import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../lib/core/answer.js';
import { parseRead } from '../lib/core/classify-read.js';
import type { EnrichmentId } from '../lib/core/ids.js';
import type { Echo } from '../lib/core/reconcile.js';
import type { Store } from '../lib/store/store.js';
import type { AccessTokens } from '../lib/zoho/access-tokens.js';
import type { Credentials, ZohoClient } from '../lib/zoho/client.js';
import { type Enrichment, type ListPage, parseEnrichment, parseListPage } from '../lib/zoho/shapes.js';
import type { InFlight } from './in-flight.js';
import type { Timing } from './timing.js';

/** What came of reading from Zoho. */
export type Read<T> =
  | { readonly kind: 'read'; readonly value: T; readonly zohoNowMs: number | null }
  /** The account may not read: no amount of waiting helps. */
  | { readonly kind: 'forbidden'; readonly code: string }
  /** Not now: outage, throttling, no token, an answer nobody can read. */
  | { readonly kind: 'unavailable'; readonly code: string };

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
  const enrichment = (id: EnrichmentId) =>
    read(
      (credentials) => zoho.getEnrichment(credentials, id),
      (body) => (body === undefined ? null : parseEnrichment(body)),
    );
  return {
    list: (page) =>
      read(
        (credentials) => zoho.listEnrichments(credentials, { page, perPage: LIST_PAGE_SIZE }),
        (body) => (body === undefined ? { items: [], moreRecords: false } : parseListPage(body)),
      ),
    echo: async (id) => {
      const answer = await enrichment(id);
      return answer.kind === 'read' ? { ...answer, value: answer.value?.echo ?? null } : answer;
    },
    enrichment,
  };

  /** `parse` as `parseRead` calls it. */
  async function read<T>(
    call: (credentials: Credentials) => Promise<Answer>,
    parse: (body: unknown) => T | undefined,
    secondTry = false,
  ): Promise<Read<T>> {
    const token = await tokens.get();
    if (token.kind === 'permanent' && token.alone) onRefused(token);
    else if (token.kind === 'permanent') return { kind: 'forbidden', code: token.code };
    if (token.kind !== 'token') return { kind: 'unavailable', code: token.kind === 'wait' ? token.reason : token.code };
    const parsed = parseRead(await paced(() => call(token)), parse);
    if (parsed.kind !== 'token') return parsed;
    if (secondTry) return { kind: 'unavailable', code: parsed.code };
    await tokens.reject(token.accessToken);
    return read(call, parse, true);
  }

  async function paced(call: () => Promise<Answer>): Promise<Answer> {
    const callId = inFlight.newCallId();
    try {
      await admitted(callId, { store, inFlight, timing });
      return await call();
    } finally {
      inFlight.end(callId);
      await store.finishCall(callId);
    }
  }
}

/** Resolves when the call has its slot in the pace and a permit. */
async function admitted(
  callId: string,
  { store, inFlight, timing }: Pick<ZohoReadsDeps, 'store' | 'inFlight' | 'timing'>,
): Promise<void> {
  let slotMs: number | undefined;
  for (;;) {
    inFlight.start(callId);
    const admission = await store.admitCall({
      callId,
      limits: inFlight.limits,
      ...(slotMs === undefined ? {} : { slotMs }),
    });
    if (admission.kind === 'go') return;
    slotMs = admission.kind === 'not-yet' ? admission.slotMs : undefined;
    if (admission.kind === 'no-permit') {
      await inFlight.waitForPermit(callId);
      continue;
    }
    inFlight.end(callId);
    await sleep(admission.waitMs ?? timing.shortWaitMs);
  }
}
