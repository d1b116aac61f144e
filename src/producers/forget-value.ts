import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import { hasText, valueMatcher } from '../lib/core/value-match.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichQueue } from '../lib/queues.js';
import type { Store } from '../lib/store/store.js';
import { createForgetting, type ForgetChoice, type ForgetReport } from './forgetting.js';

export interface ForgetValueOptions extends ForgetChoice {
  readonly value: string;
  readonly engine: Engine;
  readonly queue: Pick<EnrichQueue, 'getJobs'>;
  readonly onProgress?: ((found: number) => void) | undefined;
  /** Ends between two pages. */
  readonly signal?: AbortSignal | undefined;
}

const PAGE = 1_000;
/** In the order in which a row goes through them, so that one that moves on meanwhile is met again. */
const STATES = ['waiting', 'prioritized', 'delayed', 'active', 'failed', 'completed'] as const;

type Found = Map<IdentityKey, readonly SentFields[]>;

/**
 * Removes all that the store knows of the rows that have a value, as they were queued or sent, or in what Zia found: looks
 * through the whole queue and ledger, and the orphans. Safe to call again and to interrupt.
 */
export async function forgetValue(options: ForgetValueOptions): Promise<ForgetReport> {
  const { value, engine, onProgress, signal } = options;
  const matches = valueMatcher(value);
  const forgetting = await createForgetting(engine.store, options);
  const found: Found = new Map();
  for await (const page of pages(options, matches)) {
    signal?.throwIfAborted();
    for (const [key, sent] of page) found.set(key, [...(found.get(key) ?? []), sent]);
    onProgress?.(found.size);
  }
  await forgetting.forget(found);
  const orphans: EnrichmentId[] = [];
  for await (const id of orphansWith(matches, engine.store)) orphans.push(id);
  await forgetting.forgetOrphans(orphans);
  return { rows: found.size, ...forgetting.result() };
}

type Page = readonly (readonly [IdentityKey, SentFields])[];

async function* pages({ engine, queue }: ForgetValueOptions, matches: (text: string) => boolean): AsyncGenerator<Page> {
  for (const state of STATES) {
    for (let at = 0; ; at += PAGE) {
      const jobs = await queue.getJobs(state, at, at + PAGE - 1, true);
      if (jobs.length === 0) break;
      // A job may be gone by the time it is read.
      yield jobs.flatMap((job) => (job?.id && hasText(job.data, matches) ? [[job.id as IdentityKey, job.data]] : []));
    }
  }
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Store['scanLedger']>> = await engine.store.scanLedger(cursor, PAGE);
    const results = await engine.store.results([...page.entries.keys()]);
    yield [...page.entries].flatMap(([key, { sent }]) =>
      hasText(sent, matches) || hasText(results.get(key), matches) ? [[key, sent] as const] : [],
    );
    cursor = page.cursor;
  } while (cursor !== null);
}

async function* orphansWith(
  matches: (text: string) => boolean,
  store: Pick<Store, 'scanOrphans'>,
): AsyncGenerator<EnrichmentId> {
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Store['scanOrphans']>> = await store.scanOrphans(cursor, PAGE);
    for (const { id, echo } of page.orphans) if (hasText(echo, matches)) yield id;
    cursor = page.cursor;
  } while (cursor !== null);
}
