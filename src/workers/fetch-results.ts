import { setTimeout as sleep } from 'node:timers/promises';
import { INITIAL_CONTROL } from '../lib/core/control.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import { compactResult, type End, endOf } from '../lib/core/results.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { Timing } from './timing.js';
import type { Read, ZohoReads } from './zoho-reads.js';

export interface ResultSettings {
  /** Calls per second of the whole fleet; 0 means no limit. */
  readonly ratePerSecond: number;
  readonly maxInFlight: number;
  /** A row that Zoho has not finished after this long is no longer asked for. */
  readonly resultMaxAgeHours: number;
  /** Keep logos and long texts too. */
  readonly keepLargeResults: boolean;
  readonly timing: Pick<Timing, 'askResultsForMs'>;
}

/** A scheduled row. */
export interface ScheduledRow {
  readonly key: IdentityKey;
  readonly id: EnrichmentId;
  readonly entry: LedgerEntry;
}

export interface ResultFetcher {
  /**
   * Asks by id for the result of each row, takes the rows off `todo`, and returns what came of them; stops after a few
   * seconds, after `maxUnfinished` answers without a result, and when Zoho cannot be asked.
   */
  ask(todo: ScheduledRow[], maxUnfinished: number): Promise<Taken>;
  /** The list has told how it ended, and there is no data to ask for. */
  finish(row: ScheduledRow, status: Exclude<End, 'COMPLETED'>): Promise<void>;
  /** The row has no result yet: it is given up when it is too old. */
  unfinished(row: ScheduledRow, nowMs: number): Promise<void>;
}

export interface Taken {
  readonly finished: number;
  readonly unfinished: number;
  readonly failure: ReadFailure | null;
}

export type ReadFailure = Exclude<Read<never>, { kind: 'read' }>;

export interface ResultFetcherDeps {
  readonly engine: Engine;
  readonly reads: ZohoReads;
  readonly settings: ResultSettings;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The share of the pace that results may have while rows wait to be sent. */
const SHARE_WHILE_SUBMITTING = 0.2;
const HOUR_MS = 3_600_000;

/** Takes results home. Each is kept in the same step that takes its row off the pending ones. */
export function createResultFetcher({ engine, reads, settings, log, signal }: ResultFetcherDeps): ResultFetcher {
  const { store } = engine;
  const keeping = { keepLarge: settings.keepLargeResults };
  return { ask, finish, unfinished };

  async function ask(todo: ScheduledRow[], maxUnfinished: number): Promise<Taken> {
    const isBusy = await isSubmitting(engine);
    const spacingMs =
      isBusy && settings.ratePerSecond > 0 ? 1_000 / settings.ratePerSecond / SHARE_WHILE_SUBMITTING : 0;
    const endMs = performance.now() + settings.timing.askResultsForMs;
    const counted = { finished: 0, unfinished: 0 };
    let failure: ReadFailure | null = null;
    const mayGoOn = () =>
      failure === null && counted.unfinished < maxUnfinished && performance.now() < endMs && !signal.aborted;

    async function askInTurn(): Promise<void> {
      for (let row = todo.shift(); row !== undefined; row = mayGoOn() ? todo.shift() : undefined) {
        const nextMs = performance.now() + spacingMs;
        const taken = await askFor(row);
        if (typeof taken === 'string') counted[taken] += 1;
        else {
          failure ??= taken;
          todo.unshift(row);
        }
        const waitMs = nextMs - performance.now();
        // Node tells the user of a negative time from version 24 on.
        if (waitMs > 0 && mayGoOn()) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      }
    }
    await Promise.all(Array.from({ length: isBusy ? 1 : settings.maxInFlight }, askInTurn));
    return { ...counted, failure };
  }

  async function askFor(row: ScheduledRow): Promise<'finished' | 'unfinished' | ReadFailure> {
    const read = await reads.enrichment(row.id);
    // Only a finished one has so much to tell, and asking again brings the same.
    if (read.kind !== 'read' && read.code === 'TOO_LARGE') return finishWithout(row, 'its data is larger than 10 MB');
    // One answer that nobody can read must not keep the others from being asked for.
    if (read.kind !== 'read' && read.code !== 'UNREADABLE') return read;
    const enrichment = read.kind === 'read' ? read.value : null;
    const status = endOf(enrichment?.status ?? null);
    if (enrichment === null || status === null) {
      await unfinished(row, (await store.control.read()).nowMs);
      return 'unfinished';
    }
    const kept = status === 'COMPLETED' ? compactResult(enrichment.enrichedData, keeping) : null;
    if (status === 'COMPLETED' && kept === null) return finishWithout(row, 'Zoho gave no data that can be kept');
    await store.finish(row.key, status, kept, row.id);
    return 'finished';
  }

  async function finishWithout(row: ScheduledRow, reason: string): Promise<'finished'> {
    await store.finish(row.key, 'COMPLETED', null, row.id);
    log.warn('result.not-kept', { jobId: row.key, enrichmentId: row.id, reason });
    return 'finished';
  }

  async function finish(row: ScheduledRow, status: End): Promise<void> {
    await store.finish(row.key, status, null, row.id);
  }

  async function unfinished({ key, id, entry }: ScheduledRow, nowMs: number): Promise<void> {
    const ageMs = nowMs - (entry.scheduledAtMs ?? entry.sentAtMs);
    if (entry.finalStatus !== undefined || ageMs < settings.resultMaxAgeHours * HOUR_MS) return;
    await store.finish(key, 'UNFINISHED', null, id);
    const ageHours = Math.round(ageMs / HOUR_MS);
    log.warn('result.given-up', { jobId: key, enrichmentId: entry.enrichmentId, ageHours });
  }
}

/** Rows that could be sent go first. */
async function isSubmitting(engine: Engine): Promise<boolean> {
  const [{ waiting, active }, { value }] = await Promise.all([engine.counts(), engine.store.control.read()]);
  return waiting + active > 0 && (value ?? INITIAL_CONTROL).mode !== 'stopped';
}
