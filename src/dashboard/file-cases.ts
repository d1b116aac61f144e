import pLimit, { type LimitFunction } from 'p-limit';
import type { ColumnMapping } from '../lib/core/columns.js';
import { AppError, UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { EnqueueReport } from '../producers/csv-producer.js';
import type { Plan } from '../producers/plan-within.js';
import type { FileCounts } from '../reports/file-counts.js';
import type { FileActions, MappedFile, OnProgress } from './file-actions.js';
import { type FilePreview, mappingText, type PreviewedFile } from './file-preview.js';
import type { Upload, UploadStore } from './upload-store.js';

/** What became of the rows of a file when they were queued. */
export type Enqueued = Pick<EnqueueReport, 'rows' | 'enqueued' | 'duplicates' | 'known' | 'rejected'>;

/** What is being done with a file, or was. */
export type Stage =
  | { readonly kind: 'unplanned' | 'mapping' }
  | { readonly kind: 'planning' | 'enqueueing'; readonly rows: number; readonly total: number }
  | { readonly kind: 'planned'; readonly plan: Plan }
  | { readonly kind: 'enqueued'; readonly report: Enqueued }
  | { readonly kind: 'failed'; readonly message: string };

/** One uploaded file on its way from drop to download. */
export interface FileCase {
  readonly upload: Upload;
  readonly uploadedAtMs: number;
  readonly mapFlags: readonly string[];
  /** Its columns are those that everything is done by, until others are chosen. */
  readonly preview: FilePreview;
  readonly stage: Stage;
  readonly outcomes: FileCounts | null;
}

export interface FileCasesOptions {
  readonly actions: FileActions;
  readonly uploads: Pick<UploadStore, 'remove'>;
  readonly preview: (file: PreviewedFile) => Promise<FilePreview>;
  readonly log: Logger;
}

/** The uploaded files of this dashboard, in memory; a file dropped again finds its rows by what is in them. */
export interface FileCases {
  list(): readonly FileCase[];
  find(id: string): FileCase | undefined;
  /** Takes an upload over and starts planning. Removes it and throws `UsageError` when it is no usable CSV. */
  add(upload: Upload): Promise<FileCase>;
  /** Other columns: looks again and plans again. False while rows are being queued. */
  map(id: string, mapFlags: readonly string[]): Promise<boolean>;
  /** Plans again by the same columns what failed; false when nothing did. */
  replan(id: string): boolean;
  /**
   * Starts queueing, provided that `mapping`, as `mappingText` writes it, is that of the plan. `not-planned`: nothing was
   * started, and nothing needs to be: it is being done, or the page says what is missing.
   */
  enqueue(id: string, mapping: string): 'started' | 'not-planned' | 'other-columns';
  /** Counts the rows again in the background, if that is due. */
  refresh(id: string): void;
  /** Throws `UsageError` as long as there are no columns to read by. */
  exportTo(id: string, out: string, signal: AbortSignal): Promise<void>;
  /** The records that become no job; false, and no file, when there are none. Throws as `exportTo` does. */
  rejectsTo(id: string, out: string, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

const MOST_FILES = 20;
/** Counting again takes a share of the time at most. */
const COUNT_EVERY_MS = 1_500;
const COUNT_SHARE = 10;

interface OpenCase extends FileCase {
  mapFlags: readonly string[];
  preview: FilePreview;
  stage: Stage;
  outcomes: FileCounts | null;
  /** Settles with the latest work, all earlier included. */
  work: Promise<void>;
  /** Ends the latest work. */
  stop: AbortController;
  /** Ends whatever reads the file, for it is about to be removed. */
  readonly gone: AbortController;
  countAtMs: number;
  counting: boolean;
}

export function createFileCases({ actions, uploads, preview, log }: FileCasesOptions): FileCases {
  const cases = new Map<string, OpenCase>();
  /** Reading several large files at once only makes each of them slow. */
  const limit = pLimit(2);
  /** Of their own: who downloads holds nobody up who queues. */
  const downloads = pLimit(2);

  /** Where an upload lies is nobody's business. */
  function messageOf(error: unknown, { upload }: Pick<FileCase, 'upload'>): string {
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

  function plan(file: OpenCase): void {
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
      return inSlot(limit, signal, async () => ({ kind: 'planned', plan: await actions.plan(input, signal, tell) }));
    });
  }

  /** Removes the oldest files beyond the most that are kept, but none whose rows are being queued. */
  async function removeSurplus(): Promise<void> {
    const idle = [...cases.values()].filter(({ stage }) => stage.kind !== 'enqueueing');
    const surplus = idle.slice(0, Math.max(0, cases.size - MOST_FILES));
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

  return {
    list: () => [...cases.values()].reverse(),
    find: (id) => cases.get(id),
    add: async (upload) => {
      const seen = await preview({ path: upload.path, mapFlags: [] }).catch(async (error: unknown) => {
        await uploads.remove(upload);
        throw error instanceof UsageError ? new UsageError(error.code, messageOf(error, { upload })) : error;
      });
      const file: OpenCase = {
        upload,
        uploadedAtMs: Date.now(),
        mapFlags: [],
        preview: seen,
        stage: { kind: 'unplanned' },
        outcomes: null,
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
    map: async (id, mapFlags) => {
      const file = cases.get(id);
      if (file === undefined || file.stage.kind === 'enqueueing') return false;
      await run(file, { kind: 'mapping' }, async (signal) => {
        const seen = await preview({ path: file.upload.path, mapFlags });
        if (!signal.aborted) Object.assign(file, { mapFlags, preview: seen, outcomes: null });
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
    enqueue: (id, mapping) => {
      const file = cases.get(id);
      const columns = file?.preview.columns ?? null;
      if (file?.stage.kind === 'mapping' || mapping !== mappingText(columns)) return 'other-columns';
      if (file?.stage.kind !== 'planned' || columns === null) return 'not-planned';
      const input = mappedFile(file, columns);
      void run(file, { kind: 'enqueueing', rows: 0, total: file.preview.rowCount }, (signal) => {
        const tell: OnProgress = ({ rows, total }) => {
          file.stage = { kind: 'enqueueing', rows, total };
        };
        return inSlot(limit, signal, async () => {
          const { rows, enqueued, duplicates, known, rejected } = await actions.enqueue(input, signal, tell);
          const report = { rows, enqueued, duplicates, known, rejected };
          log.info('dashboard.enqueued', report);
          return { kind: 'enqueued', report };
        });
      });
      return 'started';
    },
    refresh: (id) => {
      const file = cases.get(id);
      const mayCount = file?.stage.kind === 'planned' || file?.stage.kind === 'enqueued';
      if (file === undefined || !mayCount || file.counting || performance.now() < file.countAtMs) return;
      const { preview: seen } = file;
      if (seen.columns === null) return;
      const input = mappedFile(file, seen.columns);
      file.counting = true;
      const startedAtMs = performance.now();
      void inSlot(limit, file.gone.signal, () => actions.outcomes(input))
        .then(
          (outcomes) => {
            if (file.preview === seen) file.outcomes = outcomes;
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
    },
    exportTo: (id, out, left) => download(id, left, (file, signal) => actions.exportTo(file, out, signal)),
    rejectsTo: (id, out, left) => download(id, left, (file, signal) => actions.rejectsTo(file, out, signal)),
    close: async () => {
      await Promise.all([...cases.values()].map(end));
    },
  };
}

function mappedFile({ upload, mapFlags }: FileCase, columns: ColumnMapping): MappedFile {
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
