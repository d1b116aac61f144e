import pLimit from 'p-limit';
import { ENRICHMENT_FAILED, parseFailure } from '../lib/core/failure.js';
import { identityKey } from '../lib/core/identity.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import type { Row } from '../lib/core/row.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { type RowReaderOptions, readRows } from '../lib/csv/row-reader.js';
import type { Engine } from '../lib/engine/engine.js';
import { type EnrichJob, type EnrichPayload, type EnrichQueue, JOB_NAME, jobOptions } from '../lib/queues.js';

export interface RetryOptions {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  /** Only rows that failed with this code; all codes when absent. */
  readonly code?: string | undefined;
  /** Release held rows, and only those: they are sent again whether or not Zoho has them. */
  readonly uncertain: boolean;
  /** Also rows that Zoho accepted and failed, with new jobs of so many attempts; each costs an enrichment again. */
  readonly paid?: { readonly maxAttempts: number } | undefined;
  /** Only the rows of this file; all rows when absent. */
  readonly file?: (RowReaderOptions & { readonly source: CsvSource }) | undefined;
  readonly onProgress?: (retried: number) => void;
  /** Ends between two chunks. */
  readonly signal?: AbortSignal | undefined;
}

export interface RetryReport {
  /** Rows put back into the queue. */
  readonly retried: number;
  /** Failed rows that the options left alone. */
  readonly left: number;
  /** Held rows without a failed job, released all the same: they go on by themselves, or are new to `enqueue`. */
  readonly released: number;
  /** Rows that Zoho accepted and failed, and that were not put back: only `paid` does that. */
  readonly failedAtZoho: number;
  /** Failed rows by code, as they were found; those at Zoho under ENRICHMENT_FAILED. */
  readonly codes: Readonly<Record<string, number>>;
}

const CHUNK = 500;
const AT_ONCE = 50;
/** The code of a dead letter that waits for a person: see the worker's held rows. */
const HELD_CODE = 'UNCERTAIN_HELD';

/**
 * Puts failed rows back into the queue with fresh attempts, the ones that failed first in front, in chunks and flat memory.
 * Rows that fail again meanwhile are not taken a second time. Safe to call again and to interrupt: each row is either
 * still failed or waiting. Rows that another process retries meanwhile are not counted.
 */
export async function retryRows(options: RetryOptions): Promise<RetryReport> {
  const limit = pLimit(AT_ONCE);
  const codes: Record<string, number> = {};
  let retried = 0;
  let left = 0;
  for await (const jobs of failedJobs(options)) {
    options.signal?.throwIfAborted();
    for (const job of jobs) countUp(codes, parseFailure(job.failedReason ?? '').code);
    const results = await Promise.all(jobs.map((job) => limit(() => retryJob(job, options))));
    const moved = results.filter(Boolean).length;
    retried += moved;
    left += jobs.length - moved;
    jobs.moved = moved;
    options.onProgress?.(retried);
  }
  const released = options.uncertain ? await releaseRest(options) : 0;
  const atZoho = options.uncertain ? { found: 0, reopened: 0 } : await reopenFailed(options);
  if (atZoho.found > 0) codes[ENRICHMENT_FAILED.code] = atZoho.found;
  return { retried: retried + atZoho.reopened, left, released, failedAtZoho: atZoho.found - atZoho.reopened, codes };
}

function countUp(counts: Record<string, number>, code: string): void {
  counts[code] = (counts[code] ?? 0) + 1;
}

/** How many rows `paid` would pay for again. */
export async function countFailedAtZoho(options: Pick<RetryOptions, 'engine' | 'file' | 'code'>): Promise<number> {
  if (!takesFailedAtZoho(options)) return 0;
  let found = 0;
  for await (const rows of failedAtZoho(options)) found += rows.length;
  return found;
}

function takesFailedAtZoho({ code }: Pick<RetryOptions, 'code'>): boolean {
  return code === undefined || code === ENRICHMENT_FAILED.code;
}

/** Rows that Zoho accepted and failed: counted, and with `paid` sent again. */
async function reopenFailed(options: RetryOptions): Promise<{ readonly found: number; readonly reopened: number }> {
  const { paid, signal } = options;
  let found = 0;
  let reopened = 0;
  for await (const rows of failedAtZoho(options)) {
    signal?.throwIfAborted();
    found += rows.length;
    if (paid === undefined || !takesFailedAtZoho(options)) continue;
    for (const row of rows) if (await reopen(row, paid.maxAttempts, options)) reopened += 1;
  }
  return { found, reopened };
}

interface FailedAtZoho {
  readonly key: IdentityKey;
  readonly enrichmentId: EnrichmentId;
  /** As in the file, else as sent. */
  readonly row: Row;
}

async function* failedAtZoho({
  engine,
  file,
}: Pick<RetryOptions, 'engine' | 'file'>): AsyncGenerator<readonly FailedAtZoho[]> {
  if (file === undefined) {
    const { failed } = await engine.store.counts();
    const entries = failed === 0 ? [] : [...(await engine.store.failed(failed))];
    yield entries.flatMap(([key, { enrichmentId, sent }]) =>
      enrichmentId === undefined ? [] : [{ key, enrichmentId, row: sent }],
    );
    return;
  }
  const { source, ...reader } = file;
  for await (const rows of readRows(source, reader)) {
    const parsed = new Map(
      rows.flatMap((each) => (each.parsed.ok && each.key ? [[each.key, each.parsed.row] as const] : [])),
    );
    const entries = await engine.store.entries([...parsed.keys()]);
    yield [...entries].flatMap(([key, { finalStatus, enrichmentId }]) => {
      const row = parsed.get(key);
      return finalStatus === 'FAILED' && enrichmentId && row ? [{ key, enrichmentId, row }] : [];
    });
  }
}

/** Sends a row that Zoho accepted and failed again, for one more enrichment; false when it is no such row any more. */
export async function retryPaidRow(key: IdentityKey, maxAttempts: number, options: RetryPlace): Promise<boolean> {
  const entry = (await options.engine.store.entries([key])).get(key);
  if (entry?.finalStatus !== 'FAILED' || entry.enrichmentId === undefined) return false;
  return reopen({ key, enrichmentId: entry.enrichmentId, row: entry.sent }, maxAttempts, options);
}

type RetryPlace = Pick<RetryOptions, 'engine' | 'queue'>;

/** A job that is made twice is one job: its id is the key. Cut off half-way, the row is new to `enqueue`. */
async function reopen(
  { key, enrichmentId, row }: FailedAtZoho,
  maxAttempts: number,
  { engine, queue }: RetryPlace,
): Promise<boolean> {
  const old = await queue.getJob(key);
  const data: EnrichPayload = old?.data ?? { v: 1, ...row };
  // What was sent without a refused field is another row by itself: only its file tells the whole of it.
  if (identityKey(data) !== key || !(await engine.store.reopen(key, enrichmentId))) return false;
  await old?.remove();
  await queue.add(JOB_NAME, data, jobOptions(key, maxAttempts));
  return true;
}

/** A chunk of failed jobs; whoever takes it says how many of them have left the failed ones. */
type Chunk = readonly EnrichJob[] & { moved: number };

const chunkOf = (jobs: readonly EnrichJob[]): Chunk => Object.assign([...jobs], { moved: 0 });

function failedJobs(options: RetryOptions): AsyncGenerator<Chunk> {
  return options.file === undefined ? allFailed(options.queue) : failedOfFile(options.file, options);
}

/** Oldest first, so that rows which fail again come after the end; that is where the count of the beginning stops. */
async function* allFailed(queue: EnrichQueue): AsyncGenerator<Chunk> {
  let ahead = await queue.getFailedCount();
  let skipped = 0;
  while (ahead > 0) {
    const jobs = chunkOf(await queue.getJobs('failed', skipped, skipped + Math.min(CHUNK, ahead) - 1, true));
    if (jobs.length === 0) return;
    yield jobs;
    ahead -= jobs.length;
    skipped += jobs.length - jobs.moved;
  }
}

async function* failedOfFile(
  { source, ...reader }: NonNullable<RetryOptions['file']>,
  { engine, queue }: RetryOptions,
): AsyncGenerator<Chunk> {
  for await (const rows of readRows(source, reader)) {
    const keys = [...new Set(rows.flatMap(({ key }) => (key === undefined ? [] : [key])))];
    const fates = await engine.jobStatuses(keys);
    const failed = keys.filter((key) => fates.get(key)?.state === 'failed');
    for (let at = 0; at < failed.length; at += AT_ONCE) {
      const jobs = await Promise.all(failed.slice(at, at + AT_ONCE).map((key) => queue.getJob(key)));
      yield chunkOf(jobs.filter((job) => job !== undefined));
    }
  }
}

async function retryJob(job: EnrichJob, { engine, code, uncertain }: RetryOptions): Promise<boolean> {
  // Job ids of this program are identity keys; a foreign id is simply in nobody's ledger.
  const key = job.id as IdentityKey;
  const failedWith = parseFailure(job.failedReason ?? '').code;
  if (uncertain !== (failedWith === HELD_CODE)) return false;
  if (code !== undefined && failedWith !== code) return false;
  if (uncertain) await release(engine, key, (await engine.store.entries([key])).get(key));
  try {
    await job.retry('failed', { resetAttemptsMade: true });
    return true;
  } catch (error) {
    const fate = (await engine.jobStatuses([key])).get(key);
    if (fate?.state === 'failed') throw error;
    return false; // somebody else was faster
  }
}

/** Held rows whose job has not failed yet, or is gone: an imported ledger has no jobs. */
async function releaseRest({ engine, file, signal }: RetryOptions): Promise<number> {
  let released = 0;
  for await (const entries of file === undefined ? wholeLedger(engine) : ledgerOfFile(file, engine)) {
    signal?.throwIfAborted();
    for (const [key, entry] of entries) if (await release(engine, key, entry)) released += 1;
  }
  return released;
}

type Entries = ReadonlyMap<IdentityKey, LedgerEntry>;

async function* wholeLedger({ store }: Engine): AsyncGenerator<Entries> {
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof store.scanLedger>> = await store.scanLedger(cursor, CHUNK);
    yield page.entries;
    cursor = page.cursor;
  } while (cursor !== null);
}

async function* ledgerOfFile(
  { source, ...reader }: NonNullable<RetryOptions['file']>,
  { store }: Engine,
): AsyncGenerator<Entries> {
  for await (const rows of readRows(source, reader)) {
    yield await store.entries(rows.flatMap(({ key }) => (key === undefined ? [] : [key])));
  }
}

async function release({ store }: Engine, key: IdentityKey, entry: LedgerEntry | undefined): Promise<boolean> {
  return entry?.state === 'held' ? store.clear(key, entry.callId) : false;
}
