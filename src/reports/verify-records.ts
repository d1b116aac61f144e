import type { ColumnMapping } from '../lib/core/columns.js';
import { literal, MAX_VALUES_OF_IN, selectQuery } from '../lib/core/coql.js';
import { cellOf } from '../lib/core/pull-choice.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { readRows } from '../lib/csv/row-reader.js';
import { UsageError } from '../lib/errors.js';
import type { RecordQueries } from '../lib/zoho/record-queries.js';

export interface VerifyOptions {
  readonly source: CsvSource;
  readonly columns: ColumnMapping;
  readonly module: string;
  readonly queries: RecordQueries;
  readonly onProgress: (done: number, total: number) => void;
  /** Something the user should know, in a sentence. */
  readonly onNote: (note: string) => void;
}

export interface FieldFill {
  /** Records whose cell is empty in the file. */
  readonly missing: number;
  /** Those of them that have a value in the CRM now. */
  readonly filled: number;
}

/** The `verify --json` document. */
export interface VerifyReport {
  /** Records of the file with a record id. */
  readonly records: number;
  readonly fields: Readonly<Record<string, FieldFill>>;
}

interface Asked {
  readonly id: string;
  readonly empty: readonly string[];
}

/** API names of fields; a header of other letters is no field's. */
const API_NAME = /^[A-Za-z]\w{0,99}$/;
/** Fifty columns fit into a query; the id takes one. */
const MAX_FIELDS = 49;

/**
 * Reads the records of a pulled file again: of each field that a column is named after, how many that were empty in the file
 * have a value in the CRM now. Changes nothing. Throws `UsageError` for a file without record ids or without such a column.
 */
export async function verifyRecords(options: VerifyOptions): Promise<VerifyReport> {
  const { source, columns, onProgress, onNote } = options;
  const fields = fieldColumns(source, columns);
  const fills = new Map(fields.map(({ field }) => [field, { missing: 0, filled: 0 }]));
  const readable = new Set(fills.keys());
  let records = 0;
  let gone = 0;
  let done = 0;
  let batch: Asked[] = [];

  async function flush(): Promise<void> {
    const asked = batch.filter(({ empty }) => empty.some((field) => readable.has(field)));
    batch = [];
    if (asked.length === 0) return;
    const found = await valuesOf(asked, readable, options);
    for (const field of found.withoutFields) {
      fills.delete(field);
      onNote(`${options.module} has no field ${field}: that column is not looked at.`);
    }
    for (const { id, empty } of asked) {
      const values = found.byId.get(id);
      if (values === undefined) gone += 1;
      for (const field of empty) {
        const fill = fills.get(field);
        if (fill !== undefined && values !== undefined && cellOf(values[field]) !== '') fill.filled += 1;
      }
    }
  }

  for await (const rows of readRows(source, options)) {
    for (const { parsed, cells } of rows) {
      const id = parsed.ok ? parsed.row.recordId : undefined;
      if (id === undefined) continue;
      records += 1;
      const empty = fields.filter(({ index }) => (cells[index] ?? '').trim() === '').map(({ field }) => field);
      for (const field of empty) {
        const fill = fills.get(field);
        if (fill !== undefined) fill.missing += 1;
      }
      batch.push({ id, empty });
      if (batch.length === MAX_VALUES_OF_IN) await flush();
    }
    done += rows.length;
    onProgress(done, source.rowCount);
  }
  await flush();
  if (gone > 0) onNote(`${gone} of the records are no longer in ${options.module}, or may not be read.`);
  return { records, fields: Object.fromEntries(fills) };
}

/** The columns named after a field of the CRM, those that rows are made of left out. */
function fieldColumns(
  { headers, path }: CsvSource,
  columns: ColumnMapping,
): readonly { readonly field: string; readonly index: number }[] {
  if (columns.recordId === undefined) {
    throw new UsageError('VERIFY_NO_RECORD_IDS', `${path} has no column of record ids: verify a file that pull wrote.`);
  }
  const mapped = new Set<number | undefined>(Object.values(columns));
  const fields = headers
    .map((header, index) => ({ field: header.trim(), index }))
    .filter(({ field, index }) => !mapped.has(index) && API_NAME.test(field) && !/^zia_/i.test(field))
    .slice(0, MAX_FIELDS);
  if (fields.length > 0) return fields;
  throw new UsageError(
    'VERIFY_NO_FIELDS',
    `${path} has no column named after a field of the CRM: pull it with --missing or --fields, such as --missing Industry.`,
  );
}

/** Asks for the records, and again without each field that the module turns out not to have. */
async function valuesOf(
  asked: readonly Asked[],
  readable: Set<string>,
  { queries, module }: VerifyOptions,
): Promise<{
  readonly byId: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly withoutFields: readonly string[];
}> {
  const withoutFields: string[] = [];
  const ids = [...new Set(asked.map(({ id }) => id))];
  while (readable.size > 0) {
    const conditions = [`(id in (${ids.map(literal).join(', ')}))`];
    const result = await queries.query(selectQuery({ module, columns: [...readable], conditions, limit: ids.length }));
    if (result.kind === 'page') {
      return { byId: new Map(result.records.map(({ id, values }) => [id, values])), withoutFields };
    }
    if (!readable.delete(result.field)) {
      throw new UsageError(
        'CRM_QUERY_REFUSED',
        `Zoho refuses the query because of ${result.field} (${result.reason}).`,
      );
    }
    withoutFields.push(result.field);
  }
  return { byId: new Map(), withoutFields };
}
