import { plainHeader } from '../core/column-aliases.js';
import { type ColumnValues, createColumnTally } from '../core/column-values.js';
import { aliasColumns, type ColumnOverrides, MAPPED_FIELDS } from '../core/columns.js';
import type { Finding } from '../core/input-check.js';
import type { CsvRecord, CsvSource } from './csv-source.js';

/** What columns are chosen from: a header row, and the records below it where there are any to read. */
export type SampledSource = Pick<CsvSource, 'headers'> & Partial<Pick<CsvSource, 'batches' | 'path' | 'headerLine'>>;

/** What the first records of a file hold. */
export interface ColumnSample {
  /** By column; undefined for those that no header of ours names, and where nothing was read. */
  readonly values: readonly (ColumnValues | undefined)[];
  /** The records right below the header. */
  readonly first: readonly CsvRecord[];
  /** DUPLICATE_HEADER. */
  readonly findings: readonly Finding[];
}

/** Columns are decided on so many records. */
const SAMPLE_RECORDS = 10_000;
const FIRST_RECORDS = 20;

/** Reads the first records of a file to learn what its columns hold. */
export async function sampleColumns(source: SampledSource, overrides: ColumnOverrides): Promise<ColumnSample> {
  const { headers } = source;
  const candidates = new Set(MAPPED_FIELDS.flatMap((field) => aliasColumns(field, headers)));
  const tallies = headers.map((_, at) => (candidates.has(at) ? createColumnTally() : undefined));
  const recordIds = overrides.recordId === undefined ? aliasColumns('recordId', headers) : [];
  const first: CsvRecord[] = [];
  let records = 0;
  for await (const batch of source.batches?.() ?? []) {
    for (const record of batch) {
      if (first.length < FIRST_RECORDS) first.push(record);
      if (record.problem !== undefined) continue;
      records += 1;
      // Whether a column holds record ids at all is decided by the whole of it.
      const wanted = records <= SAMPLE_RECORDS ? candidates : recordIds;
      for (const at of wanted) tallies[at]?.add(record.cells[at] ?? '');
    }
    if (records >= SAMPLE_RECORDS && !recordIds.some((at) => isUndecided(tallies[at]?.values()))) break;
  }
  const values = records === 0 ? [] : tallies.map((tally) => tally?.values());
  return { values, first, findings: duplicateHeaders(headers, candidates, source.headerLine ?? 1) };
}

function isUndecided(values: ColumnValues | undefined): boolean {
  return values !== undefined && values.recordIds === 0;
}

/** Headers that stand above several columns, of those that may be used. */
function duplicateHeaders(
  headers: readonly string[],
  candidates: ReadonlySet<number>,
  line: number,
): readonly Finding[] {
  const seen = new Map<string, number>();
  for (const at of candidates) {
    const plain = plainHeader(headers[at] ?? '');
    seen.set(plain, (seen.get(plain) ?? 0) + 1);
  }
  const columns = [...seen.values()].filter((count) => count > 1).reduce((sum, count) => sum + count, 0);
  return columns === 0 ? [] : [{ code: 'DUPLICATE_HEADER', count: columns, lines: [line] }];
}
