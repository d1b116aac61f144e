import type { ColumnMapping } from '../lib/core/columns.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { readRows } from '../lib/csv/row-reader.js';
import type { Engine } from '../lib/engine/engine.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createTally, type FileCounts } from './file-counts.js';

/** A file as its reports need it: which columns hold what, and for which CRM module its rows are. */
export interface ReportedFile {
  readonly source: CsvSource;
  readonly columns: ColumnMapping;
  readonly module: string;
  readonly engine: Engine;
}

/** A file's rows by outcome. A repeated row counts with the outcome of its first. Two round trips per batch of rows, flat memory. */
export async function fileStatus({ source, columns, module, engine }: ReportedFile): Promise<FileCounts> {
  const tally = createTally();
  for await (const { outcomes } of withOutcomes(readRows(source, { columns, module }), engine)) {
    for (const { status } of outcomes) tally.add(status);
  }
  return tally.counts();
}
