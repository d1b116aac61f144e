import type { IdentityKey } from '../lib/core/ids.js';
import type { ParsedRow } from '../lib/core/row.js';
import type { Engine } from '../lib/engine/engine.js';
import { type RowOutcome, rowOutcome } from './row-outcome.js';

/** What of a file's row decides its outcome; a rejected record has no key. */
interface KeyedRow {
  readonly parsed: ParsedRow;
  readonly key?: IdentityKey;
}

/** Outcomes of these rows, in their order, in two round trips. Rows with the same key share one fate. */
export async function chunkOutcomes(rows: readonly KeyedRow[], engine: Engine): Promise<readonly RowOutcome[]> {
  const keys = [...new Set(rows.flatMap(({ key }) => (key === undefined ? [] : [key])))];
  const [entries, fates] = await Promise.all([engine.store.entries(keys), engine.jobFates(keys)]);
  return rows.map(({ key, parsed }) => {
    if (key === undefined) return rowOutcome(undefined, { state: 'absent' }, parsed);
    return rowOutcome(entries.get(key), fates.get(key) ?? { state: 'absent' }, parsed);
  });
}
