import type { IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import { RESULT_COLUMNS, resultCells } from '../lib/core/result-columns.js';
import type { ParsedRow } from '../lib/core/row.js';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { UsageError } from '../lib/errors.js';
import type { EnrichQueue } from '../lib/queues.js';
import { withOutcomes } from './chunk-outcomes.js';
import type { RowOutcome } from './row-outcome.js';
import { type RowEvent, rowRecords } from './row-record.js';

/** All that is known of one row of a file. */
export interface RowDetail {
  /** The physical line on which the record starts. */
  readonly line: number;
  /** The first line with the same row, when this one repeats it. */
  readonly repeats: number | null;
  readonly key: IdentityKey | null;
  /** The record as the file has it. */
  readonly record: readonly { readonly column: string; readonly value: string }[];
  /** What the record amounts to as a row. */
  readonly parsed: ParsedRow;
  /** The values of the latest submission; null when it was never sent. */
  readonly sent: SentFields | null;
  /** How many times it was sent. */
  readonly sends: number;
  readonly outcome: RowOutcome;
  /** What Zia found, by column of the export; only columns with a value. */
  readonly found: readonly { readonly column: string; readonly value: string }[];
  /** Oldest first; what nothing recorded is left out. */
  readonly history: readonly RowEvent[];
}

/**
 * All that is known of the row on this physical line of a file, also when the record only goes on there. Throws `UsageError`
 * NO_SUCH_ROW when no row is there. Reads the file up to the row, changes nothing.
 */
export async function rowDetail(file: Input, queue: EnrichQueue, line: number): Promise<RowDetail> {
  const { row, repeats } = await findRow(file, line);
  const { key, parsed, cells } = row;
  const outcome = await outcomeOf(row, file);
  const sentAs = outcome.sentAs ?? key;
  const [recorded] = sentAs === undefined ? [] : await rowRecords(file.engine, queue, [sentAs]);
  const found = resultCells(outcome.data);
  return {
    line: row.lineNumber,
    repeats,
    key: key ?? null,
    record: cells.map((value, at) => ({ column: file.source.headers[at] ?? `column ${at + 1}`, value })),
    parsed,
    sent: recorded?.entry?.sent ?? null,
    sends: recorded?.entry?.sends ?? 0,
    outcome,
    found: RESULT_COLUMNS.flatMap((column, at) => (found[at] ? [{ column, value: found[at] }] : [])),
    history: recorded?.history ?? [],
  };
}

interface FoundRow {
  readonly row: FileRow;
  readonly repeats: number | null;
}

async function findRow({ source, columns, module }: Input, line: number): Promise<FoundRow> {
  let row: FileRow | undefined;
  read: for await (const batch of readRows(source, { columns, module })) {
    for (const next of batch) {
      if (next.lineNumber > line) break read;
      row = next;
    }
  }
  const lastLine = row === undefined ? 0 : row.lineNumber + lineEnds(row.raw);
  if (row === undefined || line > lastLine) {
    throw new UsageError(
      'NO_SUCH_ROW',
      `${source.path} has no row on line ${line}; \`npm run rows ${source.path}\` lists its rows with their lines.`,
    );
  }
  return { row, repeats: await firstLineOf(row, { source, columns, module }) };
}

function lineEnds(raw: string): number {
  return raw.match(/\r\n|\r|\n/g)?.length ?? 0;
}

async function firstLineOf(
  { key, lineNumber }: FileRow,
  { source, columns, module }: Omit<Input, 'engine'>,
): Promise<number | null> {
  if (key === undefined) return null;
  for await (const batch of readRows(source, { columns, module })) {
    const first = batch.find((row) => row.key === key);
    if (first !== undefined) return first.lineNumber === lineNumber ? null : first.lineNumber;
  }
  return null;
}

async function outcomeOf({ lineNumber }: FileRow, file: Input): Promise<RowOutcome> {
  const only = (row: FileRow) => row.lineNumber === lineNumber;
  for await (const { outcomes } of withOutcomes(file, { withData: true, only })) {
    if (outcomes[0] !== undefined) return outcomes[0];
  }
  throw new Error('The row was there a moment ago.');
}
