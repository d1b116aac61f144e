import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { ColumnMapping } from '../lib/core/columns.js';
import { AppError, UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { NotedFile } from '../lib/store/files.js';
import type { ForgetReport } from '../producers/forgetting.js';
import type { FileRows } from '../reports/file-rows.js';
import type { FileActions, MappedFile, OnProgress } from './file-actions.js';
import { type FilePreview, mappingText, type PreviewedFile } from './file-preview.js';
import { inSlot } from './in-slot.js';
import type { Upload, UploadStore } from './upload-store.js';
import {
  type Enqueued,
  type KnownFile,
  mappedFile,
  type OpenCase,
  type Stage,
  type UploadedFile,
} from './uploaded-file.js';

export interface UploadedFilesOptions {
  readonly actions: FileActions;
  readonly uploads: Pick<UploadStore, 'remove' | 'keep'>;
  readonly preview: (file: PreviewedFile) => Promise<FilePreview>;
  /** Notes in the store that rows of a file were queued; `counts` is null while they are. */
  readonly note: (file: UploadedFile, counts: Enqueued | null) => Promise<NotedFile>;
  readonly log: Logger;
}

export type ExportOnly = Parameters<FileActions['exportTo']>[3];

const MAX_FILES = 20;
/** Counting again takes a share of the time at most. */
const COUNT_EVERY_MS = 1_500;
const COUNT_SHARE = 10;

/** The files that are open in this dashboard, each once by its content; others are on the store's list. */
export class UploadedFiles {
  readonly #actions: FileActions;
  readonly #uploads: UploadedFilesOptions['uploads'];
  readonly #preview: UploadedFilesOptions['preview'];
  readonly #note: UploadedFilesOptions['note'];
  readonly #log: Logger;
  readonly #cases = new Map<string, OpenCase>();
  /** Reading several large files at once only makes each of them slow. */
  readonly #slots = pLimit(2);
  /** Of their own: who downloads holds nobody up who queues. */
  readonly #downloads = pLimit(2);

  constructor({ actions, uploads, preview, note, log }: UploadedFilesOptions) {
    this.#actions = actions;
    this.#uploads = uploads;
    this.#preview = preview;
    this.#note = note;
    this.#log = log;
  }

  list(): readonly UploadedFile[] {
    return [...this.#cases.values()].reverse();
  }

  find(id: string): UploadedFile | undefined {
    return this.#cases.get(id);
  }

  /**
   * Takes an upload over and starts planning. A file that is open already is planned anew, under the new name. Removes the
   * upload and throws `UsageError` when it is no usable CSV.
   */
  async add(upload: Upload, { noted, mapFlags }: KnownFile = { noted: null, mapFlags: [] }): Promise<UploadedFile> {
    const open = this.#cases.get(upload.id);
    if (open !== undefined) {
      open.upload = { ...open.upload, name: upload.name };
      await this.#uploads.remove(upload);
      if (open.stage.kind !== 'enqueueing') this.#plan(open);
      return open;
    }
    const seen = await this.#preview({ path: upload.path, mapFlags }).catch(async (error: unknown) => {
      await this.#uploads.remove(upload);
      throw error instanceof UsageError ? new UsageError(error.code, this.#messageOf(error, { upload })) : error;
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
    this.#cases.set(upload.id, file);
    this.#plan(file);
    await this.#removeSurplus();
    return file;
  }

  /** Closes a file that is no longer wanted. */
  async remove(id: string): Promise<void> {
    const file = this.#cases.get(id);
    if (file === undefined) return;
    this.#cases.delete(id);
    await this.#end(file);
    await this.#uploads.remove(file.upload);
  }

  /** Other columns: looks again and plans again. False while rows are being queued. */
  async map(id: string, mapFlags: readonly string[]): Promise<boolean> {
    const file = this.#cases.get(id);
    if (file === undefined || file.stage.kind === 'enqueueing') return false;
    await this.#run(file, { kind: 'mapping' }, async (signal) => {
      const seen = await this.#preview({ path: file.upload.path, mapFlags });
      if (!signal.aborted) Object.assign(file, { mapFlags, preview: seen, rows: null });
      return { kind: 'unplanned' };
    });
    // Unless yet other columns were chosen meanwhile.
    if (file.stage.kind === 'unplanned') this.#plan(file);
    return true;
  }

  /** Plans again by the same columns what failed; false when nothing did. */
  replan(id: string): boolean {
    const file = this.#cases.get(id);
    if (file?.stage.kind !== 'failed') return false;
    this.#plan(file);
    return true;
  }

  /**
   * Starts queueing, at most `limit` new rows, provided that `mapping`, as `mappingText` writes it, is that of the plan. `not-planned`: nothing was
   * started, and nothing needs to be: it is being done, or the page says what is missing.
   */
  enqueue(id: string, mapping: string, limit?: number): 'started' | 'not-planned' | 'other-columns' {
    const file = this.#cases.get(id);
    const columns = file?.preview.columns ?? null;
    if (file?.stage.kind === 'mapping' || mapping !== mappingText(columns)) return 'other-columns';
    if (file?.stage.kind !== 'planned' || columns === null) return 'not-planned';
    const queued = this.#run(file, { kind: 'enqueueing', rows: 0, total: file.preview.rowCount }, (signal) =>
      inSlot(this.#slots, signal, () => this.#queue(file, columns, signal, limit)),
    );
    // The rest of the file is planned at once, so that it can be sent.
    void queued.then(() => {
      if (limit !== undefined && file.stage.kind === 'enqueued') this.#plan(file, file.stage.report);
    });
    return 'started';
  }

  /** Counts the rows again in the background, if that is due. */
  refresh(id: string): void {
    const file = this.#cases.get(id);
    const mayCount = file?.stage.kind === 'planned' || file?.stage.kind === 'enqueued';
    if (file === undefined || !mayCount || file.counting || performance.now() < file.countAtMs) return;
    const { preview: seen } = file;
    if (seen.columns === null) return;
    const input = mappedFile(file, seen.columns);
    file.counting = true;
    const startedAtMs = performance.now();
    void inSlot(this.#slots, file.gone.signal, () =>
      this.#actions.rows(input, file.gone.signal, file.rows ?? undefined),
    )
      .then(
        (rows) => {
          if (file.preview === seen) file.rows = rows;
        },
        (error: unknown) => {
          if (!file.gone.signal.aborted)
            this.#log.warn('dashboard.cannot-count', { message: this.#messageOf(error, file) });
        },
      )
      .finally(() => {
        file.counting = false;
        const tookMs = performance.now() - startedAtMs;
        file.countAtMs = performance.now() + Math.max(COUNT_EVERY_MS, tookMs * COUNT_SHARE);
      });
  }

  /** Takes the waiting rows out of the queue and plans anew; how many they were. Null while rows are being queued. */
  async cancel(id: string): Promise<number | null> {
    const report = await this.#planAfter(id, this.#actions.cancel);
    if (report !== null) this.#log.info('dashboard.cancelled', { rows: report.cancelled });
    return report === null ? null : report.cancelled;
  }

  /** Erases what is known of the rows and plans anew. Null while rows are being queued. */
  async forget(id: string): Promise<ForgetReport | null> {
    const report = await this.#planAfter(id, this.#actions.forget);
    if (report !== null) this.#log.info('dashboard.forgotten', { rows: report.forgotten, left: report.left });
    return report;
  }

  /** The rows as last counted; the first count is waited for, but not longer than this. Null while there is none. */
  async rows(id: string, waitMs: number): Promise<FileRows | null> {
    const file = this.#cases.get(id);
    if (file === undefined) return null;
    this.refresh(id);
    const until = performance.now() + waitMs;
    while (
      file.rows === null &&
      file.preview.columns !== null &&
      performance.now() < until &&
      !file.gone.signal.aborted
    ) {
      await sleep(20);
      this.refresh(id);
    }
    return file.rows;
  }

  /** Writes the rows with these outcomes, all when absent. Throws `UsageError` as long as there are no columns to read by. */
  exportTo(id: string, out: string, signal: AbortSignal, only?: ExportOnly): Promise<void> {
    return this.#download(id, signal, (file, ending) => this.#actions.exportTo(file, out, ending, only));
  }

  /** The records that become no job; false, and no file, when there are none. Throws as `exportTo` does. */
  rejectsTo(id: string, out: string, signal: AbortSignal): Promise<boolean> {
    return this.#download(id, signal, (file, ending) => this.#actions.rejectsTo(file, out, ending));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#cases.values()].map((file) => this.#end(file)));
  }

  /** Where an upload lies is nobody's business. */
  #messageOf(error: unknown, { upload }: Pick<UploadedFile, 'upload'>): string {
    if (error instanceof AppError) return error.message.replaceAll(upload.path, upload.name);
    this.#log.error('dashboard.file-failed', { message: error instanceof Error ? error.message : String(error) });
    return 'That did not work; the log of the dashboard says why.';
  }

  /** Ends what is being done with a file, waits for its end and does this. The stage changes at once: nothing begins in between. */
  #run(file: OpenCase, stage: Stage, work: (signal: AbortSignal) => Promise<Stage>): Promise<void> {
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
        if (!signal.aborted) file.stage = { kind: 'failed', message: this.#messageOf(error, file) };
      },
    );
    return file.work;
  }

  /** Does something with the rows of a file and plans anew; null while its rows are being queued. */
  async #planAfter<T>(id: string, act: (file: MappedFile, signal: AbortSignal) => Promise<T>): Promise<T | null> {
    const file = this.#cases.get(id);
    const columns = file?.preview.columns ?? null;
    if (file === undefined || columns === null || file.stage.kind === 'enqueueing') return null;
    const { signal } = file.gone;
    const report = await inSlot(this.#slots, signal, () => act(mappedFile(file, columns), signal));
    file.countAtMs = 0;
    this.#plan(file);
    return report;
  }

  #plan(file: OpenCase, report?: Enqueued): void {
    const { columns, rowCount } = file.preview;
    if (columns === null) {
      file.stage = { kind: 'unplanned' };
      return;
    }
    const input = mappedFile(file, columns);
    void this.#run(file, { kind: 'planning', rows: 0, total: rowCount }, (signal) => {
      const tell: OnProgress = ({ rows, total }) => {
        if (!signal.aborted) file.stage = { kind: 'planning', rows, total };
      };
      return inSlot(this.#slots, signal, async () => {
        const found = await this.#actions.plan(input, signal, tell);
        return { kind: 'planned', plan: found, ...(report !== undefined && { report }) };
      });
    });
  }

  async #queue(file: OpenCase, columns: ColumnMapping, signal: AbortSignal, limit: number | undefined): Promise<Stage> {
    const tell: OnProgress = ({ rows, total }) => {
      file.stage = { kind: 'enqueueing', rows, total };
    };
    file.upload = await this.#uploads.keep(file.upload);
    file.noted = await this.#note(file, null);
    const { rows, enqueued, duplicates, known, rejected } = await this.#actions.enqueue(
      mappedFile(file, columns),
      signal,
      tell,
      limit,
    );
    const report = { rows, enqueued, duplicates, known, rejected };
    file.noted = await this.#note(file, report);
    file.countAtMs = 0;
    this.#log.info('dashboard.enqueued', report);
    return { kind: 'enqueued', report };
  }

  /** Removes the oldest files beyond the most that are kept, but none whose rows are being queued. */
  async #removeSurplus(): Promise<void> {
    const idle = [...this.#cases.values()].filter(({ stage }) => stage.kind !== 'enqueueing');
    const surplus = idle.slice(0, Math.max(0, this.#cases.size - MAX_FILES));
    for (const { upload } of surplus) this.#cases.delete(upload.id);
    await Promise.all(surplus.map((file) => this.#end(file)));
    await Promise.all(surplus.map(({ upload }) => this.#uploads.remove(upload)));
  }

  async #end(file: OpenCase): Promise<void> {
    file.gone.abort();
    file.stop.abort();
    await file.work;
  }

  /** Takes a slot among the downloads; ends when the reader leaves or the file goes. */
  async #download<T>(
    id: string,
    left: AbortSignal,
    work: (file: MappedFile, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const file = this.#cases.get(id);
    if (file === undefined) throw new Error('There is no such file.');
    const { columns, problem } = file.preview;
    if (columns === null) throw new UsageError('NO_USABLE_COLUMN', problem ?? 'No columns are chosen.');
    const signal = AbortSignal.any([left, file.gone.signal]);
    return inSlot(this.#downloads, signal, () => work(mappedFile(file, columns), signal));
  }
}
