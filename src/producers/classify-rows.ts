import type { IdentityKey } from '../lib/core/ids.js';
import type { InputCheck } from '../lib/core/input-check.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import { type OnePer, traitsOf } from '../lib/core/other-columns.js';
import { checkInput, type InputChecker } from '../lib/csv/check-input.js';
import type { CsvSource } from '../lib/csv/csv-source.js';
import { createFirstLines } from '../lib/csv/first-lines.js';
import { createPaidRows, type Elsewhere, type KeyedRow, type PaidRowsOptions, wasSent } from '../lib/csv/paid-rows.js';
import { readOtherUses } from '../lib/csv/queued-as.js';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import type { Engine } from '../lib/engine/engine.js';
import { mapAhead } from '../lib/map-ahead.js';

export interface ClassifyOptions extends PaidRowsOptions, Pick<Input, 'choice'> {
  readonly engine: PaidRowsOptions['engine'] & Pick<Engine, 'jobStatuses'>;
  /** Rows that were sent under other columns are new. Default false. */
  readonly again?: boolean | undefined;
  /** Rows whose result is older than this are new. Default: none is. */
  readonly refreshAfterMs?: number | undefined;
  /** Of the rows that share this, the first is taken and the others are duplicates. */
  readonly onePer?: OnePer | undefined;
  /** Take the first so many new rows, at least 1; reading ends there. All rows when absent. */
  readonly limit?: number | undefined;
  /** Ends the reading between two chunks. */
  readonly signal?: AbortSignal | undefined;
}

/** `known`: queued or in the ledger already. `duplicate`: repeats an earlier row of the file. */
export type RowKind = 'new' | 'duplicate' | 'known' | 'rejected';

export interface ClassifiedRow {
  readonly row: FileRow;
  readonly kind: RowKind;
  /** What the store has of it under other columns; for a new row what stands in its way or gives way to it. */
  readonly elsewhere?: Elsewhere | undefined;
  /** Of a new row whose result, from before this time, is too old: it is sent again under the same key. */
  readonly refreshBeforeMs?: number | undefined;
  /** A known row that was claimed, whose fate is open, and whose job the store has lost: it needs one to go on. */
  readonly lacksJob?: boolean;
}

/** `rows = enqueued + duplicates + known + rejected`. */
export interface RowCounts {
  /** Rows read: all of the file, or with a limit those up to the row that reached it. */
  readonly rows: number;
  /** New rows. */
  readonly enqueued: number;
  /** New rows that wait under other columns, or for another module: they take the place of those jobs. */
  readonly replaced: number;
  /** Rows that repeat an earlier row of the file. */
  readonly duplicates: number;
  /** Rows that are queued or in the ledger already. */
  readonly known: number;
  /** Known rows that were sent under other columns. */
  readonly knownUnderOtherColumns: number;
  readonly rejected: number;
  /** Unusable fields of accepted rows; these rows go on without them. */
  readonly fieldsLeftOut: number;
}

/** The counts of a whole run, and the check of the file, as far as it was read. */
export interface ClassifyReport extends RowCounts {
  readonly input: InputCheck;
}

export const NO_ROWS: RowCounts = {
  rows: 0,
  enqueued: 0,
  replaced: 0,
  duplicates: 0,
  known: 0,
  knownUnderOtherColumns: 0,
  rejected: 0,
  fieldsLeftOut: 0,
};

/** A chunk of the file's rows in file order; `soFar` counts them in. */
export interface ClassifiedRows {
  readonly rows: readonly ClassifiedRow[];
  readonly soFar: RowCounts;
}

/** Chunks whose rows are being looked up while an earlier one is taken: bounds memory and keeps both sides busy. */
const CHUNKS_AHEAD = 2;

/** Begins the check of a file. */
export function checkOf({ source, columns, choice }: ClassifyOptions): InputChecker {
  return checkInput(source, choice ?? { columns, origins: {}, findings: [] });
}

/**
 * Reads a file, says of each row whether it is new and takes it into the check. Enqueue and plan both read through it, so that they agree. Rejects
 * with the signal's reason when aborted, and with the first error otherwise.
 */
export async function* classifyRows(options: ClassifyOptions, check: InputChecker): AsyncGenerator<ClassifiedRows> {
  const { source, columns, module, engine, again = false, limit = Number.POSITIVE_INFINITY, signal } = options;
  const paidRows = createPaidRows(options);
  const isRepeated = repeats(source, options.onePer);
  const refreshBeforeMs = await refreshTime(options);

  async function classify(rows: readonly FileRow[]): Promise<readonly ClassifiedRow[]> {
    const repeated = new Set(rows.filter(isRepeated));
    const first = rows.filter((row): row is KeyedRow => row.key !== undefined && !repeated.has(row));
    const { known, old, jobless } = await knownKeys(
      first.map(({ key }) => key),
      engine,
      refreshBeforeMs,
    );
    const elsewhere = await paidRows.find(first.filter(({ key }) => !known.has(key) && !old.has(key)));
    return rows.map((row) => {
      if (row.key === undefined) return { row, kind: 'rejected' };
      if (repeated.has(row)) return { row, kind: 'duplicate' };
      if (known.has(row.key)) return { row, kind: 'known', lacksJob: jobless.has(row.key) };
      if (old.has(row.key)) return { row, kind: 'new', refreshBeforeMs };
      const other = elsewhere.get(row.key);
      const isKnown = other?.kind === 'sent' && !again && !isOld(other.entry, refreshBeforeMs);
      return { row, kind: isKnown ? 'known' : 'new', elsewhere: other };
    });
  }

  let soFar = NO_ROWS;
  for await (const classified of mapAhead(readRows(source, { columns, module }), CHUNKS_AHEAD, classify)) {
    signal?.throwIfAborted();
    const rows = upToLimit(classified, limit - soFar.enqueued);
    soFar = counted(soFar, rows);
    for (const row of rows) takeIn(row, check);
    yield { rows, soFar };
    if (soFar.enqueued >= limit) return;
  }
}

/** Whether a row repeats an earlier one; ask once for each, in the order of the file. 16 bytes a row, twice with `onePer`. */
function repeats(source: CsvSource, onePer: OnePer | undefined): (row: FileRow) => boolean {
  const rows = createFirstLines(source.rowCount);
  const companies = onePer === undefined ? null : createFirstLines(source.rowCount);
  return ({ key, lineNumber, parsed }) => {
    if (key === undefined || !parsed.ok) return false;
    if (rows.seenOn(key, lineNumber) !== null) return true;
    if (companies === null || onePer === undefined) return false;
    const company = traitsOf(parsed.row)[onePer];
    return company !== '' && companies.seenOn(company, lineNumber) !== null;
  };
}

function takeIn({ row, kind, elsewhere }: ClassifiedRow, check: InputChecker): void {
  check.add(row, kind === 'duplicate');
  if (elsewhere?.kind === 'several') check.note('SENT_BY_NAME', row.lineNumber);
  if (kind !== 'known' || elsewhere?.kind !== 'sent') return;
  if (elsewhere.gotRecordId) check.note('SENT_WITHOUT_RECORD_ID', row.lineNumber);
}

/** The rows up to the one with which the limit of new rows is full. */
function upToLimit(rows: readonly ClassifiedRow[], limit: number): readonly ClassifiedRow[] {
  let left = limit;
  const last = rows.findIndex(({ kind }) => kind === 'new' && --left === 0);
  return last === -1 ? rows : rows.slice(0, last + 1);
}

function counted(before: RowCounts, rows: readonly ClassifiedRow[]): RowCounts {
  const after = { ...before, rows: before.rows + rows.length };
  for (const { row, kind, elsewhere } of rows) {
    after[COUNTED_AS[kind]] += 1;
    if (kind === 'known' && elsewhere !== undefined) after.knownUnderOtherColumns += 1;
    if (kind === 'new' && elsewhere?.kind === 'queued') after.replaced += 1;
    if (row.parsed.ok) after.fieldsLeftOut += row.parsed.notes.length;
  }
  return after;
}

const COUNTED_AS = { new: 'enqueued', duplicate: 'duplicates', known: 'known', rejected: 'rejected' } as const;

/** On the store's clock; undefined when no row is refreshed. */
async function refreshTime({ source, columns, module, engine, refreshAfterMs }: ClassifyOptions) {
  if (refreshAfterMs === undefined) return undefined;
  return (await readOtherUses(source, { columns, module }, engine.store)).nowMs - refreshAfterMs;
}

interface Known {
  /** Keys that have a job or a place in the ledger. A `cleared` entry without a job is as good as never sent. */
  readonly known: ReadonlySet<IdentityKey>;
  /** Keys whose result is too old and that do not wait to be sent again already. */
  readonly old: ReadonlySet<IdentityKey>;
  /** Keys that are claimed or uncertain and whose job is gone: the store lost it. */
  readonly jobless: ReadonlySet<IdentityKey>;
}

async function knownKeys(
  keys: readonly IdentityKey[],
  engine: ClassifyOptions['engine'],
  refreshBeforeMs: number | undefined,
): Promise<Known> {
  const [entries, withJob] = await Promise.all([engine.store.entries(keys), engine.existingJobs(keys)]);
  const aged = keys.filter((key) => isOld(entries.get(key), refreshBeforeMs));
  const fates = aged.length === 0 ? null : await engine.jobStatuses(aged);
  const old = new Set(aged.filter((key) => FINISHED.has(fates?.get(key)?.state ?? 'absent')));
  const known = keys.filter((key) => !old.has(key) && (wasSent(entries.get(key)) || withJob.has(key)));
  const jobless = known.filter((key) => !withJob.has(key) && OPEN.has(entries.get(key)?.state ?? ''));
  return { known: new Set(known), old, jobless: new Set(jobless) };
}

const OPEN: ReadonlySet<string> = new Set(['sending', 'uncertain']);
const FINISHED: ReadonlySet<string> = new Set(['absent', 'completed', 'failed']);

function isOld(entry: LedgerEntry | undefined, beforeMs: number | undefined): boolean {
  if (beforeMs === undefined || entry === undefined) return false;
  const { finalStatus, finishedAtMs = beforeMs } = entry;
  return (finalStatus === 'COMPLETED' || finalStatus === 'DATA_NOT_FOUND') && finishedAtMs < beforeMs;
}
