import type { IdentityKey } from '../lib/core/ids.js';
import { type KeyedRow, keysUnder } from '../lib/csv/paid-rows.js';
import { readOtherUses } from '../lib/csv/queued-as.js';
import { readRows } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import type { Engine } from '../lib/engine/engine.js';

export interface CancelOptions extends Pick<Input, 'source' | 'columns' | 'module'> {
  readonly engine: Pick<Engine, 'withdrawJobs' | 'jobStatuses'> & { readonly store: Pick<Engine['store'], 'document'> };
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
  /** Ends between two batches. */
  readonly signal?: AbortSignal | undefined;
}

export interface CancelReport {
  readonly file: string;
  readonly rows: number;
  /** Jobs taken out of the queue: a repeated row has one. */
  readonly cancelled: number;
  /** Jobs that stay: a worker has them, or their rows were sent and wait for a look-up. */
  readonly left: number;
}

/**
 * Takes the waiting rows of a file out of the queue, under whatever columns they were queued. Rows that were sent, or that a
 * worker has at this moment, stay; failed rows do, too. Safe to call again and to interrupt: each row is either in the queue
 * or new to `enqueue`.
 */
export async function cancelRows(options: CancelOptions): Promise<CancelReport> {
  const { source, columns, module, engine, onProgress, signal } = options;
  const { uses } = await readOtherUses(source, { columns, module }, engine.store);
  let rows = 0;
  let cancelled = 0;
  let left = 0;
  for await (const batch of readRows(source, options)) {
    signal?.throwIfAborted();
    const keyed = batch.filter((row): row is KeyedRow => row.key !== undefined);
    const keys = [...new Set(keyed.flatMap((row) => [row.key, ...keysUnder(row, uses)]))];
    const withdrawn = await engine.withdrawJobs(keys, { failed: false, refreshes: true });
    cancelled += withdrawn.size;
    left += await countOpen(
      keys.filter((key) => !withdrawn.has(key)),
      engine,
    );
    rows += batch.length;
    onProgress?.({ rows, total: source.rowCount });
  }
  return { file: source.path, rows, cancelled, left };
}

async function countOpen(keys: readonly IdentityKey[], engine: Pick<Engine, 'jobStatuses'>): Promise<number> {
  const fates = await engine.jobStatuses(keys);
  return [...fates.values()].filter(({ state }) => state === 'waiting' || state === 'active' || state === 'delayed')
    .length;
}
