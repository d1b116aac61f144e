import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { EnrichedData, LedgerEntry } from '../core/ledger.js';
import { parseEntryLine } from './entry-line.js';
import { lookUp } from './look-up.js';
import type { Operations } from './operations.js';
import { entriesOf } from './replies.js';
import type { Store } from './store.js';

/** What the ledger knows. */
export function ledgerReads(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    uncertain: async ({ held, limit }) => entriesOf(await run('uncertain', [held ? '1' : '0', String(limit)])),
    sending: async (limit) => entriesOf(await run('sending', [String(limit)])),
    owners: async (ids) => {
      const owners = new Map<EnrichmentId, IdentityKey>();
      for await (const [id, key] of lookUp(operations, 'owners', ids)) owners.set(id, key as IdentityKey);
      return owners;
    },
    aliasOwners: async (aliases) => {
      const owners = new Map<string, readonly IdentityKey[]>();
      for await (const [alias, keys] of lookUp(operations, 'alias-owners', aliases)) {
        owners.set(alias, keys.split(' ') as IdentityKey[]); // what the index was given
      }
      return owners;
    },
    entries: (keys) => entriesAt(operations, keys),
    counts: async () => {
      const reply = (await run('counts', [])).map(Number);
      const [scheduled = 0, sending = 0, uncertain = 0, held = 0, pending = 0, failed = 0, orphans = 0] = reply;
      return { scheduled, sending, uncertain, held, pending, failed, orphans };
    },
    spending: async (atLeast) => {
      const [spent = 0, open = 0, held = 0, nowMs = 0] = (
        await run('spending', [atLeast === undefined ? '' : String(atLeast)])
      ).map(Number);
      return { spent, open, held, nowMs };
    },
  } satisfies Partial<Store>;
}

/** Rows by what came of them, and their results. */
export function resultReads(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    pending: async ({ sinceMs = 0, limit }) => entriesOf(await run('pending', [String(sinceMs), String(limit)])),
    list: async (index, { offset, limit }) => {
      const [total = '0', ...page] = await run('list', [index, String(offset), String(limit)]);
      return { total: Number(total), entries: entriesOf(page) };
    },
    search: async (text, cursor, count) => {
      // Lua and the embedded engine know of the case of ASCII letters only.
      const wanted = text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
      const [next = '', ...page] = await run('search', [wanted, cursor ?? '0', String(count)]);
      return { cursor: next === '' ? null : next, entries: entriesOf(page) };
    },
    failed: async (limit) => entriesOf(await run('failed', [String(limit)])),
    results: async (keys) => {
      const results = new Map<IdentityKey, EnrichedData>();
      for await (const [key, json] of lookUp(operations, 'results', keys)) {
        const data = resultOf(json);
        if (data !== null) results.set(key, data);
      }
      return results;
    },
  } satisfies Partial<Store>;
}

export async function entriesAt(
  operations: Operations,
  keys: readonly IdentityKey[],
): Promise<ReadonlyMap<IdentityKey, LedgerEntry>> {
  const entries = new Map<IdentityKey, LedgerEntry>();
  for await (const [key, line] of lookUp(operations, 'entries', keys)) entries.set(key, parseEntryLine(line));
  return entries;
}

/** Only `finish` writes these. One that was damaged is as none: it must not keep the others from being read. */
function resultOf(json: string): EnrichedData | null {
  try {
    return JSON.parse(json) as EnrichedData;
  } catch {
    return null;
  }
}
