import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import { traitsOf } from '../core/other-columns.js';
import { sentText } from './entry-line.js';
import type { Erasure, Forgetting } from './erasure.js';
import { lookUp } from './look-up.js';
import type { Operations } from './operations.js';
import { entriesOf, orphanOf } from './replies.js';

/** Rows forgotten in one round trip. */
const CHUNK = 250;

export function createErasure(operations: Operations, queue: string): Erasure {
  const run = operations.run.bind(operations);
  return {
    finishedBetween: async (index, { fromMs, beforeMs, limit }) =>
      entriesOf(await run('finished-between', [index, String(fromMs), String(beforeMs), String(limit)])),
    removeValues: async (entries) => {
      const args = [...entries].flatMap(([key, { enrichmentId = '', sent, traits }]) => [
        key,
        enrichmentId,
        sentText({ module: sent.module }, { traits: traits ?? traitsOf(sent) }),
      ]);
      const reply = await run('remove-values', [queue, ...args]);
      return reply.filter((done) => done === '1').length;
    },
    orphansLike: async (digests) => {
      const found = new Map<string, readonly EnrichmentId[]>();
      for await (const [wanted, ids] of lookUp(operations, 'orphans-like', digests)) {
        found.set(wanted, ids.split(' ') as EnrichmentId[]); // what the index was given
      }
      return found;
    },
    scanOrphans: async (cursor, count) => {
      const [next = '', ...page] = await run('scan-orphans', [cursor ?? '', String(count)]);
      const orphans = page.flatMap((id, at) =>
        at % 2 === 0 ? [orphanOf(id as EnrichmentId, page[at + 1] ?? '')] : [],
      );
      return { cursor: next === '' ? null : next, orphans };
    },

    forget: async (rows, { finishedBeforeMs, dryRun = false }) => {
      const before = finishedBeforeMs === undefined ? '' : String(Math.floor(finishedBeforeMs));
      const fates = new Map<IdentityKey, Forgetting>();
      const all = [...rows];
      for (let at = 0; at < all.length; at += CHUNK) {
        const chunk = all.slice(at, at + CHUNK);
        const args = chunk.flatMap(([key, aliases]) => [key, aliases.join(' ')]);
        const reply = await run('forget', [queue, before, dryRun ? '0' : '1', ...args]);
        // One answer a row, by the script.
        for (const [index, [key]] of chunk.entries()) fates.set(key, reply[index] as Forgetting);
      }
      return fates;
    },
    forgetOrphans: async (ids, { dryRun = false }) => {
      const fates = new Map<EnrichmentId, Forgetting>();
      for (let at = 0; at < ids.length; at += CHUNK) {
        const chunk = ids.slice(at, at + CHUNK);
        const reply = await run('forget-orphans', [dryRun ? '0' : '1', ...chunk]);
        for (const [index, id] of chunk.entries()) fates.set(id, reply[index] as Forgetting); // one answer an id
      }
      return fates;
    },
  };
}
