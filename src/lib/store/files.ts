import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { ColumnMapping, MappedField } from '../core/columns.js';
import type { Store } from './store.js';

/** What a file became when its rows were queued. */
export interface NotedCounts {
  readonly rows: number;
  readonly enqueued: number;
  readonly duplicates: number;
  readonly known: number;
  readonly rejected: number;
}

/** Rows by outcome, as `status` has them. */
export type OutcomeCounts = Readonly<
  Record<
    'rows' | 'submitted' | 'enriched' | 'notFound' | 'waiting' | 'failed' | 'rejected' | 'notEnqueued' | 'uncertain',
    number
  >
>;

/** A file whose rows were queued, by a command or in the browser. */
export interface NotedFile {
  /** Of its content: the same file is the same entry, under whatever name. */
  readonly id: string;
  readonly name: string;
  /** Where it was; null for standard input and for uploads, which the dashboard keeps itself. */
  readonly path: string | null;
  readonly bytes: number;
  readonly atMs: number;
  readonly by: 'command' | 'dashboard';
  readonly module: string;
  readonly columns: ColumnMapping;
  /** The headers of the mapped columns, for people. */
  readonly headers: Readonly<Partial<Record<MappedField, string>>>;
  /** Null while it is being queued, and when that was cut short. */
  readonly counts: NotedCounts | null;
  /** Its rows by outcome as last counted, and the enrichments they used; absent before. */
  readonly outcomes?: { readonly counts: OutcomeCounts; readonly used: number };
}

/** The store's `files` document, the latest first. */
export type NotedFiles = readonly NotedFile[];

/** The document is rewritten whole: some 500 bytes a file. */
const MAX_NOTED = 200;

/**
 * Notes a file in place of what was noted of the same content before, as the latest or, with `keepPlace`, where it was; then
 * a file that was dropped from the list stays so. Safe to repeat; the oldest beyond 200 are dropped.
 */
export async function noteFile(
  store: Pick<Store, 'document'>,
  file: NotedFile,
  { keepPlace = false }: { readonly keepPlace?: boolean } = {},
): Promise<void> {
  await store.document<NotedFiles>('files').change((files) => {
    const noted = files ?? [];
    if (keepPlace) return noted.map((other) => (other.id === file.id ? file : other));
    return [file, ...noted.filter(({ id }) => id !== file.id)].slice(0, MAX_NOTED);
  });
}

/** The files whose rows were queued, the latest first. */
export async function notedFiles(store: Pick<Store, 'document'>): Promise<NotedFiles> {
  return (await store.document<NotedFiles>('files').read()).value ?? [];
}

/** Takes a file off the list; its rows stay as they are. */
export async function dropNotedFile(store: Pick<Store, 'document'>, id: string): Promise<void> {
  await store.document<NotedFiles>('files').change((files) => files?.filter((file) => file.id !== id));
}

/** The id of a file by its content: 22 characters. Rejects when it cannot be read. */
export async function contentId(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('base64url').slice(0, 22);
}
