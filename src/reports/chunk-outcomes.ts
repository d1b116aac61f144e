import type { IdentityKey } from '../lib/core/ids.js';
import type { EnrichedData, LedgerEntry } from '../lib/core/ledger.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Engine, JobFate } from '../lib/engine/engine.js';
import { type RowOutcome, type RowRecords, recordedOutcome, rowOutcome } from './row-outcome.js';

export interface OutcomeOptions {
  /** What Zoho found is wanted too. */
  readonly withData: boolean;
}

const ABSENT: JobFate = { state: 'absent' };
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
  batches: AsyncIterable<readonly FileRow[]>,
  engine: Engine,
  options: OutcomeOptions = { withData: false },
): AsyncGenerator<ReportedRows> {
  let ahead: Promise<ReportedRows> | undefined;
  for await (const rows of batches) {
    const next = lookUp(rows, engine, options);
    // It is awaited later, or never when the reading ends early: until then Node must not take a failure for unhandled.
    next.catch(() => undefined);
    if (ahead !== undefined) yield await ahead;
    ahead = next;
  }
  if (ahead !== undefined) yield await ahead;
}

async function lookUp(rows: readonly FileRow[], engine: Engine, options: OutcomeOptions): Promise<ReportedRows> {
  const keys = new Set(rows.flatMap(({ key }) => (key === undefined ? [] : [key])));
  const records = await recordsOf([...keys], engine, options);
  return {
    rows,
    outcomes: rows.map(({ key, parsed }) => rowOutcome((key && records.get(key)) ?? { fate: ABSENT }, parsed)),
  };
}

/** Outcomes of these ledger entries, with data. */
export async function entryOutcomes(
  entries: ReadonlyMap<IdentityKey, LedgerEntry>,
  engine: Engine,
): Promise<ReadonlyMap<IdentityKey, RowOutcome>> {
  const keys = [...entries.keys()];
  const [fates, results] = await Promise.all([engine.jobFates(keys), engine.store.results(keys)]);
  return new Map(
    [...entries].map(([key, entry]) => [
      key,
      recordedOutcome({ entry, fate: fates.get(key) ?? ABSENT, data: results.get(key) }),
    ]),
  );
}

/** What ledger, queue and results say of these keys. */
async function recordsOf(
  keys: readonly IdentityKey[],
  { store, jobFates }: Pick<Engine, 'store' | 'jobFates'>,
  { withData }: OutcomeOptions,
): Promise<ReadonlyMap<IdentityKey, RowRecords>> {
  const [entries, fates, results] = await Promise.all([
    store.entries(keys),
    jobFates(keys),
    withData ? store.results(keys) : NO_DATA,
  ]);
  return new Map(
    keys.map((key) => [key, { entry: entries.get(key), fate: fates.get(key) ?? ABSENT, data: results.get(key) }]),
  );
}
