import type { IdentityKey } from '../lib/core/ids.js';
import type { EnrichedData, LedgerEntry } from '../lib/core/ledger.js';
import type { ParsedRow } from '../lib/core/row.js';
import type { Engine, JobFate } from '../lib/engine/engine.js';
import { type RowOutcome, type RowRecords, recordedOutcome, rowOutcome } from './row-outcome.js';

/** What of a file's row decides its outcome; a rejected record has no key. */
interface KeyedRow {
  readonly parsed: ParsedRow;
  readonly key?: IdentityKey;
}

export interface OutcomeOptions {
  /** What Zoho found is wanted too. */
  readonly withData: boolean;
}

const ABSENT: JobFate = { state: 'absent' };
const NO_DATA: ReadonlyMap<IdentityKey, EnrichedData> = new Map();

/** Outcomes of these rows, in their order, in two or three round trips. Rows with the same key share one fate. */
export async function chunkOutcomes(
  rows: readonly KeyedRow[],
  engine: Engine,
  options: OutcomeOptions = { withData: false },
): Promise<readonly RowOutcome[]> {
  const records = await recordsOf(
    [...new Set(rows.flatMap(({ key }) => (key === undefined ? [] : [key])))],
    engine,
    options,
  );
  return rows.map(({ key, parsed }) => rowOutcome((key && records.get(key)) ?? { fate: ABSENT }, parsed));
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
