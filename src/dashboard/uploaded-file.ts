import type { ColumnMapping } from '../lib/core/columns.js';
import type { NotedFile } from '../lib/store/files.js';
import type { EnqueueReport } from '../producers/csv-producer.js';
import type { Plan } from '../producers/plan-within.js';
import type { FileRows } from '../reports/file-rows.js';
import type { MappedFile } from './file-actions.js';
import type { FilePreview } from './file-preview.js';
import type { Upload } from './upload-store.js';

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

/** What is known of a file that was open before. */
export interface KnownFile {
  readonly noted: NotedFile | null;
  /** The columns it was queued by, as the values of `--map`. */
  readonly mapFlags: readonly string[];
}

/** An uploaded file, and the work on it. */
export interface OpenFile extends UploadedFile {
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

export function mappedFile({ upload, mapFlags }: UploadedFile, columns: ColumnMapping): MappedFile {
  return { path: upload.path, columns, mapFlags };
}
