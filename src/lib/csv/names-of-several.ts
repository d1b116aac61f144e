import { traitsOf } from '../core/other-columns.js';
import type { CsvSource } from './csv-source.js';
import { fingerprintOf } from './fingerprint.js';
import { type RowReaderOptions, readRows } from './row-reader.js';

/** Whether several companies of a file have this name; the name as `traitsOf` gives it. */
export type HasSeveral = (name: string) => boolean;

/**
 * Reads a file to learn which names stand for more than one company: rows with one name and another website or record id.
 * 16 bytes a row: a table of 64-bit fingerprints of names, three quarters full at most, each with the first row's.
 */
export async function namesOfSeveral(source: CsvSource, options: RowReaderOptions): Promise<HasSeveral> {
  const size = Math.ceil((source.rowCount + 1) / 0.75);
  const high = new Uint32Array(size);
  const low = new Uint32Array(size);
  // 0 marks a free entry, SEVERAL a name of more than one company.
  const companies = new Uint32Array(size);

  function find(name: string): { readonly at: number; readonly a: number; readonly b: number } {
    const [a, b] = fingerprintOf(name);
    let at = a % size;
    while (companies[at] !== 0 && (high[at] !== a || low[at] !== b)) at = (at + 1) % size;
    return { at, a, b };
  }

  for await (const rows of readRows(source, options)) {
    for (const { parsed } of rows) {
      if (!parsed.ok) continue;
      const { name, website, recordId } = traitsOf(parsed.row);
      if (name === '') continue;
      const { at, a, b } = find(name);
      const company = fingerprint(website, recordId);
      if (companies[at] === 0) [high[at], low[at], companies[at]] = [a, b, company];
      else if (companies[at] !== company) companies[at] = SEVERAL;
    }
  }
  return (name) => companies[find(name).at] === SEVERAL;
}

const SEVERAL = 1;

/** Digests are random already, so their first bytes will do; never 0 and never SEVERAL. */
function fingerprint(website: string, recordId: string): number {
  const part = (digest: string) => (digest === '' ? 0 : fingerprintOf(digest)[0]);
  return Math.max(2, (part(website) ^ Math.imul(part(recordId), 3)) >>> 0);
}
