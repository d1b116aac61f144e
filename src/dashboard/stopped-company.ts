import type { StopReason } from '../lib/core/control.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichQueue } from '../lib/queues.js';
import { rowRecords } from '../reports/row-record.js';
import { companyOf } from './row-words.js';

/** Tells the company of the row that a stop names; null without one. Each row is asked for once. */
export function createStoppedCompany(
  engine: Engine,
  queue: EnrichQueue,
): (stop: StopReason | null) => Promise<string | null> {
  let known: { readonly key: string; readonly company: string | null } = { key: '', company: null };
  return async (stop) => {
    const key = stop?.key ?? null;
    if (key === null) return null;
    if (known.key !== key) {
      const [record] = await rowRecords(engine, queue, [key as IdentityKey]); // the worker's own
      known = { key, company: record?.sent ? companyOf(record.sent) : null };
    }
    return known.company;
  };
}
