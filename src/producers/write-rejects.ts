import type { CsvSource } from '../lib/csv/csv-source.js';
import { type RowReaderOptions, readRows } from '../lib/csv/row-reader.js';
import { createRejectWriter, rejectsAmong } from './reject-writer.js';

export interface WriteRejectsOptions extends RowReaderOptions {
  readonly source: CsvSource;
  /** The file to write. */
  readonly out: string;
  /** Ends the reading between two batches and leaves no file. */
  readonly signal: AbortSignal;
}

/** Writes the rejects of a file as `enqueueRows` does, without queueing anything; false when nothing is rejected. */
export async function writeRejects({ source, out, signal, ...reading }: WriteRejectsOptions): Promise<boolean> {
  const rejects = createRejectWriter(out, source);
  try {
    for await (const rows of readRows(source, reading)) {
      signal.throwIfAborted();
      await rejects.write(rejectsAmong(rows));
    }
    return (await rejects.finish()) !== null;
  } catch (error) {
    await rejects.discard();
    throw error;
  }
}
