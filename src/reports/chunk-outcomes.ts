import { assertNever } from '../lib/core/assert-never.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { EnrichedData, LedgerEntry } from '../lib/core/ledger.js';
import { type OnePer, traitsOf } from '../lib/core/other-columns.js';
import { createPaidRows, type Elsewhere, type KeyedRow, type PaidRows, wasSent } from '../lib/csv/paid-rows.js';
import { readOtherUses } from '../lib/csv/queued-as.js';
import { type FileRow, readRows } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import type { Engine, JobStatus } from '../lib/engine/engine.js';
import { mapAhead } from '../lib/map-ahead.js';
import { type RowOutcome, type RowRecords, recordedOutcome, rowOutcome } from './row-outcome.js';

export interface OutcomeOptions {
  /** What Zoho found is wanted too. */
  readonly withData: boolean;
  /** Rows that are asked about; all when absent. */
  readonly only?: ((row: FileRow) => boolean) | undefined;
}

const ABSENT: JobStatus = { state: 'absent' };
const NO_DATA: ReadonlyMap<IdentityKey, EnrichedData> = new Map();

/** A batch of a file's rows and their outcomes, in their order. Rows with the same key share one fate. */
export interface ReportedRows {
  readonly rows: readonly FileRow[];
  readonly outcomes: readonly RowOutcome[];
}

/**
 * Batches with the outcomes of their rows, in two or three round trips each. The next batch is asked for while the engine's
 * last answer is made use of.
 */
export async function* withOutcomes(
  input: Input,
  options: OutcomeOptions = { withData: false },
): AsyncGenerator<ReportedRows> {
  const paidRows = createPaidRows(input);
  const { onePer } = await readOtherUses(input.source, input, input.engine.store);
  const firstOf = onePer === undefined ? null : firstOfCompanies(onePer);
  const { only = () => true } = options;
  yield* mapAhead(readRows(input.source, input), 1, async (all) => {
    const rows = all.filter(only);
    const first = firstOf === null ? null : new Map(all.map((row) => [row, firstOf(row)]));
    const found = await lookUp(rows, input.engine, paidRows, options);
    return first === null
      ? found
      : withResultsOfFirst(found, first, (others) => lookUp(others, input.engine, paidRows, options));
  });
}

/** The first row of the file with a row's company, for files of which one row each was sent. It is kept for each company. */
function firstOfCompanies(onePer: OnePer): (row: FileRow) => FileRow {
  const first = new Map<string, FileRow>();
  return (row) => {
    const company = row.parsed.ok ? traitsOf(row.parsed.row)[onePer] : '';
    if (company === '') return row;
    const known = first.get(company);
    if (known === undefined) first.set(company, row);
    return known ?? row;
  };
}

/** Rows that were left out for an earlier one of their company get its outcome. */
async function withResultsOfFirst(
  { rows, outcomes }: ReportedRows,
  first: ReadonlyMap<FileRow, FileRow>,
  lookUpOthers: (rows: readonly FileRow[]) => Promise<ReportedRows>,
): Promise<ReportedRows> {
  const firstOf = (row: FileRow) => first.get(row) ?? row;
  const leftOut = new Set(rows.filter((row, at) => outcomes[at]?.status === 'not_enqueued' && firstOf(row) !== row));
  const others = await lookUpOthers([...new Set([...leftOut].map(firstOf))]);
  const outcomeOf = new Map(others.rows.map((row, at) => [row, others.outcomes[at]]));
  return {
    rows,
    outcomes: outcomes.map((own, at) => {
      const row = rows[at];
      const earlier = row && leftOut.has(row) ? firstOf(row) : undefined;
      const outcome = earlier && outcomeOf.get(earlier);
      if (earlier === undefined || outcome === undefined) return own;
      const sentAs = outcome.sentAs ?? earlier.key;
      const notes = [`result of line ${earlier.lineNumber}`, ...outcome.notes];
      return { ...outcome, ...(sentAs !== undefined && { sentAs }), notes };
    }),
  };
}

async function lookUp(
  rows: readonly FileRow[],
  engine: Engine,
  paidRows: PaidRows,
  options: OutcomeOptions,
): Promise<ReportedRows> {
  const keyed = new Map(rows.filter(isKeyed).map((row) => [row.key, row]));
  const records = await recordsOf([...keyed.keys()], engine, options);
  const unknown = [...keyed.values()].filter(({ key }) => isUnknown(records.get(key)));
  const elsewhere = await paidRows.find(unknown);
  const others = await recordsOf([...new Set([...elsewhere.values()].flatMap(keysOf))], engine, options);
  return {
    rows,
    outcomes: rows.map(({ key, parsed }) => {
      const other = key && elsewhere.get(key);
      if (key === undefined || other === undefined) {
        return rowOutcome((key && records.get(key)) ?? { fate: ABSENT }, parsed);
      }
      const [sentAs] = keysOf(other);
      const outcome = rowOutcome((sentAs && others.get(sentAs)) ?? { fate: ABSENT }, parsed);
      return { ...outcome, ...(sentAs !== undefined && { sentAs }), notes: [noteOf(other), ...outcome.notes] };
    }),
  };
}

function isKeyed(row: FileRow): row is KeyedRow {
  return row.key !== undefined;
}

/** Neither queued nor sent under its own key. A job that is done without being sent has found its row under another. */
function isUnknown(records: RowRecords | undefined): boolean {
  if (records === undefined) return true;
  const { state } = records.fate;
  return (state === 'absent' || state === 'completed') && !wasSent(records.entry);
}

function keysOf(elsewhere: Elsewhere): readonly IdentityKey[] {
  switch (elsewhere.kind) {
    case 'sent':
      return [elsewhere.key];
    case 'queued':
      return elsewhere.keys;
    case 'several':
      return [];
    default:
      return assertNever(elsewhere);
  }
}

function noteOf(elsewhere: Elsewhere): string {
  switch (elsewhere.kind) {
    case 'sent':
      return elsewhere.gotRecordId
        ? 'sent under other columns, without a record id; --again sends it with its record id'
        : 'sent under other columns';
    case 'queued':
      return 'queued under other columns';
    case 'several':
      return 'a row with nothing but this name was sent, and several companies have it';
    default:
      return assertNever(elsewhere);
  }
}

/** Outcomes of these ledger entries, with data. */
export async function entryOutcomes(
  entries: ReadonlyMap<IdentityKey, LedgerEntry>,
  engine: Engine,
): Promise<ReadonlyMap<IdentityKey, RowOutcome>> {
  const keys = [...entries.keys()];
  const [fates, results] = await Promise.all([engine.jobStatuses(keys), engine.store.results(keys)]);
  return new Map(
    [...entries].map(([key, entry]) => [
      key,
      recordedOutcome({ entry, fate: fates.get(key) ?? ABSENT, data: results.get(key) ?? null }),
    ]),
  );
}

/** What ledger, queue and results say of these keys. */
async function recordsOf(
  keys: readonly IdentityKey[],
  { store, jobStatuses }: Pick<Engine, 'store' | 'jobStatuses'>,
  { withData }: OutcomeOptions,
): Promise<ReadonlyMap<IdentityKey, RowRecords>> {
  const [entries, fates, results] = await Promise.all([
    store.entries(keys),
    jobStatuses(keys),
    withData ? store.results(keys) : NO_DATA,
  ]);
  return new Map(
    keys.map((key) => {
      const data = withData ? (results.get(key) ?? null) : undefined;
      return [key, { entry: entries.get(key), fate: fates.get(key) ?? ABSENT, data }];
    }),
  );
}
