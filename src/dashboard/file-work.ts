import pLimit from 'p-limit';
import type { ColumnMapping } from '../lib/core/columns.js';
import { AppError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { NotedFile } from '../lib/store/files.js';
import type { FileActions, MappedFile, OnProgress } from './file-actions.js';
import type { FilePreview, PreviewedFile } from './file-preview.js';
import { inSlot } from './in-slot.js';
import type { UploadStore } from './upload-store.js';
import { type Enqueued, mappedFile, type OpenFile, type Stage, type UploadedFile } from './uploaded-file.js';

export interface FileWorkOptions {
  readonly actions: FileActions;
  readonly uploads: Pick<UploadStore, 'keep'>;
  readonly preview: (file: PreviewedFile) => Promise<FilePreview>;
  /** Notes in the store that rows of a file were queued; `counts` is null while they are. */
  readonly note: (file: UploadedFile, counts: Enqueued | null) => Promise<NotedFile>;
  readonly log: Logger;
}

export type FileAction<T> = (file: MappedFile, signal: AbortSignal) => Promise<T>;

/** Counting again takes a share of the time at most. */
const COUNT_EVERY_MS = 1_500;
const COUNT_SHARE = 10;

/** What is done with an open file in the background: one thing at a time for each file, whose stage tells what. */
export class FileWork {
  readonly #actions: FileActions;
  readonly #uploads: FileWorkOptions['uploads'];
  readonly #preview: FileWorkOptions['preview'];
  readonly #note: FileWorkOptions['note'];
  readonly #log: Logger;
  /** Reading several large files at once only makes each of them slow. */
  readonly #slots = pLimit(2);

  constructor({ actions, uploads, preview, note, log }: FileWorkOptions) {
    this.#actions = actions;
    this.#uploads = uploads;
    this.#preview = preview;
    this.#note = note;
    this.#log = log;
  }

  /** Plans; `report` is what was queued just before. */
  plan(file: OpenFile, report?: Enqueued): void {
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

  /** Looks at the file by other columns, and plans. */
  async map(file: OpenFile, mapFlags: readonly string[]): Promise<void> {
    await this.#run(file, { kind: 'mapping' }, async (signal) => {
      const seen = await this.#preview({ path: file.upload.path, name: file.upload.name, mapFlags });
      if (!signal.aborted) Object.assign(file, { mapFlags, preview: seen, rows: null });
      return { kind: 'unplanned' };
    });
    // Unless yet other columns were chosen meanwhile.
    if (file.stage.kind === 'unplanned') this.plan(file);
  }

  /** Queues the new rows, at most `limit`. */
  enqueue(file: OpenFile, columns: ColumnMapping, limit: number | undefined): void {
    const queued = this.#run(file, { kind: 'enqueueing', rows: 0, total: file.preview.rowCount }, (signal) =>
      inSlot(this.#slots, signal, () => this.#queue(file, columns, signal, limit)),
    );
    // The rest of the file is planned at once, so that it can be sent.
    void queued.then(() => {
      if (limit !== undefined && file.stage.kind === 'enqueued') this.plan(file, file.stage.report);
    });
  }

  /** Does something with the rows and plans anew. */
  async planAfter<T>(file: OpenFile, columns: ColumnMapping, act: FileAction<T>): Promise<T> {
    const { signal } = file.gone;
    const report = await inSlot(this.#slots, signal, () => act(mappedFile(file, columns), signal));
    file.countAtMs = 0;
    this.plan(file);
    return report;
  }

  /** Counts the rows. */
  count(file: OpenFile): void {
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
            this.#log.warn('dashboard.cannot-count', { message: this.messageOf(error, file) });
        },
      )
      .finally(() => {
        file.counting = false;
        const tookMs = performance.now() - startedAtMs;
        file.countAtMs = performance.now() + Math.max(COUNT_EVERY_MS, tookMs * COUNT_SHARE);
      });
  }

  /** Ends all that is done with the file. */
  async end(file: OpenFile): Promise<void> {
    file.gone.abort();
    file.stop.abort();
    await file.work;
  }

  /** The sentence for the page: never with the temporary path. */
  messageOf(error: unknown, { upload }: Pick<UploadedFile, 'upload'>): string {
    if (error instanceof AppError) return error.message.replaceAll(upload.path, upload.name);
    this.#log.error('dashboard.file-failed', { message: error instanceof Error ? error.message : String(error) });
    return 'That did not work; the log of the dashboard says why.';
  }

  /** Ends what is being done with a file, waits for its end and does this. The stage changes at once: nothing begins in between. */
  #run(file: OpenFile, stage: Stage, work: (signal: AbortSignal) => Promise<Stage>): Promise<void> {
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
        if (!signal.aborted) file.stage = { kind: 'failed', message: this.messageOf(error, file) };
      },
    );
    return file.work;
  }

  async #queue(file: OpenFile, columns: ColumnMapping, signal: AbortSignal, limit: number | undefined): Promise<Stage> {
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
}
