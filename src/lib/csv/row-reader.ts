import type { CsvSource } from './csv-source.js';
import { type FileRow, type RowReaderOptions, readRow } from './read-row.js';
import { checkRecordIds } from './record-ids.js';

export { type FileRow, type RowReaderOptions, readRow };

/**
 * Every row of the file, in file order, in the batches of the source. Enqueue, plan, status and export all read through it.
 * A file with record ids is read once more before: what an id is worth depends on all of them.
 */
export async function* readRows(source: CsvSource, options: RowReaderOptions): AsyncGenerator<readonly FileRow[]> {
  const asked = { keep: source.keep, ...options };
  const check = options.columns.recordId === undefined ? null : await checkRecordIds(source, asked);
  const checked = check?.newPass() ?? ((row: FileRow) => row);
  for await (const batch of source.batches()) yield batch.map((record) => checked(readRow(record, asked)));
}
