import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { FinalStatus } from '../../src/lib/core/ledger.js';
import type { Store } from '../../src/lib/store/store.js';
import { ENGINE_KINDS, openTestEngine } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';

describe.each(ENGINE_KINDS)('lists of the ledger on the %s engine', (kind) => {
  let t: TestScope;
  let store: Store;
  beforeEach(async () => {
    t = setup();
    ({
      engine: { store },
    } = t.closing(await openTestEngine(kind), (opened) => opened.close()));
  });
  afterEach(() => t.close());

  const limits = { callsPerSecond: 0, maxInFlight: 99, permitTtlMs: 60_000 };
  const key = (at: number) => `r1${String(at).padStart(22, '0')}` as IdentityKey;

  async function claim(at: number, name: string, website?: string): Promise<void> {
    const sent = { module: 'Accounts', name, ...(website !== undefined && { website }) };
    await store.admit({ key: key(at), callId: `call-${at}`, sent, limits, claimLostAfterMs: 60_000 });
  }

  async function send(at: number, name: string, end: FinalStatus | null, website?: string): Promise<void> {
    await claim(at, name, website);
    await store.settle(key(at), `call-${at}`, String(9_000 + at) as EnrichmentId);
    if (end !== null) await store.finish(key(at), end, end === 'COMPLETED' ? { name } : null);
  }

  test('are paged, the latest first, by state and by how a row ended', async () => {
    for (let at = 1; at <= 5; at += 1) await send(at, `Found ${at}`, 'COMPLETED');
    await send(6, 'Nothing', 'DATA_NOT_FOUND');
    await send(7, 'Broken', 'FAILED');
    await send(8, 'Under way', null);
    await claim(9, 'Claimed');
    await claim(10, 'Doubtful');
    await store.markUncertain(key(10), 'call-10', 'ECONNRESET');
    const keysOf = async (index: Parameters<Store['list']>[0], offset = 0, limit = 10) => {
      const { total, entries } = await store.list(index, { offset, limit });
      return [total, [...entries.keys()]] as const;
    };
    const finished = [5, 4, 3, 2, 1].map(key);
    const [total, all] = await keysOf('enriched');
    expect([total, [...all].sort()]).toEqual([5, [...finished].sort()]);
    const pages = await Promise.all([0, 2, 4].map((offset) => keysOf('enriched', offset, 2)));
    expect(pages.flatMap(([, keys]) => keys)).toEqual(all);
    expect(await keysOf('notfound')).toEqual([1, [key(6)]]);
    expect(await keysOf('failed')).toEqual([1, [key(7)]]);
    expect(await keysOf('pending')).toEqual([1, [key(8)]]);
    expect(await keysOf('sending')).toEqual([1, [key(9)]]);
    expect(await keysOf('uncertain')).toEqual([1, [key(10)]]);
    expect(await keysOf('held')).toEqual([0, []]);
    await store.hold(key(10), 'call-10', 'NOT_FOUND');
    expect(await keysOf('held')).toEqual([1, [key(10)]]);
    expect(await keysOf('uncertain')).toEqual([0, []]);
  });

  test('can be searched by what was sent and by the enrichment id, and by nothing else', async () => {
    await send(1, 'Acme Ltd', 'COMPLETED', 'www.acme.example');
    await send(2, 'Northwind "Traders"', null, 'northwind.example');
    await send(3, 'Ünal Makina', 'FAILED');
    const found = async (text: string, count = 100) => {
      const keys: IdentityKey[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<Store['search']>> = await store.search(text, cursor, count);
        keys.push(...page.entries.keys());
        cursor = page.cursor;
      } while (cursor !== null);
      return keys.sort();
    };
    expect(await found('ACME')).toEqual([key(1)]);
    expect(await found('.example')).toEqual([key(1), key(2)]);
    expect(await found('.example', 1)).toEqual([key(1), key(2)]);
    expect(await found('"traders"')).toEqual([]);
    expect(await found('traders')).toEqual([key(2)]);
    expect(await found('nal mak')).toEqual([key(3)]);
    expect(await found('9002')).toEqual([key(2)]);
    expect(await found('accounts')).toEqual([]);
    expect(await found('%')).toEqual([]);
  });

  test('know an imported row by how it ended', async () => {
    await send(1, 'Acme Ltd', 'COMPLETED');
    const { entries } = await store.scanLedger(null, 100);
    const other = t.closing(await openTestEngine(kind), (opened) => opened.close()).engine.store;
    await other.importEntries(entries, new Map());
    expect((await other.list('enriched', { offset: 0, limit: 5 })).total).toBe(1);
  });
});
