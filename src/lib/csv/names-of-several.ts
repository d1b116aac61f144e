import { traitsOf } from '../core/other-columns.js';
import type { CsvSource } from './csv-source.js';
import { createFingerprintTable, fingerprintOf } from './fingerprint.js';
import { type RowReaderOptions, readRows } from './row-reader.js';

/** Whether several companies of a file have this name; the name as `traitsOf` gives it. */
export type HasSeveral = (name: string) => boolean;

/**
 * Reads a file to learn which names stand for more than one company: rows with one name and another website or record id.
 * 16 bytes a row: for each name the first row's company.
 */
export async function namesOfSeveral(source: CsvSource, options: RowReaderOptions): Promise<HasSeveral> {
  const { numbers: companies, indexOf } = createFingerprintTable(source.rowCount);
  for await (const rows of readRows(source, options)) {
    for (const { parsed } of rows) {
      if (!parsed.ok) continue;
      const { name, website, recordId } = traitsOf(parsed.row);
      if (name === '') continue;
      const at = indexOf(name);
      const company = fingerprint(website, recordId);
      if (companies[at] === 0) companies[at] = company;
      else if (companies[at] !== company) companies[at] = SEVERAL;
    }
  }
  return (name) => companies[indexOf(name)] === SEVERAL;
}

/** In place of a company. */
const SEVERAL = 1;

/** Digests are random already, so their first bytes will do; never 0 and never SEVERAL. */
function fingerprint(website: string, recordId: string): number {
  const part = (digest: string) => (digest === '' ? 0 : fingerprintOf(digest)[0]);
  return Math.max(2, (part(website) ^ Math.imul(part(recordId), 3)) >>> 0);
}
