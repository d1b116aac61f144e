import { likenessOfCells } from '../lib/core/column-values.js';
import { type ColumnMapping, MAPPED_FIELDS, type MappedField } from '../lib/core/columns.js';
import { type FieldProblem, INPUT_FIELDS, type InputField, type Keepable, parseRow } from '../lib/core/row.js';
import { type CsvSource, openCsv } from '../lib/csv/csv-source.js';
import { lookUpColumns, rememberedKeep } from '../lib/csv/resolve-columns.js';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import { UsageError } from '../lib/errors.js';
import type { Store } from '../lib/store/store.js';

/** The form of a file and its first rows. */
export interface FilePreview {
  readonly headers: readonly string[];
  /** Line of the header row. */
  readonly headerLine: number;
  readonly rowCount: number;
  readonly encoding: string;
  readonly delimiter: string;
  /** Null when the columns cannot be used as they are chosen; `problem` says why. */
  readonly columns: ColumnMapping | null;
  readonly problem: string | null;
  readonly rows: readonly PreviewRow[];
  /** Of the mapped columns. */
  readonly samples: Readonly<Partial<Record<MappedField, ColumnSample>>>;
}

export interface PreviewRow {
  readonly line: number;
  readonly cells: readonly string[];
  /** Why the record would be rejected; null when it would not, or no columns are chosen. */
  readonly rejected: string | null;
  /** Values that will not be sent, and why. */
  readonly problems: Readonly<Partial<Record<MappedField, FieldProblem | 'BAD_RECORD_ID'>>>;
  /** The fields that are sent. */
  readonly sends: readonly MappedField[];
}

/** What the first rows of a file have in one column. */
export interface ColumnSample {
  /** Rows looked at. */
  readonly rows: number;
  /** Those with a value. */
  readonly filled: number;
  /** Those whose value can be sent. */
  readonly usable: number;
  /** The first different values. */
  readonly values: readonly string[];
  /** The field that most values look like; null when they are too mixed or too few. */
  readonly looksLike: InputField | null;
}

const ROWS_SHOWN = 8;
const VALUES_SHOWN = 3;
/** Nobody means a file with more; reading such a header takes seconds, and so does each row. */
const MAX_COLUMNS = 100_000;

/** A file on this machine and the columns asked for, as the values of `--map`. */
export interface PreviewedFile {
  readonly path: string;
  /** What people call it: where it lies is nobody's business. */
  readonly name: string;
  readonly mapFlags: readonly string[];
}

/** Reads a file's form, finds its columns as the commands do, and reads its first rows. Throws `UsageError` when it is no usable CSV. */
export async function previewFile(
  { path, name, mapFlags }: PreviewedFile,
  { module, store }: { readonly module: string; readonly store: Pick<Store, 'document'> },
): Promise<FilePreview> {
  const source = await openCsv(path, { rememberedKeep: (headers) => rememberedKeep(headers, store) });
  try {
    if (source.headers.length > MAX_COLUMNS) throw tooManyColumns(path, source.headers.length);
    const { columns, problem: ownProblem } = await columnsOf(source, mapFlags, store);
    const problem = ownProblem?.replaceAll(path, name) ?? null;
    const { headers, headerLine, rowCount, encoding, delimiter } = source;
    const asked = { module, keep: source.keep };
    const first = await firstRows(source, columns ?? {}, module);
    return {
      headers,
      headerLine,
      rowCount,
      encoding,
      delimiter,
      columns,
      problem,
      rows: first.slice(0, ROWS_SHOWN).map((row) => previewRow(row, columns, asked)),
      samples: columns === null ? {} : samplesOf(first, columns, asked),
    };
  } finally {
    await source.close();
  }
}

function tooManyColumns(path: string, columns: number): UsageError {
  return new UsageError(
    'TOO_MANY_COLUMNS',
    `${path} has ${columns.toLocaleString('en')} columns, more than the ${MAX_COLUMNS.toLocaleString('en')} this dashboard takes: save it with the columns that are needed.`,
  );
}

async function firstRows(source: CsvSource, columns: ColumnMapping, module: string): Promise<readonly FileRow[]> {
  for await (const batch of readRows(source, { columns, module })) return batch;
  return [];
}

async function columnsOf(
  source: CsvSource,
  mapFlags: readonly string[],
  store: Pick<Store, 'document'>,
): Promise<{ readonly columns: ColumnMapping | null; readonly problem: string | null }> {
  try {
    return { columns: await lookUpColumns(source, mapFlags, store), problem: null };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { columns: null, problem: error.message };
  }
}

function previewRow({ lineNumber, cells, parsed }: FileRow, columns: ColumnMapping | null, asked: Asked): PreviewRow {
  const problems: Partial<Record<MappedField, FieldProblem | 'BAD_RECORD_ID'>> = {};
  for (const field of MAPPED_FIELDS) {
    const problem = columns === null ? null : problemOf(field, cells[columns[field] ?? -1], asked);
    if (problem !== null) problems[field] = problem;
  }
  const { row } = parsed.ok ? parsed : { row: {} as Partial<Record<MappedField, string>> };
  return {
    line: lineNumber,
    cells,
    rejected: columns === null || parsed.ok ? null : parsed.reason,
    problems,
    sends: MAPPED_FIELDS.filter((field) => row[field] !== undefined),
  };
}

/** How values are judged. */
interface Asked {
  readonly module: string;
  readonly keep: readonly Keepable[];
}

/** Why a value of a field is not sent; null when it is, or is empty. A name beside it may be what a host of others is named after. */
function problemOf(
  field: MappedField,
  value: string | undefined,
  { module, keep }: Asked,
): FieldProblem | 'BAD_RECORD_ID' | null {
  if (value === undefined || value.trim() === '') return null;
  const beside = field === 'name' ? {} : { name: 'Zoho Corporation' };
  const parsed = parseRow({ module, ...beside, [field]: value }, { keep });
  if (!parsed.ok && parsed.code === 'BAD_RECORD_ID') return 'BAD_RECORD_ID';
  return parsed.notes?.find((note) => note.field === field)?.problem ?? null;
}

function samplesOf(
  rows: readonly FileRow[],
  columns: ColumnMapping,
  asked: Asked,
): Readonly<Partial<Record<MappedField, ColumnSample>>> {
  const samples: Partial<Record<MappedField, ColumnSample>> = {};
  for (const field of [...INPUT_FIELDS, 'recordId'] as const) {
    const at = columns[field];
    if (at === undefined) continue;
    const values = rows.map(({ cells }) => cells[at]?.trim() ?? '').filter((value) => value !== '');
    const usable = values.filter((value) => problemOf(field, value, asked) === null);
    samples[field] = {
      rows: rows.length,
      filled: values.length,
      usable: usable.length,
      values: [...new Set(values)].slice(0, VALUES_SHOWN),
      looksLike: likenessOfCells(values),
    };
  }
  return samples;
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
