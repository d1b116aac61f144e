import type { IdentityKey } from '../lib/core/ids.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichJob, EnrichQueue } from '../lib/queues.js';
import { cellText } from '../reports/export-record.js';
import { createWriter } from '../reports/export-writer.js';
import { type RowRecord, rowRecords } from '../reports/row-record.js';

/** Headers that a file is read by again, so that a corrected download can be added as it is. */
const HEADERS = ['Company', 'Email', 'Website', 'Record Id'] as const;
const MAX_DOWNLOADED = 10_000;

/** The failed rows with a code: those of these jobs, or those that Zoho took and then failed. */
export async function problemRecords(
  engine: Engine,
  queue: EnrichQueue,
  code: string,
  jobs: readonly EnrichJob[],
): Promise<readonly RowRecord[]> {
  if (code !== 'ENRICHMENT_FAILED')
    return rowRecords(
      engine,
      queue,
      jobs.map(({ id }) => id as IdentityKey),
    ); // job ids are keys
  const { entries } = await engine.store.list('failed', { offset: 0, limit: MAX_DOWNLOADED });
  return rowRecords(engine, queue, [...entries.keys()]);
}

/** Rows as a CSV to correct and add again: what was sent, then what became of it. */
export function problemsCsv(records: readonly RowRecord[]): string {
  const form = { headers: HEADERS, headerRaw: HEADERS.join(','), width: HEADERS.length };
  const writer = createWriter('csv', { ...form, delimiter: ',', lineEnd: '\r\n', marked: true });
  const line = ({ sent, outcome }: RowRecord) => {
    const cells = [sent?.name, sent?.email, sent?.website, sent?.recordId].map((cell) => cell ?? '');
    return writer.record({ cells, raw: cells.map((cell) => cellText(cell, ',')).join(','), damaged: false }, outcome);
  };
  return writer.head + records.map(line).join('');
}
