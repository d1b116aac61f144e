import type { ColumnMapping } from '../core/columns.js';
import { identityKey } from '../core/identity.js';
import type { IdentityKey } from '../core/ids.js';
import { type Candidate, type ParsedRow, parseRow } from '../core/row.js';
import type { CsvRecord, CsvSource } from './csv-source.js';

/** A record of the file, what it amounts to, and, when it is a row, its identity key. */
export interface FileRow extends CsvRecord {
  readonly parsed: ParsedRow;
  /** Present when `parsed.ok`. */
  readonly key?: IdentityKey;
}

export interface RowReaderOptions {
  readonly columns: ColumnMapping;
  /** CRM module the rows are meant for; part of their identity. */
  readonly module: string;
}

const UNREADABLE: ParsedRow = {
  ok: false,
  code: 'UNREADABLE',
  reason: 'The line cannot be read: a quote is not closed, text follows a closing quote, or it is part of such a cell.',
};

/** Every row of the file, in file order, in the batches of the source. Enqueue, plan, status and export all read through it. */
export async function* readRows(source: CsvSource, options: RowReaderOptions): AsyncGenerator<readonly FileRow[]> {
  for await (const batch of source.batches()) yield batch.map((record) => readRow(record, options));
}

/** What a record amounts to in these columns. */
export function readRow(record: CsvRecord, { columns, module }: RowReaderOptions): FileRow {
  const { lineNumber, cells, raw, damaged } = record;
  if (damaged) return { lineNumber, cells, raw, damaged, parsed: UNREADABLE };
  const parsed = parseRow(candidateOf(cells, columns, module));
  if (!parsed.ok) return { lineNumber, cells, raw, damaged, parsed };
  return { lineNumber, cells, raw, damaged, parsed, key: identityKey(parsed.row) };
}

function candidateOf(cells: readonly string[], columns: ColumnMapping, module: string): Candidate {
  const cell = (index: number | undefined) => (index === undefined ? '' : (cells[index] ?? ''));
  return {
    module,
    recordId: cell(columns.recordId),
    name: cell(columns.name),
    email: cell(columns.email),
    website: cell(columns.website),
  };
}
