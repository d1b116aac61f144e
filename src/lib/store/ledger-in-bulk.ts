import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { LedgerEntry } from '../core/ledger.js';
import { aliasesOf, traitsOfEntry } from '../core/other-columns.js';
import type { Orphan } from '../core/reconcile.js';
import { entryFields } from './entry-line.js';
import { lookUp } from './look-up.js';
import type { Operations } from './operations.js';
import { entriesOf, orphanArgs, orphanOf } from './replies.js';
import type { ImportVerdict, Store } from './store.js';

/** Entries imported in one round trip at most; each is fourteen arguments. */
const IMPORT_CHUNK = 250;
/** Orphans added in one round trip; each is four arguments. */
const ORPHAN_CHUNK = 500;

/** What is imported in one round trip: no enrichment id comes twice in it, so that of two entries the second finds the first. */
function* importChunks(
  entries: ReadonlyMap<IdentityKey, LedgerEntry>,
): Generator<readonly [IdentityKey, LedgerEntry][]> {
  let chunk: [IdentityKey, LedgerEntry][] = [];
  let ids = new Set<EnrichmentId>();
  for (const item of entries) {
    const { enrichmentId: id } = item[1];
    if (chunk.length === IMPORT_CHUNK || (id !== undefined && ids.has(id))) {
      yield chunk;
      chunk = [];
      ids = new Set();
    }
    chunk.push(item);
    if (id !== undefined) ids.add(id);
  }
  if (chunk.length > 0) yield chunk;
}

/** The whole ledger, and what was paid for that no entry has. */
export function ledgerInBulk(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    scanLedger: async (cursor, count) => {
      const [next = '', ...page] = await run('scan', [cursor ?? '', String(count)]);
      return { cursor: next === '' ? null : next, entries: entriesOf(page) };
    },
    importEntries: async (entries, results) => {
      const verdicts = new Map<IdentityKey, ImportVerdict>();
      for (const chunk of importChunks(entries)) {
        const args = chunk.flatMap(([key, entry]) => {
          const data = results.get(key);
          return [
            key,
            ...entryFields(entry),
            data === undefined ? '' : JSON.stringify(data),
            aliasesOf(traitsOfEntry(entry)).join(' '),
          ];
        });
        const reply = await run('import', args);
        // One verdict an entry, by the script.
        for (const [index, [key]] of chunk.entries()) verdicts.set(key, reply[index] as ImportVerdict);
      }
      return verdicts;
    },

    addOrphans: async (orphans, held) => {
      let added = 0;
      for (let at = 0; at < orphans.length; at += ORPHAN_CHUNK) {
        const args = orphans.slice(at, at + ORPHAN_CHUNK).flatMap(orphanArgs);
        added += Number((await run('add-orphans', [held ? '1' : '0', ...args]))[0]);
      }
      return added;
    },
    orphans: async (ids) => {
      const orphans = new Map<EnrichmentId, Orphan>();
      for await (const [id, fields] of lookUp(operations, 'orphans', ids)) orphans.set(id, orphanOf(id, fields));
      return orphans;
    },
  } satisfies Partial<Store>;
}
