import type { ColumnMapping } from '../core/columns.js';
import { identityKey } from '../core/identity.js';
import type { IdentityKey } from '../core/ids.js';
import { type Candidate, type Keepable, type ParsedRow, parseRow } from '../core/row.js';
import type { CsvRecord } from './csv-source.js';

/** A record of the file, what it amounts to, and, when it is a row, its identity key. */
export interface FileRow extends CsvRecord {
  readonly parsed: ParsedRow;
  /** Present when `parsed.ok`. A row with the record id of an earlier row of the same company has that row's key. */
  readonly key?: IdentityKey;
}

export interface RowReaderOptions {
  readonly columns: ColumnMapping;
  /** CRM module the rows are meant for; part of their identity. */
  readonly module: string;
  /** Values to use although they seem to say nothing. Default none. */
  readonly keep?: readonly Keepable[] | undefined;
}

/** What a record amounts to in these columns, on its own. */
export function readRow(record: CsvRecord, { columns, module, keep }: RowReaderOptions): FileRow {
  const { problem, lineNumber, cells, raw, damaged } = record;
  if (problem !== undefined) return { lineNumber, cells, raw, damaged, problem, parsed: { ok: false, ...problem } };
  const parsed = parseRow(candidateOf(cells, columns, module), { keep });
  if (!parsed.ok) return { lineNumber, cells, raw, damaged, parsed };
  return { lineNumber, cells, raw, damaged, parsed, key: identityKey(parsed.row) };
}

function candidateOf(cells: readonly string[], columns: ColumnMapping, module: string): Candidate {
  return {
    module,
    recordId: cellAt(cells, columns.recordId),
    name: cellAt(cells, columns.name),
    email: cellAt(cells, columns.email),
    website: cellAt(cells, columns.website),
  };
}

function cellAt(cells: readonly string[], index: number | undefined): string {
  return index === undefined ? '' : (cells[index] ?? '');
}
