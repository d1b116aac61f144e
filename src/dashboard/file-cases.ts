import pLimit from 'p-limit';
import { AppError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { DeskFile, EnqueueFigures, FileDesk, OutcomeFigures, PlanFigures } from './file-desk.js';
import type { FilePreview } from './file-preview.js';
import type { Upload, UploadStore } from './upload-store.js';

/** What is being done with a file, or was. */
export type Stage =
  | { readonly kind: 'unplanned' }
  | { readonly kind: 'planning' | 'enqueueing'; readonly rows: number; readonly total: number }
  | { readonly kind: 'planned'; readonly plan: PlanFigures }
  | { readonly kind: 'enqueued'; readonly report: EnqueueFigures }
  | { readonly kind: 'failed'; readonly message: string };

/** One uploaded file on its way from drop to download. */
export interface FileCase {
  readonly upload: Upload;
  readonly uploadedAtMs: number;
  readonly mapFlags: readonly string[];
  readonly preview: FilePreview;
  readonly stage: Stage;
  readonly outcomes: OutcomeFigures | null;
}

export interface FileCasesOptions {
  readonly desk: FileDesk;
  readonly uploads: UploadStore;
  readonly preview: (file: DeskFile) => Promise<FilePreview>;
  readonly log: Logger;
}

/** The uploaded files of this dashboard, in memory; a file dropped again finds its rows by what is in them. */
export interface FileCases {
  list(): readonly FileCase[];
  find(id: string): FileCase | undefined;
  /** Takes an upload over and starts planning. Rejects, and removes the upload, when it is no usable CSV. */
  add(upload: Upload): Promise<FileCase>;
  /** Other columns: looks again and plans again. False while rows are being queued. */
  map(id: string, mapFlags: readonly string[]): Promise<boolean>;
  /** Starts queueing; false when there is no plan to go by. */
  enqueue(id: string): boolean;
  /** Counts the rows again in the background, if that is due. */
  refresh(id: string): void;
  exportTo(id: string, out: string): Promise<void>;
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
  outcomes: OutcomeFigures | null;
  work: Promise<void>;
  stop: AbortController;
  countAtMs: number;
  counting: boolean;
}

export function createFileCases({ desk, uploads, preview, log }: FileCasesOptions): FileCases {
  const cases = new Map<string, OpenCase>();
  /** Reading several large files at once only makes each of them slow. */
  const limit = pLimit(2);

  const fileOf = ({ upload, mapFlags }: FileCase): DeskFile => ({ path: upload.path, mapFlags });

  /** The folder of an upload is nobody's business. */
  function messageOf(error: unknown, { upload }: Pick<FileCase, 'upload'>): string {
    if (error instanceof AppError) return error.message.replaceAll(`${upload.folder}/`, '');
    log.error('dashboard.file-failed', { message: error instanceof Error ? error.message : String(error) });
    return 'That did not work; the log of the dashboard says why.';
  }

  function run(file: OpenCase, work: (signal: AbortSignal) => Promise<Stage>): void {
    const stop = new AbortController();
    file.stop = stop;
    file.work = limit(() => work(stop.signal)).then(
      (stage) => {
        if (!stop.signal.aborted) file.stage = stage;
      },
      (error: unknown) => {
        if (!stop.signal.aborted) file.stage = { kind: 'failed', message: messageOf(error, file) };
      },
    );
  }

  function plan(file: OpenCase): void {
    if (file.preview.columns === null) {
      file.stage = { kind: 'unplanned' };
      return;
    }
    file.stage = { kind: 'planning', rows: 0, total: file.preview.rowCount };
    run(file, async (signal) => {
      const tell = ({ rows, total }: { rows: number; total: number }) => {
        if (!signal.aborted) file.stage = { kind: 'planning', rows, total };
      };
      return { kind: 'planned', plan: await desk.plan(fileOf(file), signal, tell) };
    });
  }

  async function makeRoom(): Promise<void> {
    for (const file of cases.values()) {
      if (cases.size < MOST_FILES) return;
      if (file.stage.kind === 'enqueueing') continue;
      cases.delete(file.upload.id);
      file.stop.abort();
      await file.work;
      await uploads.remove(file.upload);
    }
  }

  return {
    list: () => [...cases.values()].reverse(),
    find: (id) => cases.get(id),
    add: async (upload) => {
      await makeRoom();
      const seen = await preview({ path: upload.path, mapFlags: [] }).catch(async (error: unknown) => {
        const message = messageOf(error, { upload });
        await uploads.remove(upload);
        throw error instanceof AppError ? new AppError(error.code, message, error.exitCode) : new Error(message);
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
        countAtMs: 0,
        counting: false,
      };
      cases.set(upload.id, file);
      plan(file);
      return file;
    },
    map: async (id, mapFlags) => {
      const file = cases.get(id);
      if (file === undefined || file.stage.kind === 'enqueueing') return false;
      file.stop.abort();
      await file.work;
      const seen = await preview({ path: file.upload.path, mapFlags });
      file.mapFlags = mapFlags;
      file.preview = seen;
      file.outcomes = null;
      plan(file);
      return true;
    },
    enqueue: (id) => {
      const file = cases.get(id);
      if (file?.stage.kind !== 'planned') return false;
      file.stage = { kind: 'enqueueing', rows: 0, total: file.preview.rowCount };
      run(file, async (signal) => {
        const tell = ({ rows, total }: { rows: number; total: number }) => {
          file.stage = { kind: 'enqueueing', rows, total };
        };
        const rejectsPath = `${file.upload.path}.rejects.csv`;
        return { kind: 'enqueued', report: await desk.enqueue(fileOf(file), rejectsPath, signal, tell) };
      });
      return true;
    },
    refresh: (id) => {
      const file = cases.get(id);
      const mayCount = file?.stage.kind === 'planned' || file?.stage.kind === 'enqueued';
      if (file === undefined || !mayCount || file.counting || performance.now() < file.countAtMs) return;
      file.counting = true;
      const startedAtMs = performance.now();
      const { mapFlags } = file;
      void limit(() => desk.outcomes(fileOf(file)))
        .then(
          (outcomes) => {
            if (file.mapFlags === mapFlags) file.outcomes = outcomes;
          },
          (error: unknown) => log.warn('dashboard.cannot-count', { message: messageOf(error, file) }),
        )
        .finally(() => {
          file.counting = false;
          const tookMs = performance.now() - startedAtMs;
          file.countAtMs = performance.now() + Math.max(COUNT_EVERY_MS, tookMs * COUNT_SHARE);
        });
    },
    exportTo: async (id, out) => {
      const file = cases.get(id);
      if (file === undefined) throw new Error('There is no such file.');
      await limit(() => desk.exportTo(fileOf(file), out, file.stop.signal));
    },
    close: async () => {
      for (const file of cases.values()) file.stop.abort();
      await Promise.all([...cases.values()].map(({ work }) => work));
    },
  };
}
