import type { ColumnMapping } from '../lib/core/columns.js';
import { openCsv } from '../lib/csv/csv-source.js';
import { rememberedKeep } from '../lib/csv/resolve-columns.js';
import type { Input } from '../lib/csv/with-input.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import { type CancelReport, cancelRows } from '../producers/cancel-rows.js';
import { type EnqueueReport, enqueueRows } from '../producers/csv-producer.js';
import { forgetRows } from '../producers/forget-rows.js';
import type { ForgetReport } from '../producers/forgetting.js';
import { planRows } from '../producers/plan-file.js';
import { type Plan, planWithin } from '../producers/plan-within.js';
import type { RejectWriter } from '../producers/reject-writer.js';
import { writeRejects } from '../producers/write-rejects.js';
import { exportFile } from '../reports/export-file.js';
import { FileRows } from '../reports/file-rows.js';
import type { RowStatus } from '../reports/row-outcome.js';

/** A file on this machine and where its fields are. */
export interface MappedFile {
  readonly path: string;
  readonly columns: ColumnMapping;
  /** What somebody chose, as the values of `--map`: remembered once rows are queued by it. Empty when nobody did. */
  readonly mapFlags: readonly string[];
}

export type OnProgress = (progress: { readonly rows: number; readonly total: number }) => void;

export interface FileActionsOptions {
  readonly engine: Engine;
  readonly work: { readonly module: string; readonly maxAttempts: number; readonly ratePerSecond: number };
  readonly allowance: () => Promise<Allowance | null>;
}

/** What the pages do with a file: what `plan`, `enqueue`, `status` and `export` do. Each rejects with the command's sentence. */
export interface FileActions {
  plan(file: MappedFile, signal: AbortSignal, onProgress: OnProgress): Promise<Plan>;
  /** Queues the new rows, at most `limit` of them. */
  enqueue(file: MappedFile, signal: AbortSignal, onProgress: OnProgress, limit?: number): Promise<EnqueueReport>;
  /** The rows with their outcomes; `before` is an earlier answer for the same file. */
  rows(file: MappedFile, signal: AbortSignal, before?: FileRows): Promise<FileRows>;
  /** Takes the waiting rows out of the queue. */
  cancel(file: MappedFile, signal: AbortSignal): Promise<CancelReport>;
  /** Erases what is known of the rows. */
  forget(file: MappedFile, signal: AbortSignal): Promise<ForgetReport>;
  /** Writes the export to `out`: the rows with these outcomes, all when absent. */
  exportTo(file: MappedFile, out: string, signal: AbortSignal, only?: readonly RowStatus[]): Promise<void>;
  /** Writes the rejects to `out`; false, and no file, when nothing is rejected. */
  rejectsTo(file: MappedFile, out: string, signal: AbortSignal): Promise<boolean>;
}

export function createFileActions({ engine, work, allowance }: FileActionsOptions): FileActions {
  const { module, maxAttempts } = work;

  async function withFile<T>({ path, columns }: MappedFile, use: (file: Input) => Promise<T>): Promise<T> {
    const source = await openCsv(path, { rememberedKeep: (headers) => rememberedKeep(headers, engine.store) });
    try {
      return await use({ source, columns, module, engine });
    } finally {
      await source.close();
    }
  }

  async function enqueue(
    file: Input & Pick<MappedFile, 'mapFlags'>,
    signal: AbortSignal,
    onProgress: OnProgress,
    limit: number | undefined,
  ): Promise<EnqueueReport> {
    const queue = engine.openQueue();
    try {
      return await enqueueRows({ ...file, maxAttempts, queue, rejects: NO_REJECTS, signal, onProgress, limit });
    } finally {
      await queue.close();
    }
  }

  return {
    plan: async (file, signal, onProgress) =>
      planWithin(engine, work, await allowance(), (covers) =>
        withFile(file, (input) => planRows({ ...input, covers, signal, onProgress })),
      ),
    enqueue: (file, signal, onProgress, limit) =>
      withFile(file, (input) => enqueue({ ...input, mapFlags: file.mapFlags }, signal, onProgress, limit)),
    rows: (file, signal, before) => withFile(file, (input) => FileRows.read(input, signal, before)),
    cancel: (file, signal) => withFile(file, (input) => cancelRows({ ...input, signal })),
    forget: (file, signal) => withFile(file, (input) => forgetRows({ ...input, signal, dryRun: false })),
    exportTo: (file, out, signal, only) =>
      withFile(file, async (input) => void (await exportFile({ ...input, out, signal, only }))),
    rejectsTo: (file, out, signal) => withFile(file, (input) => writeRejects({ ...input, out, signal })),
  };
}

/** Rejects of an upload are downloaded on request; there is no folder beside it where they could be found. */
const NO_REJECTS: RejectWriter = {
  write: async () => undefined,
  finish: async () => null,
  discard: async () => undefined,
};
