import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { ForgetReport } from '../producers/forgetting.js';
import type { FileRows } from '../reports/file-rows.js';
import type { FileActions, MappedFile } from './file-actions.js';
import { mappingText } from './file-preview.js';
import { type FileAction, FileWork, type FileWorkOptions } from './file-work.js';
import { inSlot } from './in-slot.js';
import type { Upload, UploadStore } from './upload-store.js';
import { type KnownFile, mappedFile, type OpenFile, type UploadedFile } from './uploaded-file.js';

export interface UploadedFilesOptions extends FileWorkOptions {
  readonly uploads: Pick<UploadStore, 'remove' | 'keep'>;
}

export type ExportOnly = Parameters<FileActions['exportTo']>[3];

const MAX_FILES = 20;

/** The files that are open in this dashboard, each once by its content; others are on the store's list. */
export class UploadedFiles {
  readonly #actions: FileActions;
  readonly #uploads: UploadedFilesOptions['uploads'];
  readonly #preview: UploadedFilesOptions['preview'];
  readonly #log: Logger;
  readonly #files = new Map<string, OpenFile>();
  readonly #work: FileWork;
  /** Of their own: who downloads holds nobody up who queues. */
  readonly #downloads = pLimit(2);

  constructor(options: UploadedFilesOptions) {
    const { actions, uploads, preview, log } = options;
    this.#work = new FileWork(options);
    this.#actions = actions;
    this.#uploads = uploads;
    this.#preview = preview;
    this.#log = log;
  }

  list(): readonly UploadedFile[] {
    return [...this.#files.values()].reverse();
  }

  find(id: string): UploadedFile | undefined {
    return this.#files.get(id);
  }

  /**
   * Takes an upload over and starts planning. A file that is open already is planned anew, under the new name. Removes the
   * upload and throws `UsageError` when it is no usable CSV.
   */
  async add(upload: Upload, { noted, mapFlags }: KnownFile = { noted: null, mapFlags: [] }): Promise<UploadedFile> {
    const open = this.#files.get(upload.id);
    if (open !== undefined) {
      open.upload = { ...open.upload, name: upload.name };
      await this.#uploads.remove(upload);
      if (open.stage.kind !== 'enqueueing') this.#work.plan(open);
      return open;
    }
    const seen = await this.#preview({ path: upload.path, name: upload.name, mapFlags }).catch(
      async (error: unknown) => {
        await this.#uploads.remove(upload);
        throw error instanceof UsageError ? new UsageError(error.code, this.#work.messageOf(error, { upload })) : error;
      },
    );
    const file: OpenFile = {
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
    this.#files.set(upload.id, file);
    this.#work.plan(file);
    await this.#removeSurplus();
    return file;
  }

  /** Closes a file that is no longer wanted. */
  async remove(id: string): Promise<void> {
    const file = this.#files.get(id);
    if (file === undefined) return;
    this.#files.delete(id);
    await this.#work.end(file);
    await this.#uploads.remove(file.upload);
  }

  /** Other columns: looks again and plans again. False while rows are being queued. */
  async map(id: string, mapFlags: readonly string[]): Promise<boolean> {
    const file = this.#files.get(id);
    if (file === undefined || file.stage.kind === 'enqueueing') return false;
    await this.#work.map(file, mapFlags);
    return true;
  }

  /** Plans again by the same columns what failed; false when nothing did. */
  replan(id: string): boolean {
    const file = this.#files.get(id);
    if (file?.stage.kind !== 'failed') return false;
    this.#work.plan(file);
    return true;
  }

  /**
   * Starts queueing, at most `limit` new rows, provided that `mapping`, as `mappingText` writes it, is that of the plan. `not-planned`: nothing was
   * started, and nothing needs to be: it is being done, or the page says what is missing.
   */
  enqueue(id: string, mapping: string, limit?: number): 'started' | 'not-planned' | 'other-columns' {
    const file = this.#files.get(id);
    const columns = file?.preview.columns ?? null;
    if (file?.stage.kind === 'mapping' || mapping !== mappingText(columns)) return 'other-columns';
    if (file?.stage.kind !== 'planned' || columns === null) return 'not-planned';
    this.#work.enqueue(file, columns, limit);
    return 'started';
  }

  /** Counts the rows again in the background, if that is due. */
  refresh(id: string): void {
    const file = this.#files.get(id);
    const mayCount = file?.stage.kind === 'planned' || file?.stage.kind === 'enqueued';
    if (file === undefined || !mayCount || file.counting || performance.now() < file.countAtMs) return;
    this.#work.count(file);
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
    const file = this.#files.get(id);
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
    await Promise.all([...this.#files.values()].map((file) => this.#work.end(file)));
  }

  /** Does something with the rows of a file and plans anew; null while its rows are being queued. */
  async #planAfter<T>(id: string, act: FileAction<T>): Promise<T | null> {
    const file = this.#files.get(id);
    const columns = file?.preview.columns ?? null;
    if (file === undefined || columns === null || file.stage.kind === 'enqueueing') return null;
    return this.#work.planAfter(file, columns, act);
  }

  /** Removes the oldest files beyond the most that are kept, but none whose rows are being queued. */
  async #removeSurplus(): Promise<void> {
    const idle = [...this.#files.values()].filter(({ stage }) => stage.kind !== 'enqueueing');
    const surplus = idle.slice(0, Math.max(0, this.#files.size - MAX_FILES));
    for (const { upload } of surplus) this.#files.delete(upload.id);
    await Promise.all(surplus.map((file) => this.#work.end(file)));
    await Promise.all(surplus.map(({ upload }) => this.#uploads.remove(upload)));
  }

  /** Takes a slot among the downloads; ends when the reader leaves or the file goes. */
  async #download<T>(
    id: string,
    left: AbortSignal,
    work: (file: MappedFile, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const file = this.#files.get(id);
    if (file === undefined) throw new Error('There is no such file.');
    const { columns, problem } = file.preview;
    if (columns === null) throw new UsageError('NO_USABLE_COLUMN', problem ?? 'No columns are chosen.');
    const signal = AbortSignal.any([left, file.gone.signal]);
    return inSlot(this.#downloads, signal, () => work(mappedFile(file, columns), signal));
  }
}
