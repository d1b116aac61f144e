import { type ColumnMapping, MAPPED_FIELDS, type MappedField } from '../lib/core/columns.js';
import { openCsv } from '../lib/csv/csv-source.js';
import { lookUpColumns } from '../lib/csv/resolve-columns.js';
import { readRows } from '../lib/csv/row-reader.js';
import { UsageError } from '../lib/errors.js';
import type { Store } from '../lib/store/store.js';

/** The form of a file and its first rows. */
export interface FilePreview {
  readonly headers: readonly string[];
  readonly rowCount: number;
  readonly encoding: string;
  readonly delimiter: string;
  /** Null when the columns cannot be used as they are chosen; `problem` says why. */
  readonly columns: ColumnMapping | null;
  readonly problem: string | null;
  readonly rows: readonly PreviewRow[];
}

export interface PreviewRow {
  readonly line: number;
  readonly cells: readonly string[];
  /** Why the record would be rejected; null when it would not, or no columns are chosen. */
  readonly rejected: string | null;
}

const ROWS_SHOWN = 8;

/** A file on this machine and the columns asked for, as the values of `--map`. */
export interface PreviewedFile {
  readonly path: string;
  readonly mapFlags: readonly string[];
}

/** Reads a file's form, finds its columns as the commands do, and reads its first rows. Throws `UsageError` when it is no usable CSV. */
export async function previewFile(
  { path, mapFlags }: PreviewedFile,
  { module, store }: { readonly module: string; readonly store: Pick<Store, 'cell'> },
): Promise<FilePreview> {
  const source = await openCsv(path);
  try {
    const { columns, problem } = await columnsOf(source, mapFlags, store);
    const form = {
      headers: source.headers,
      rowCount: source.rowCount,
      encoding: source.encoding,
      delimiter: source.delimiter,
    };
    for await (const batch of readRows(source, { columns: columns ?? {}, module })) {
      const rows = batch.slice(0, ROWS_SHOWN).map(({ lineNumber, cells, parsed }) => ({
        line: lineNumber,
        cells,
        rejected: columns === null || parsed.ok ? null : parsed.reason,
      }));
      return { ...form, columns, problem, rows };
    }
    return { ...form, columns, problem, rows: [] };
  } finally {
    await source.close();
  }
}

async function columnsOf(
  source: { readonly headers: readonly string[] },
  mapFlags: readonly string[],
  store: Pick<Store, 'cell'>,
): Promise<{ readonly columns: ColumnMapping | null; readonly problem: string | null }> {
  try {
    return { columns: await lookUpColumns(source, mapFlags, store), problem: null };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { columns: null, problem: error.message };
  }
}

/** The `--map` values that say all of `choice`: a header for each field, empty to leave it out. */
export function mapFlagsOf(choice: Readonly<Partial<Record<MappedField, string>>>): readonly string[] {
  return MAPPED_FIELDS.map((field) => `${field.toLowerCase()}=${choice[field] ?? ''}`);
}

/** A mapping in a text for a form to carry: the same text for the same mapping. Empty without columns. */
export function mappingText(columns: ColumnMapping | null): string {
  return MAPPED_FIELDS.flatMap((field) =>
    columns?.[field] === undefined ? [] : [`${field}=${columns[field]}`],
  ).join();
}
