import { stat } from 'node:fs/promises';
import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { StoreUnavailableError, UsageError } from '../lib/errors.js';
import {
  contentId,
  dropNotedFile,
  type NotedCounts,
  type NotedFile,
  notedFiles,
  noteFile,
} from '../lib/store/files.js';
import type { Store } from '../lib/store/store.js';
import { mappedHeaders } from '../producers/note-queued.js';
import { isWithin, PATIENCE_MS } from './is-within.js';
import type { UploadStore } from './upload-store.js';
import type { UploadedFile } from './uploaded-file.js';
import type { UploadedFiles } from './uploaded-files.js';

/** The store's list of files, and the way from an entry of it back to the file. */
export interface FileList {
  all(): Promise<readonly NotedFile[]>;
  /** To look at only: as last read while the engine cannot be asked or is slow to answer, which the page says by itself. */
  shown(): Promise<readonly NotedFile[]>;
  /** Notes that rows of a file were queued; `counts` is null while they are. */
  note(file: UploadedFile, counts: NotedCounts | null): Promise<NotedFile>;
  /** Notes what became of the rows of a file; only when that changed. */
  noteOutcomes(file: UploadedFile): Promise<void>;
  /** A file that is open, or that the store notes and that is still on this machine as it was; else what is noted. */
  find(id: string): Promise<{ readonly open: UploadedFile | null; readonly noted: NotedFile | null }>;
  drop(id: string): Promise<void>;
}

export interface FileListOptions {
  readonly store: Pick<Store, 'document'>;
  readonly openFiles: () => UploadedFiles;
  readonly uploads: UploadStore;
  readonly module: string;
}

export function createFileList({ store, openFiles, uploads, module }: FileListOptions): FileList {
  const opening = new Map<string, Promise<UploadedFile | null>>();
  let latest: readonly NotedFile[] | null = null;

  async function shown(): Promise<readonly NotedFile[]> {
    const reading = notedFiles(store).then((files) => {
      latest = files;
      return files;
    });
    if (latest === null) return reading;
    const isRead = await isWithin(reading, PATIENCE_MS).catch(isAway);
    return isRead ? reading : latest;
  }

  /** The content decides: a file that was changed is another one, whose rows nobody asked for. */
  async function reopen(noted: NotedFile): Promise<UploadedFile | null> {
    for (const path of [uploads.keptPath(noted.id), noted.path]) {
      if (path === null || !(await isFile(path, noted))) continue;
      const { id, name, bytes } = noted;
      const upload = await uploads.reopen({ id, name, bytes, path });
      try {
        return await openFiles().add(upload, { noted, mapFlags: mapFlagsOf(noted) });
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
      }
    }
    return null;
  }

  return {
    all: () => notedFiles(store),
    shown,
    note: async ({ upload, preview, noted }, counts) => {
      const columns = preview.columns ?? {};
      const file: NotedFile = {
        id: upload.id,
        name: upload.name,
        path: noted?.path ?? null,
        bytes: upload.bytes,
        atMs: Date.now(),
        by: 'dashboard',
        module,
        columns,
        headers: mappedHeaders(preview.headers, columns),
        counts: counts ?? noted?.counts ?? null,
        ...(noted?.outcomes !== undefined && { outcomes: noted.outcomes }),
      };
      await noteFile(store, file);
      return file;
    },
    noteOutcomes: async ({ rows, noted }) => {
      if (rows === null || noted === null) return;
      const outcomes = { counts: rows.counts(), used: rows.bought().enrichmentsUsed };
      if (JSON.stringify(outcomes) === JSON.stringify(noted.outcomes)) return;
      await noteFile(store, { ...noted, outcomes }, { keepPlace: true });
    },
    find: async (id) => {
      const open = openFiles().find(id);
      if (open !== undefined) return { open, noted: open.noted };
      const noted = (await notedFiles(store)).find((file) => file.id === id) ?? null;
      if (noted === null) return { open: null, noted };
      const reopened = opening.get(id) ?? reopen(noted).finally(() => opening.delete(id));
      opening.set(id, reopened);
      return { open: await reopened, noted };
    },
    drop: async (id) => {
      await openFiles().remove(id);
      await uploads.discard(id);
      await dropNotedFile(store, id);
    },
  };
}

/** False for the error of an engine that cannot be asked; throws any other. */
function isAway(error: unknown): false {
  if (error instanceof StoreUnavailableError) return false;
  throw error;
}

async function isFile(path: string, { id, bytes }: NotedFile): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile() || found.size !== bytes) return false;
  return (await contentId(path).catch(() => null)) === id;
}

/** The values of `--map` for the columns that a file was queued by: by position, since several may have one name. */
function mapFlagsOf({ columns }: NotedFile): readonly string[] {
  return MAPPED_FIELDS.map((field) => {
    const at = columns[field];
    return `${field.toLowerCase()}=${at === undefined ? '' : `#${at + 1}`}`;
  });
}
