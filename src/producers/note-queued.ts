import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type ColumnMapping, MAPPED_FIELDS } from '../lib/core/columns.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { contentId, type NotedCounts, type NotedFile, notedFiles, noteFile } from '../lib/store/files.js';
import type { Store } from '../lib/store/store.js';

/** A file whose rows a command queues. */
export interface QueuedFile {
  readonly source: CsvSource;
  readonly columns: ColumnMapping;
  readonly module: string;
  readonly store: Pick<Store, 'document'>;
}

/**
 * Notes in the store that a file is being queued by a command; what it returns notes what became of it. So the dashboard lists
 * it, also when the command is cut short. Standard input leaves no file behind and is not noted.
 */
export async function noteQueued(file: QueuedFile): Promise<(counts: NotedCounts) => Promise<void>> {
  const { source, store } = file;
  if (source.path === '-') return async () => undefined;
  const noted = await notedFileOf(file);
  await noteFile(store, noted);
  return ({ rows, enqueued, duplicates, known, rejected }) =>
    noteFile(store, { ...noted, counts: { rows, enqueued, duplicates, known, rejected } });
}

async function notedFileOf({ source, columns, module, store }: QueuedFile): Promise<NotedFile> {
  const path = resolve(source.path);
  const [id, { size }] = await Promise.all([contentId(path), stat(path)]);
  const before = (await notedFiles(store)).find((file) => file.id === id);
  return {
    id,
    name: basename(path),
    path,
    bytes: size,
    atMs: Date.now(),
    by: 'command',
    module,
    columns,
    headers: mappedHeaders(source.headers, columns),
    counts: before?.counts ?? null,
    ...(before?.outcomes !== undefined && { outcomes: before.outcomes }),
  };
}

/** The headers of the mapped columns. */
export function mappedHeaders(headers: readonly string[], columns: ColumnMapping): NotedFile['headers'] {
  return Object.fromEntries(
    MAPPED_FIELDS.flatMap((field) => {
      const at = columns[field];
      return at === undefined ? [] : [[field, headers[at] ?? '']];
    }),
  );
}
