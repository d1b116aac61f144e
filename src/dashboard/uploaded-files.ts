import { setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import type { ColumnMapping } from '../lib/core/columns.js';
import { AppError, UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { NotedFile } from '../lib/store/files.js';
import type { EnqueueReport } from '../producers/csv-producer.js';
import type { ForgetReport } from '../producers/forgetting.js';
import type { Plan } from '../producers/plan-within.js';
import type { FileRows } from '../reports/file-rows.js';
import type { FileActions, MappedFile, OnProgress } from './file-actions.js';
import { type FilePreview, mappingText, type PreviewedFile } from './file-preview.js';
import type { Upload, UploadStore } from './upload-store.js';

/** What became of the rows of a file when they were queued. */
export type Enqueued = Pick<EnqueueReport, 'rows' | 'enqueued' | 'duplicates' | 'known' | 'rejected'>;

/** What is being done with a file, or was. */
export type Stage =
  | { readonly kind: 'unplanned' | 'mapping' }
  | { readonly kind: 'planning' | 'enqueueing'; readonly rows: number; readonly total: number }
  /** `report`: what was queued just before, when not all rows were. */
  | { readonly kind: 'planned'; readonly plan: Plan; readonly report?: Enqueued }
  | { readonly kind: 'enqueued'; readonly report: Enqueued }
  | { readonly kind: 'failed'; readonly message: string };

/** One uploaded file on its way from drop to download. */
export interface UploadedFile {
  readonly upload: Upload;
  readonly uploadedAtMs: number;
  readonly mapFlags: readonly string[];
  /** Its columns are those that everything is done by, until others are chosen. */
  readonly preview: FilePreview;
  readonly stage: Stage;
  /** Its rows with their outcomes, as last counted; null before. */
  readonly rows: FileRows | null;
  /** Being counted right now. */
  readonly counting: boolean;
  /** What the store notes of the file; null when none of its rows was ever queued. */
  readonly noted: NotedFile | null;
}

/** Whether rows of the file were queued, or are being queued now: the page is then about them, and no longer about columns. */
export function isSent({ noted, stage }: UploadedFile): boolean {
  return noted !== null || stage.kind === 'enqueueing' || stage.kind === 'enqueued';
}

export interface UploadedFilesOptions {
  readonly actions: FileActions;
  readonly uploads: Pick<UploadStore, 'remove' | 'keep'>;
  readonly preview: (file: PreviewedFile) => Promise<FilePreview>;
  /** Notes in the store that rows of a file were queued; `counts` is null while they are. */
  readonly note: (file: UploadedFile, counts: Enqueued | null) => Promise<NotedFile>;
  readonly log: Logger;
}

/** The files that are open in this dashboard, each once by its content; others are on the store's list. */
export interface UploadedFiles {
  list(): readonly UploadedFile[];
  find(id: string): UploadedFile | undefined;
  /**
   * Takes an upload over and starts planning. A file that is open already is planned anew, under the new name. Removes the
   * upload and throws `UsageError` when it is no usable CSV.
   */
  add(upload: Upload, known?: KnownFile): Promise<UploadedFile>;
  /** Closes a file that is no longer wanted. */
  remove(id: string): Promise<void>;
  /** Other columns: looks again and plans again. False while rows are being queued. */
  map(id: string, mapFlags: readonly string[]): Promise<boolean>;
  /** Plans again by the same columns what failed; false when nothing did. */
  replan(id: string): boolean;
  /**
   * Starts queueing, at most `limit` new rows, provided that `mapping`, as `mappingText` writes it, is that of the plan. `not-planned`: nothing was
   * started, and nothing needs to be: it is being done, or the page says what is missing.
   */
  enqueue(id: string, mapping: string, limit?: number): 'started' | 'not-planned' | 'other-columns';
  /** Takes the waiting rows out of the queue and plans anew; how many they were. Null while rows are being queued. */
  cancel(id: string): Promise<number | null>;
  /** Erases what is known of the rows and plans anew. Null while rows are being queued. */
  forget(id: string): Promise<ForgetReport | null>;
  /** The rows as last counted; the first count is waited for, but not longer than this. Null while there is none. */
  rows(id: string, waitMs: number): Promise<FileRows | null>;
  /** Counts the rows again in the background, if that is due. */
  refresh(id: string): void;
  /** Writes the rows with these outcomes, all when absent. Throws `UsageError` as long as there are no columns to read by. */
  exportTo(id: string, out: string, signal: AbortSignal, only?: ExportOnly): Promise<void>;
  /** The records that become no job; false, and no file, when there are none. Throws as `exportTo` does. */
  rejectsTo(id: string, out: string, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

/** What is known of a file that was open before. */
export interface KnownFile {
  readonly noted: NotedFile | null;
  /** The columns it was queued by, as the values of `--map`. */
  readonly mapFlags: readonly string[];
}

export type ExportOnly = Parameters<FileActions['exportTo']>[3];

const MAX_FILES = 20;
/** Counting again takes a share of the time at most. */
const COUNT_EVERY_MS = 1_500;
const COUNT_SHARE = 10;

interface OpenCase extends UploadedFile {
  mapFlags: readonly string[];
  preview: FilePreview;
  stage: Stage;
  rows: FileRows | null;
  noted: NotedFile | null;
  upload: Upload;
  /** Settles with the latest work, all earlier included. */
  work: Promise<void>;
  /** Ends the latest work. */
  stop: AbortController;
  /** Ends whatever reads the file, for it is about to be removed. */
  readonly gone: AbortController;
  countAtMs: number;
  counting: boolean;
}

export function createUploadedFiles({ actions, uploads, preview, note, log }: UploadedFilesOptions): UploadedFiles {
  const cases = new Map<string, OpenCase>();
  /** Reading several large files at once only makes each of them slow. */
  const slots = pLimit(2);
  /** Of their own: who downloads holds nobody up who queues. */
  const downloads = pLimit(2);

  /** Where an upload lies is nobody's business. */
  function messageOf(error: unknown, { upload }: Pick<UploadedFile, 'upload'>): string {
    if (error instanceof AppError) return error.message.replaceAll(upload.path, upload.name);
    log.error('dashboard.file-failed', { message: error instanceof Error ? error.message : String(error) });
    return 'That did not work; the log of the dashboard says why.';
  }

  /** Ends what is being done with a file, waits for its end and does this. The stage changes at once: nothing begins in between. */
  function run(file: OpenCase, stage: Stage, work: (signal: AbortSignal) => Promise<Stage>): Promise<void> {
    file.stop.abort();
    file.stop = new AbortController();
    file.stage = stage;
    const { signal } = file.stop;
    const worked = file.work.then(() => {
      signal.throwIfAborted();
      return work(signal);
    });
    file.work = worked.then(
      (after) => {
        if (!signal.aborted) file.stage = after;
      },
      (error: unknown) => {
        if (!signal.aborted) file.stage = { kind: 'failed', message: messageOf(error, file) };
      },
    );
    return file.work;
  }

  function plan(file: OpenCase, report?: Enqueued): void {
    const { columns, rowCount } = file.preview;
    if (columns === null) {
      file.stage = { kind: 'unplanned' };
      return;
    }
    const input = mappedFile(file, columns);
    void run(file, { kind: 'planning', rows: 0, total: rowCount }, (signal) => {
      const tell: OnProgress = ({ rows, total }) => {
        if (!signal.aborted) file.stage = { kind: 'planning', rows, total };
      };
      return inSlot(slots, signal, async () => {
        const found = await actions.plan(input, signal, tell);
        return { kind: 'planned', plan: found, ...(report !== undefined && { report }) };
      });
    });
  }

  async function queue(
    file: OpenCase,
    columns: ColumnMapping,
    signal: AbortSignal,
    limit: number | undefined,
  ): Promise<Stage> {
    const tell: OnProgress = ({ rows, total }) => {
      file.stage = { kind: 'enqueueing', rows, total };
    };
    file.upload = await uploads.keep(file.upload);
    file.noted = await note(file, null);
    const { rows, enqueued, duplicates, known, rejected } = await actions.enqueue(
      mappedFile(file, columns),
      signal,
      tell,
      limit,
    );
    const report = { rows, enqueued, duplicates, known, rejected };
    file.noted = await note(file, report);
    file.countAtMs = 0;
    log.info('dashboard.enqueued', report);
    return { kind: 'enqueued', report };
  }

  /** Removes the oldest files beyond the most that are kept, but none whose rows are being queued. */
  async function removeSurplus(): Promise<void> {
    const idle = [...cases.values()].filter(({ stage }) => stage.kind !== 'enqueueing');
    const surplus = idle.slice(0, Math.max(0, cases.size - MAX_FILES));
    for (const { upload } of surplus) cases.delete(upload.id);
    await Promise.all(surplus.map(end));
    await Promise.all(surplus.map(({ upload }) => uploads.remove(upload)));
  }

  async function end(file: OpenCase): Promise<void> {
    file.gone.abort();
    file.stop.abort();
    await file.work;
  }

  /** Takes a slot among the downloads; ends when the reader leaves or the file goes. */
  async function download<T>(
    id: string,
    left: AbortSignal,
    work: (file: MappedFile, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const file = cases.get(id);
    if (file === undefined) throw new Error('There is no such file.');
    const { columns, problem } = file.preview;
    if (columns === null) throw new UsageError('NO_USABLE_COLUMN', problem ?? 'No columns are chosen.');
    const signal = AbortSignal.any([left, file.gone.signal]);
    return inSlot(downloads, signal, () => work(mappedFile(file, columns), signal));
  }

  function refresh(id: string): void {
    const file = cases.get(id);
    const mayCount = file?.stage.kind === 'planned' || file?.stage.kind === 'enqueued';
    if (file === undefined || !mayCount || file.counting || performance.now() < file.countAtMs) return;
    const { preview: seen } = file;
    if (seen.columns === null) return;
    const input = mappedFile(file, seen.columns);
    file.counting = true;
    const startedAtMs = performance.now();
    void inSlot(slots, file.gone.signal, () => actions.rows(input, file.gone.signal, file.rows ?? undefined))
      .then(
        (rows) => {
          if (file.preview === seen) file.rows = rows;
        },
        (error: unknown) => {
          if (!file.gone.signal.aborted) log.warn('dashboard.cannot-count', { message: messageOf(error, file) });
        },
      )
      .finally(() => {
        file.counting = false;
        const tookMs = performance.now() - startedAtMs;
        file.countAtMs = performance.now() + Math.max(COUNT_EVERY_MS, tookMs * COUNT_SHARE);
      });
  }

  return {
    list: () => [...cases.values()].reverse(),
    find: (id) => cases.get(id),
    add: async (upload, { noted, mapFlags } = { noted: null, mapFlags: [] }) => {
      const open = cases.get(upload.id);
      if (open !== undefined) {
        open.upload = { ...open.upload, name: upload.name };
        await uploads.remove(upload);
        if (open.stage.kind !== 'enqueueing') plan(open);
        return open;
      }
      const seen = await preview({ path: upload.path, mapFlags }).catch(async (error: unknown) => {
        await uploads.remove(upload);
        throw error instanceof UsageError ? new UsageError(error.code, messageOf(error, { upload })) : error;
      });
      const file: OpenCase = {
        upload,
        uploadedAtMs: Date.now(),
        mapFlags,
        preview: seen,
        stage: { kind: 'unplanned' },
        rows: null,
        noted,
        work: Promise.resolve(),
        stop: new AbortController(),
        gone: new AbortController(),
        countAtMs: 0,
        counting: false,
      };
      cases.set(upload.id, file);
      plan(file);
      await removeSurplus();
      return file;
    },
    remove: async (id) => {
      const file = cases.get(id);
      if (file === undefined) return;
      cases.delete(id);
      await end(file);
      await uploads.remove(file.upload);
    },
    map: async (id, mapFlags) => {
      const file = cases.get(id);
      if (file === undefined || file.stage.kind === 'enqueueing') return false;
      await run(file, { kind: 'mapping' }, async (signal) => {
        const seen = await preview({ path: file.upload.path, mapFlags });
        if (!signal.aborted) Object.assign(file, { mapFlags, preview: seen, rows: null });
        return { kind: 'unplanned' };
      });
      // Unless yet other columns were chosen meanwhile.
      if (file.stage.kind === 'unplanned') plan(file);
      return true;
    },
    replan: (id) => {
      const file = cases.get(id);
      if (file?.stage.kind !== 'failed') return false;
      plan(file);
      return true;
    },
    enqueue: (id, mapping, limit) => {
      const file = cases.get(id);
      const columns = file?.preview.columns ?? null;
      if (file?.stage.kind === 'mapping' || mapping !== mappingText(columns)) return 'other-columns';
      if (file?.stage.kind !== 'planned' || columns === null) return 'not-planned';
      const queued = run(file, { kind: 'enqueueing', rows: 0, total: file.preview.rowCount }, (signal) =>
        inSlot(slots, signal, () => queue(file, columns, signal, limit)),
      );
      // The rest of the file is planned at once, so that it can be sent.
      void queued.then(() => {
        if (limit !== undefined && file.stage.kind === 'enqueued') plan(file, file.stage.report);
      });
      return 'started';
    },
    refresh,
    cancel: async (id) => {
      const file = cases.get(id);
      const columns = file?.preview.columns ?? null;
      if (file === undefined || columns === null || file.stage.kind === 'enqueueing') return null;
      const { cancelled } = await inSlot(slots, file.gone.signal, () =>
        actions.cancel(mappedFile(file, columns), file.gone.signal),
      );
      log.info('dashboard.cancelled', { rows: cancelled });
      file.countAtMs = 0;
      plan(file);
      return cancelled;
    },
    forget: async (id) => {
      const file = cases.get(id);
      const columns = file?.preview.columns ?? null;
      if (file === undefined || columns === null || file.stage.kind === 'enqueueing') return null;
      const report = await inSlot(slots, file.gone.signal, () =>
        actions.forget(mappedFile(file, columns), file.gone.signal),
      );
      log.info('dashboard.forgotten', { rows: report.forgotten, left: report.left });
      file.countAtMs = 0;
      plan(file);
      return report;
    },
    rows: async (id, waitMs) => {
      const file = cases.get(id);
      if (file === undefined) return null;
      refresh(id);
      const until = performance.now() + waitMs;
      while (
        file.rows === null &&
        file.preview.columns !== null &&
        performance.now() < until &&
        !file.gone.signal.aborted
      ) {
        await sleep(20);
        refresh(id);
      }
      return file.rows;
    },
    exportTo: (id, out, left, only) => download(id, left, (file, signal) => actions.exportTo(file, out, signal, only)),
    rejectsTo: (id, out, left) => download(id, left, (file, signal) => actions.rejectsTo(file, out, signal)),
    close: async () => {
      await Promise.all([...cases.values()].map(end));
    },
  };
}

function mappedFile({ upload, mapFlags }: UploadedFile, columns: ColumnMapping): MappedFile {
  return { path: upload.path, columns, mapFlags };
}

/** Does `work` once a slot is free; rejects with the signal's reason when that comes first. */
async function inSlot<T>(limit: LimitFunction, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let giveUp: () => void = () => undefined;
  const left = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
  });
  signal.addEventListener('abort', giveUp, { once: true });
  const worked = limit(async () => {
    signal.throwIfAborted();
    // From here on the work itself heeds the signal, and its end is what is waited for.
    signal.removeEventListener('abort', giveUp);
    return work();
  });
  return Promise.race([worked, left]);
}
