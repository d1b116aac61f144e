import { keyBytes, keyName, keyOfBytes } from '../core/identity.js';
import { looksRounded, ROUNDED_RECORD_ID } from '../core/record-id.js';
import type { Row } from '../core/row.js';
import { hostOf } from '../core/web-address.js';
import type { CsvSource } from './csv-source.js';
import { createHash32 } from './hash32.js';
import { type FileRow, type RowReaderOptions, readRow } from './read-row.js';

/** What all record ids of a file together say about each. */
export interface RecordIdCheck {
  /** A function for one pass over the file, to call with each row in order: it says what its record id makes of it. */
  newPass(): (row: FileRow) => FileRow;
}

/** Rounded ids come in numbers: a single one may end in zeros by itself. */
const MIN_ROUNDED = 2;
const ROUNDED_SHARE = 0.01;
/** In place of a company: the id stands on rows of several. */
const SEVERAL = 0xffffffff;
const KEY_BYTES = 16;

/**
 * Reads a file for its record ids: whether a spreadsheet rounded them, which stand on rows of different companies, and which
 * on several rows of one. Memory: 16 bytes a row, and 16 for each id that is there more than once.
 */
export async function checkRecordIds(source: CsvSource, options: RowReaderOptions): Promise<RecordIdCheck> {
  const table = createTable(source.rowCount);
  let ids = 0;
  let rounded = 0;
  for await (const batch of source.batches()) {
    for (const record of batch) {
      const { parsed } = readRow(record, options);
      if (!parsed.ok || parsed.row.recordId === undefined) continue;
      ids += 1;
      if (looksRounded(parsed.row.recordId)) rounded += 1;
      table.add(parsed.row.recordId, parsed.row);
    }
  }
  const isRounded = rounded >= MIN_ROUNDED && rounded > ids * ROUNDED_SHARE;
  return { newPass: () => judgeOf(table, isRounded) };
}

type Table = ReturnType<typeof createTable>;

function judgeOf(table: Table, isRounded: boolean): (row: FileRow) => FileRow {
  const keys = Buffer.alloc(table.repeated() * KEY_BYTES);
  const seen = new Uint8Array(table.repeated());
  return (row) => {
    if (!row.parsed.ok || row.parsed.row.recordId === undefined || row.key === undefined) return row;
    const { recordId } = row.parsed.row;
    if (isRounded && looksRounded(recordId)) return rejected(row, 'BAD_RECORD_ID', ROUNDED_RECORD_ID);
    const { isShared, ordinal } = table.find(recordId);
    if (isShared) return rejected(row, 'SHARED_RECORD_ID', SHARED_RECORD_ID);
    if (ordinal === null) return row;
    const own = keys.subarray(ordinal * KEY_BYTES, (ordinal + 1) * KEY_BYTES);
    if (seen[ordinal] === 1) return { ...row, key: keyOfBytes(own) };
    seen[ordinal] = 1;
    keyBytes(row.key).copy(own);
    return row;
  };
}

const SHARED_RECORD_ID =
  'Rows of different companies have this record id, and Zia would write all of them to one record: correct the ids, or empty the wrong cells.';

function rejected(
  { key: _none, ...row }: FileRow,
  code: 'BAD_RECORD_ID' | 'SHARED_RECORD_ID',
  reason: string,
): FileRow {
  return { ...row, parsed: { ok: false, code, reason } };
}

/** Record ids as 32-bit fingerprints in a table that is three quarters full at most; the place tells another 20 bits apart. */
function createTable(rows: number) {
  const size = Math.ceil((rows + 1) / 0.75);
  const ids = new Uint32Array(size);
  /** Of the first row with the id; in the end the number of the repeated id, from 1. */
  const names = new Uint32Array(size);
  const hosts = new Uint32Array(size);
  const repeats = new Set<number>();
  const [hashId, hashPlace, hashText] = [createHash32(1), createHash32(2), createHash32(3)];

  function placeOf(recordId: string): number {
    const id = hashId(recordId);
    let at = hashPlace(recordId) % size;
    while (ids[at] !== 0 && ids[at] !== id) at = (at + 1) % size;
    return at;
  }

  let numbered = false;
  function number(): void {
    if (numbered) return;
    numbered = true;
    names.fill(0);
    let next = 0;
    for (const at of repeats) names[at] = ++next;
  }

  return {
    add: (recordId: string, { name, website }: Row): void => {
      const at = placeOf(recordId);
      const own = {
        name: name === undefined ? 0 : hashText(keyName(name)),
        host: website === undefined ? 0 : hashText(hostOf(website)),
      };
      if (ids[at] === 0) {
        ids[at] = hashId(recordId);
        names[at] = own.name;
        hosts[at] = own.host;
        return;
      }
      repeats.add(at);
      if (hosts[at] !== SEVERAL && areDifferent(own, { name: names[at] ?? 0, host: hosts[at] ?? 0 }))
        hosts[at] = SEVERAL;
    },
    find: (recordId: string): { readonly isShared: boolean; readonly ordinal: number | null } => {
      number();
      const at = placeOf(recordId);
      return { isShared: hosts[at] === SEVERAL, ordinal: names[at] ? names[at] - 1 : null };
    },
    repeated: (): number => repeats.size,
  };
}

interface Company {
  /** 0 when not known. */
  readonly name: number;
  readonly host: number;
}

/** Names differ and no host is shared; where one has no name, hosts alone tell. */
function areDifferent(a: Company, b: Company): boolean {
  if ((a.host !== 0 && a.host === b.host) || (a.name !== 0 && a.name === b.name)) return false;
  return (a.name !== 0 && b.name !== 0) || (a.host !== 0 && b.host !== 0);
}
