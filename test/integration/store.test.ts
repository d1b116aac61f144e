import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { reserveAfter } from '../../src/lib/core/budget.js';
import { type Control, INITIAL_CONTROL } from '../../src/lib/core/control.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { LedgerEntry } from '../../src/lib/core/ledger.js';
import { aliasesOf, traitsOf } from '../../src/lib/core/other-columns.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { setBudget } from '../../src/lib/store/set-budget.js';
import type { AdmitRequest, LedgerPage, Limits, Store } from '../../src/lib/store/store.js';
import { ENGINE_KINDS, openTestEngine, quietLog } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const FREE: Limits = { callsPerSecond: 0, maxInFlight: 1_000, permitTtlMs: 8_000 };

const key = (name: string) => `r1${name}` as IdentityKey;
const id = (digits: string) => digits as EnrichmentId;
const ask = (name: string, callId: string, more: Partial<AdmitRequest> = {}): AdmitRequest => ({
  key: key(name),
  callId,
  sent: { module: 'Accounts', name },
  limits: FREE,
  claimLostAfterMs: 60_000,
  ...more,
});

const control = (change: Partial<Control>) => () => ({ ...INITIAL_CONTROL, ...change });

describe.each(ENGINE_KINDS)('the store on %s', (kind) => {
  let t: TestScope;
  let engine: Engine;
  let store: Store;
  let other: Store;

  beforeEach(async () => {
    t = setup();
    const opened = t.closing(await openTestEngine(kind), (e) => e.close());
    engine = opened.engine;
    store = engine.store;
    other = t.closing(await openEngine(opened.settings, quietLog), (e) => e.close()).store;
  });
  afterEach(() => t.close());

  test('a permit that ends later than any can is from before a clock was set back, and free', async () => {
    const limits = { ...FREE, maxInFlight: 1 };
    const late = { ...limits, permitTtlMs: 3_600_000 };
    expect(await store.admitCall({ callId: 'late', limits: late })).toEqual({ kind: 'go' });
    expect(await store.admitCall({ callId: 'a', limits })).toEqual({ kind: 'go' });
    expect(await store.admitCall({ callId: 'b', limits })).toEqual({ kind: 'no-permit' });
  });

  test('lets exactly one of many concurrent callers send a row, and tells the others it is pending', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 ? store : other).admit(ask('a', `call-${n}`))),
    );
    expect(answers.filter((answer) => answer.kind === 'go')).toHaveLength(1);
    expect(answers.filter((answer) => answer.kind === 'claimed')).toHaveLength(39);
    const pending = answers.find((answer) => answer.kind === 'claimed');
    expect(pending).toMatchObject({ waitMs: expect.any(Number) });
    expect(await store.counts()).toEqual({
      scheduled: 0,
      sending: 1,
      uncertain: 0,
      held: 0,
      pending: 0,
      failed: 0,
      orphans: 0,
    });
  });

  test('tells workers, calls in flight and rows with data, those that lapsed left out', async () => {
    expect(await store.fleetStats()).toEqual({ workers: 0, inFlight: 0, withData: 0 });
    await store.heartbeat('w1', [], 60_000);
    await store.heartbeat('gone', [], 1);
    await store.admit(ask('a', 'c1'));
    await store.admit(ask('b', 'c2', { limits: { ...FREE, permitTtlMs: 1 } }));
    await waitFor(async () => (await other.fleetStats()).workers === 1 && (await other.fleetStats()).inFlight === 1);
    await store.settle(key('a'), 'c1', id('1'));
    await store.finish(key('a'), 'COMPLETED', { name: 'A' });
    await waitFor(async () => (await other.fleetStats()).inFlight === 0);
    expect(await other.fleetStats()).toEqual({ workers: 1, inFlight: 0, withData: 1 });
  });

  test('repeats the same answer to a repeated admission of the same call', async () => {
    const first = await store.admit(ask('a', 'c1'));
    expect(first).toMatchObject({ kind: 'go', epoch: 0, sends: 1 });
    expect(await other.admit(ask('a', 'c1'))).toEqual(first);
  });

  test('keeps what was sent, byte for byte, with the claim', async () => {
    const sent = { module: 'Accounts', name: 'Żółć "& Söhne"\n\u0000\ud800 /', email: 'x@y.zz', website: 'a.b/c?d' };
    const go = await store.admit(ask('a', 'c1', { sent }));
    const entries = await other.entries([key('a'), key('b')]);
    expect([...entries]).toEqual([
      [
        key('a'),
        { state: 'sending', callId: 'c1', sends: 1, sent, sentAtMs: go.kind === 'go' ? go.sentAtMs : undefined },
      ],
    ]);
  });

  test('settles a claim: the row is scheduled, its id owned, its notes kept, its place free', async () => {
    await store.admit(ask('a', 'c1', { limits: { ...FREE, maxInFlight: 1 } }));
    expect(await store.admit(ask('b', 'c2', { limits: { ...FREE, maxInFlight: 1 } }))).toEqual({ kind: 'no-permit' });
    const settled = await store.settle(key('a'), 'c1', id('5725767000003420001'), ['EMAIL_LEFT_OUT']);
    expect(settled).toMatchObject({ kind: 'settled', control: INITIAL_CONTROL });
    expect(Math.abs(settled.nowMs - Date.now())).toBeLessThan(5_000);
    expect(await store.admit(ask('a', 'c3'))).toEqual({ kind: 'scheduled', enrichmentId: '5725767000003420001' });
    expect((await store.admit(ask('b', 'c2', { limits: { ...FREE, maxInFlight: 1 } }))).kind).toBe('go');
    const owners = await store.owners([id('5725767000003420001'), id('7')]);
    expect([...owners]).toEqual([['5725767000003420001', key('a')]]);
    expect((await store.entries([key('a')])).get(key('a'))).toMatchObject({
      state: 'scheduled',
      enrichmentId: '5725767000003420001',
      scheduledAtMs: expect.any(Number),
      notes: ['EMAIL_LEFT_OUT'],
    });
    expect(await store.counts()).toEqual({
      scheduled: 1,
      sending: 1,
      uncertain: 0,
      held: 0,
      pending: 1,
      failed: 0,
      orphans: 0,
    });
  });

  test('settling the same pair again changes nothing; another id or another owner is a conflict', async () => {
    await store.admit(ask('a', 'c1'));
    await store.admit(ask('b', 'c2'));
    await store.settle(key('a'), 'c1', id('1'));
    expect(await other.settle(key('a'), 'c1', id('1'))).toMatchObject({ kind: 'settled' });
    expect(await store.settle(key('a'), 'c1', id('2'))).toMatchObject({
      kind: 'conflict',
      key: key('a'),
      enrichmentId: '1',
    });
    expect(await store.settle(key('b'), 'c2', id('1'))).toMatchObject({
      kind: 'conflict',
      key: key('a'),
      enrichmentId: '1',
    });
    expect((await store.entries([key('b')])).get(key('b'))?.state).toBe('sending');
    expect((await store.counts()).scheduled).toBe(1);
  });

  test('gives an id that two rows claim at once to one of them', async () => {
    await Promise.all([store.admit(ask('a', 'c1')), store.admit(ask('b', 'c2'))]);
    const both = await Promise.all([store.settle(key('a'), 'c1', id('9')), other.settle(key('b'), 'c2', id('9'))]);
    expect(both.map(({ kind: outcome }) => outcome).sort()).toEqual(['conflict', 'settled']);
  });

  test('adopts a row the ledger does not know', async () => {
    expect(await store.settle(key('a'), 'sweep', id('1'))).toMatchObject({ kind: 'settled' });
    expect(await store.admit(ask('a', 'c1'))).toEqual({ kind: 'scheduled', enrichmentId: '1' });
  });

  test('forgets a released first claim, and clears a released later one', async () => {
    await store.admit(ask('a', 'c1'));
    await store.release(key('a'), 'somebody else');
    expect((await store.admit(ask('a', 'c2'))).kind).toBe('claimed');
    await store.release(key('a'), 'c1');
    expect((await store.entries([key('a')])).size).toBe(0);

    await store.admit(ask('a', 'c3'));
    await store.markUncertain(key('a'), 'c3', 'ETIMEDOUT');
    await store.clear(key('a'), 'c3');
    expect(await store.admit(ask('a', 'c4'))).toMatchObject({ kind: 'go', sends: 2 });
    await store.release(key('a'), 'c4');
    expect((await store.entries([key('a')])).get(key('a'))).toMatchObject({ state: 'cleared', sends: 1 });
    expect(await store.admit(ask('a', 'c5'))).toMatchObject({ kind: 'go', sends: 2 });
  });

  test('counts claims in the step that makes them, and takes back those that Zoho did not take', async () => {
    const spent = async () => (await other.spending()).spent;
    expect(await store.admit(ask('a', 'c1'))).toMatchObject({ kind: 'go', spent: 1 });
    expect(await other.admit(ask('a', 'c1'))).toMatchObject({ kind: 'go', spent: 1 });
    expect(await store.admit(ask('b', 'c2'))).toMatchObject({ kind: 'go', spent: 2 });
    await store.release(key('a'), 'c1');
    await store.release(key('a'), 'c1');
    expect(await spent()).toBe(1);
    await store.markUncertain(key('b'), 'c2', 'LOST');
    expect(await other.spending()).toMatchObject({ spent: 1, open: 1, held: 0 });
    await store.hold(key('b'), 'c2', 'LOST');
    expect(await other.spending()).toMatchObject({ spent: 1, open: 0, held: 1 });
    await store.clear(key('b'), 'c2');
    await store.clear(key('b'), 'c2');
    expect(await spent()).toBe(0);
    // An answer that comes after the row was cleared: Zoho has it after all.
    await store.settle(key('b'), 'c2', id('7'));
    await store.settle(key('b'), 'c2', id('7'));
    expect(await spent()).toBe(1);
    await store.finish(key('b'), 'FAILED', null);
    await store.reopen(key('b'), id('7'));
    expect(await spent()).toBe(1);
    // A worker that remembers more than a store that went back in time.
    expect(await store.spending(5)).toMatchObject({ spent: 5 });
    expect(await store.spending(3)).toMatchObject({ spent: 5 });
  });

  test('refuses a row beyond the budget, and says whether a call under way may give any back', async () => {
    await store.admit(ask('before', 'c0'));
    expect(await setBudget(store, 2)).toMatchObject({ budget: { left: 2, rows: 2 } });
    expect((await store.admit(ask('a', 'c1'))).kind).toBe('go');
    expect((await other.admit(ask('b', 'c2'))).kind).toBe('go');
    expect(await store.admit(ask('c', 'c3'))).toMatchObject({ reason: 'budget', waitMs: expect.any(Number) });
    await store.markUncertain(key('a'), 'c1', 'LOST');
    await store.settle(key('b'), 'c2', id('2'));
    await store.settle(key('before'), 'c0', id('1'));
    expect(await store.admit(ask('c', 'c3'))).toMatchObject({ reason: 'budget', waitMs: expect.any(Number) });
    await store.hold(key('a'), 'c1', 'LOST');
    expect(await store.admit(ask('c', 'c3'))).toMatchObject({ kind: 'held-back', reason: 'budget', waitMs: null });
    expect(await other.fleetStats()).toMatchObject({ inFlight: 0 });
    await store.clear(key('a'), 'c1');
    expect((await store.admit(ask('c', 'c3'))).kind).toBe('go');
    await setBudget(store, null);
    expect((await store.admit(ask('d', 'c4'))).kind).toBe('go');
  });

  test('keeps some of the allowance back: nothing goes before Zoho has told it, and no row beyond it', async () => {
    const keep = 10;
    expect(await store.admit(ask('a', 'c1', { keep }))).toMatchObject({ kind: 'held-back', reason: 'allowance' });
    expect((await store.admit(ask('other', 'c0'))).kind).toBe('go');
    const tell = async (left: number, agoMs = 0) => {
      const before = await store.spending();
      const reserve = reserveAfter(left, before, before.nowMs - agoMs);
      await store.control.change((now) => ({ ...(now ?? INITIAL_CONTROL), reserve }));
    };
    // One row is under way, and may not be in the answer.
    await tell(12);
    expect((await store.admit(ask('a', 'c1', { keep }))).kind).toBe('go');
    expect(await store.admit(ask('b', 'c2', { keep }))).toMatchObject({
      reason: 'reserve',
      waitMs: expect.any(Number),
    });
    expect((await store.admit(ask('of-a-worker-that-keeps-nothing', 'c9'))).kind).toBe('go');
    for (const [name, call] of [
      ['other', 'c0'],
      ['a', 'c1'],
      ['of-a-worker-that-keeps-nothing', 'c9'],
    ] as const) {
      await store.settle(key(name), call, id(`9${call.slice(1)}`));
    }
    expect(await store.admit(ask('b', 'c2', { keep }))).toMatchObject({
      reason: 'reserve',
      waitMs: expect.any(Number),
    });
    // Asked with nothing under way: final.
    await tell(10);
    expect(await store.admit(ask('b', 'c2', { keep }))).toMatchObject({ reason: 'reserve', waitMs: null });
    await tell(11);
    expect((await store.admit(ask('b', 'c2', { keep }))).kind).toBe('go');
    await tell(100, 16 * 60_000);
    expect(await store.admit(ask('c', 'c3', { keep }))).toMatchObject({ reason: 'allowance' });
  });

  test('refuses an uncertain row until it is cleared, and a held one as held', async () => {
    await store.admit(ask('a', 'c1'));
    await store.markUncertain(key('a'), 'c1', 'ETIMEDOUT');
    expect(await store.admit(ask('a', 'c2'))).toEqual({ kind: 'uncertain', held: false });
    expect(await store.hold(key('a'), 'another call', 'X')).toBe(false);
    expect(await store.hold(key('a'), 'c1', 'NO_READ_SCOPE')).toBe(true);
    expect(await store.hold(key('a'), 'c1', 'NO_READ_SCOPE')).toBe(true);
    expect(await store.admit(ask('a', 'c2'))).toEqual({ kind: 'uncertain', held: true });
    expect((await store.uncertain({ held: false, limit: 10 })).size).toBe(0);
    expect((await store.uncertain({ held: true, limit: 10 })).get(key('a'))).toMatchObject({
      state: 'held',
      reason: 'NO_READ_SCOPE',
    });
    expect(await store.counts()).toEqual({
      scheduled: 0,
      sending: 0,
      uncertain: 0,
      held: 1,
      pending: 0,
      failed: 0,
      orphans: 0,
    });
    expect(await store.clear(key('a'), 'another call')).toBe(false);
    expect(await store.clear(key('a'), 'c1')).toBe(true);
    expect(await store.clear(key('a'), 'c1')).toBe(true);
    expect(await store.admit(ask('a', 'c2'))).toMatchObject({ kind: 'go', sends: 2 });
    expect(await store.clear(key('a'), 'c1')).toBe(false);
  });

  test('accepts a late answer to a claim already marked as lost', async () => {
    await store.admit(ask('a', 'c1'));
    await store.admit(ask('b', 'c2'));
    expect(await store.expireClaims(-1, 10)).toHaveLength(2);
    expect(await store.settle(key('a'), 'c1', id('1'))).toMatchObject({ kind: 'settled' });
    await store.release(key('b'), 'c2');
    expect((await store.entries([key('b')])).size).toBe(0);
    expect(await store.counts()).toEqual({
      scheduled: 1,
      sending: 0,
      uncertain: 0,
      held: 0,
      pending: 1,
      failed: 0,
      orphans: 0,
    });
  });

  test('marks only claims older than the limit as lost, oldest first, at most as many as asked for', async () => {
    for (const name of ['a', 'b', 'c']) {
      const before = Date.now();
      await waitFor(() => Date.now() > before);
      await store.admit(ask(name, `call-${name}`));
    }
    expect(await store.expireClaims(60_000, 10)).toEqual([]);
    expect(await store.expireClaims(-1, 2)).toEqual([key('a'), key('b')]);
    expect([...(await store.uncertain({ held: true, limit: 10 })).keys()]).toEqual([key('a'), key('b')]);
    expect([...(await store.sending(10)).keys()]).toEqual([key('c')]);
    expect((await store.uncertain({ held: false, limit: 1 })).get(key('a'))).toMatchObject({ reason: 'CLAIM_LOST' });
  });

  test('an admission that finds a lost claim makes it uncertain', async () => {
    await store.admit(ask('a', 'c1'));
    expect((await store.admit(ask('a', 'c2'))).kind).toBe('claimed');
    expect(await store.admit(ask('a', 'c2', { claimLostAfterMs: -1 }))).toEqual({ kind: 'uncertain', held: false });
  });

  describe('results', () => {
    const submitted = async (name: string, digits: string) => {
      await store.admit(ask(name, `call-${name}`));
      await store.settle(key(name), `call-${name}`, id(digits));
      return key(name);
    };
    const namesOf = async (from: Store, options: { sinceMs?: number; limit: number }) => [
      ...(await from.pending(options)).keys(),
    ];

    test('are pending from the settlement on, oldest first, until the row is finished', async () => {
      const a = await submitted('a', '1');
      await waitFor(
        async () => (await store.control.read()).nowMs > ((await store.entries([a])).get(a)?.scheduledAtMs ?? 0) + 1,
      );
      const b = await submitted('b', '2');
      await store.admit(ask('c', 'c3'));
      expect(await namesOf(other, { limit: 10 })).toEqual([a, b]);
      expect(await namesOf(other, { limit: 1 })).toEqual([a]);
      const entry = (await store.pending({ limit: 10 })).get(b);
      expect(await namesOf(other, { sinceMs: entry?.scheduledAtMs ?? 0, limit: 10 })).toEqual([b]);
      expect(entry).toEqual((await store.entries([b])).get(b));
      expect(await store.finish(a, 'DATA_NOT_FOUND', null)).toBe(true);
      expect(await namesOf(other, { limit: 10 })).toEqual([b]);
      expect((await store.counts()).pending).toBe(1);
    });

    test('are kept with status and time, byte for byte, and the first end counts', async () => {
      const a = await submitted('a', '1');
      const data = { name: 'Żółć "& Söhne"\n\u0000\ud800 /', address: [{ city: null }], years_in_industry: 12 };
      expect(await store.finish(a, 'COMPLETED', data)).toBe(true);
      const first = (await other.entries([a])).get(a);
      expect(first).toMatchObject({ state: 'scheduled', finalStatus: 'COMPLETED', finishedAtMs: expect.any(Number) });
      expect(await other.finish(a, 'COMPLETED', { name: 'another' })).toBe(true);
      expect(await other.finish(a, 'FAILED', null)).toBe(false);
      expect((await store.entries([a])).get(a)).toEqual(first);
      expect([...(await other.results([key('none'), a]))]).toEqual([[a, data]]);
      expect(await store.admit(ask('a', 'c9'))).toEqual({ kind: 'scheduled', enrichmentId: '1' });
      expect((await store.counts()).pending).toBe(0);
    });

    test('that were given up may still come', async () => {
      const a = await submitted('a', '1');
      expect(await store.finish(a, 'UNFINISHED', null)).toBe(true);
      expect(await namesOf(store, { limit: 10 })).toEqual([]);
      expect((await store.entries([a])).get(a)?.finalStatus).toBe('UNFINISHED');
      expect(await store.finish(a, 'COMPLETED', { name: 'A' })).toBe(true);
      expect(await store.finish(a, 'UNFINISHED', null)).toBe(false);
      expect((await store.results([a])).get(a)).toEqual({ name: 'A' });
      expect((await store.counts()).pending).toBe(0);
    });

    test('that Zoho failed are counted and told, the latest first', async () => {
      const [a, b, c] = [await submitted('a', '1'), await submitted('b', '2'), await submitted('c', '3')];
      await store.finish(a, 'UNFINISHED', null);
      await store.finish(b, 'FAILED', null);
      await store.finish(c, 'COMPLETED', { name: 'C' });
      await waitFor(
        async () => (await store.control.read()).nowMs > ((await store.entries([b])).get(b)?.finishedAtMs ?? 0) + 1,
      );
      await store.finish(a, 'FAILED', null);
      await store.finish(b, 'FAILED', null);
      expect([...(await other.failed(10)).keys()]).toEqual([a, b]);
      expect(await other.failed(1)).toEqual(await store.entries([a]));
      expect((await store.counts()).failed).toBe(2);
    });

    test('belong to scheduled rows only', async () => {
      await store.admit(ask('a', 'c1'));
      expect(await store.finish(key('a'), 'COMPLETED', { name: 'A' })).toBe(false);
      expect(await store.finish(key('b'), 'COMPLETED', { name: 'B' })).toBe(false);
      expect((await store.results([key('a'), key('b')])).size).toBe(0);
    });
  });

  test('tells the whole ledger page by page, each entry as a look-up tells it', async () => {
    expect(await store.scanLedger(null, 10)).toEqual({ cursor: null, entries: new Map() });
    const keys = Array.from({ length: 300 }, (_, n) => key(`scan-${n}`));
    await Promise.all(keys.map((name, n) => store.admit({ ...ask('a', `call-${n}`), key: name })));
    await store.settle(key('scan-7'), 'call-7', id('7'), ['é "x"']);
    const seen = new Map<IdentityKey, LedgerEntry>();
    let pages = 0;
    for (let cursor: string | null = null; pages === 0 || cursor !== null; pages += 1) {
      const page: LedgerPage = await other.scanLedger(cursor, 60);
      for (const [name, entry] of page.entries) seen.set(name, entry);
      cursor = page.cursor;
    }
    expect(pages).toBeGreaterThan(3);
    expect(seen.size).toBe(300);
    expect(seen).toEqual(await store.entries(keys));
  });

  test('imports entries of another store; what is here gives way to a stronger state only', async () => {
    const entry = (state: LedgerEntry['state'], more: Partial<LedgerEntry> = {}): LedgerEntry => ({
      state,
      callId: 'elsewhere.1',
      sentAtMs: 1_000,
      sends: 2,
      sent: { module: 'Accounts', name: 'é "x"\n\u0000' },
      ...more,
    });
    const scheduled = (n: string) => entry('scheduled', { enrichmentId: id(n), scheduledAtMs: 2_000, notes: ['n'] });
    for (const name of ['mine', 'doubted', 'cleared', 'sent', 'other-id']) await store.admit(ask(name, `c-${name}`));
    await store.settle(key('mine'), 'c-mine', id('1'));
    await store.settle(key('other-id'), 'c-other-id', id('2'));
    for (const name of ['doubted', 'cleared']) await store.markUncertain(key(name), `c-${name}`, 'LOST');
    await store.clear(key('cleared'), 'c-cleared');
    const given = new Map<IdentityKey, LedgerEntry>([
      [key('new'), scheduled('11')],
      [key('new-doubt'), entry('uncertain', { reason: 'IMPORTED' })],
      [key('new-held'), entry('held', { reason: 'SAME' })],
      [key('mine'), entry('uncertain')],
      [key('doubted'), scheduled('12')],
      [key('cleared'), entry('uncertain')],
      [key('sent'), entry('held')],
      [key('other-id'), scheduled('13')],
      [key('taken-id'), scheduled('1')],
      [key('finished'), { ...scheduled('14'), finalStatus: 'COMPLETED', finishedAtMs: 3_000 }],
      [key('failed'), { ...scheduled('15'), finalStatus: 'FAILED', finishedAtMs: 3_000 }],
    ]);
    const results = new Map([[key('finished'), { city: 'Köln' }]]);
    expect([...(await store.importEntries(given, results)).values()]).toEqual([
      ...[
        'added',
        'added',
        'added',
        'known',
        'stronger',
        'stronger',
        'known',
        'conflict',
        'conflict',
        'added',
        'added',
      ],
    ]);
    const kept = await other.entries([...given.keys()]);
    expect(kept.get(key('new'))).toEqual(given.get(key('new')));
    expect(kept.get(key('doubted'))).toEqual(given.get(key('doubted')));
    expect(kept.get(key('mine'))).toMatchObject({ state: 'scheduled', enrichmentId: '1' });
    expect(kept.get(key('sent'))?.state).toBe('sending');
    expect(kept.has(key('taken-id'))).toBe(false);
    expect(await store.counts()).toEqual({
      scheduled: 6,
      sending: 1,
      uncertain: 2,
      held: 1,
      pending: 4,
      failed: 1,
      orphans: 0,
    });
    expect([...(await store.failed(10)).keys()]).toEqual([key('failed')]);
    expect(await other.results([...given.keys()])).toEqual(results);
    expect([...(await store.owners([id('11'), id('13')])).values()]).toEqual([key('new')]);
    const again = [...(await store.importEntries(given, results)).values()];
    expect(again.filter((verdict) => verdict === 'added' || verdict === 'stronger')).toEqual([]);
    expect(await other.entries([...given.keys()])).toEqual(kept);
    expect(await store.importEntries(new Map(), new Map())).toEqual(new Map());

    const late = new Map([
      [key('new'), { ...scheduled('11'), finalStatus: 'DATA_NOT_FOUND' as const, finishedAtMs: 4 }],
    ]);
    expect((await store.importEntries(late, new Map())).get(key('new'))).toBe('stronger');
    expect((await other.entries([key('new')])).get(key('new'))).toEqual(late.get(key('new')));
    expect(await store.counts()).toMatchObject({ scheduled: 6, pending: 3 });
  });

  test('of the entries of one import an id belongs to the first, a website to the first eight', async () => {
    const given = Array.from({ length: 12 }, (_, n): [IdentityKey, LedgerEntry] => {
      const sent = { module: 'Accounts', website: 'www.shared.example' };
      const paid = { enrichmentId: id(String(20 + Math.max(1, n))), scheduledAtMs: 2_000 };
      return [key(`row-${n}`), { state: 'scheduled', callId: 'elsewhere.1', sentAtMs: 1_000, sends: 1, sent, ...paid }];
    });
    const verdicts = await store.importEntries(new Map(given), new Map());
    expect([...verdicts].filter(([, verdict]) => verdict !== 'added')).toEqual([[key('row-1'), 'conflict']]);
    const aliases = given.map(([, { sent }]) => aliasesOf(traitsOf(sent)));
    const owners = [...(await other.aliasOwners(aliases.flat())).values()];
    expect(new Set(owners.flat())).toEqual(new Set([0, 2, 3, 4, 5, 6, 7, 8].map((n) => key(`row-${n}`))));
  });

  describe('the control state', () => {
    test('a stop refuses rows but not other calls, and every answer carries it', async () => {
      await store.admit(ask('x', 'cx'));
      const stop = { code: 'LIMIT_EXCEEDED', message: 'Spent "all".', sinceMs: 1, key: null, line: null };
      await store.control.change(control({ epoch: 1, mode: 'stopped', stop }));
      const answer = await other.admit(ask('a', 'c1'));
      expect(answer).toMatchObject({ kind: 'held-back', waitMs: null, control: { epoch: 1, stop } });
      expect(await other.admitCall({ callId: 'c2', limits: FREE })).toEqual({ kind: 'go' });
      expect((await other.release(key('x'), 'cx')).control.mode).toBe('stopped');
      expect((await other.heartbeat('w', [], 1_000)).control.stop).toEqual(stop);
      expect((await store.entries([key('a')])).size).toBe(0);
    });

    test('a hold refuses every call until it ends', async () => {
      await store.control.change((_, nowMs) => ({ ...INITIAL_CONTROL, backoffUntilMs: nowMs + 60_000 }));
      const answer = await store.admit(ask('a', 'c1'));
      expect(answer.kind).toBe('held-back');
      expect(answer.kind === 'held-back' ? answer.waitMs : null).toBeGreaterThan(50_000);
      expect((await store.admitCall({ callId: 'c2', limits: FREE })).kind).toBe('held-back');
      await store.control.change((_, nowMs) => ({ ...INITIAL_CONTROL, backoffUntilMs: nowMs }));
      expect((await store.admit(ask('a', 'c1'))).kind).toBe('go');
    });

    test('while canary only the holder of the canary goes, and a dead holder leaves it open', async () => {
      const canary = { cause: 'resume', key: null, callId: null, leaseUntilMs: 0, passes: 0 } as const;
      await store.control.change(control({ epoch: 4, mode: 'canary', canary }));
      expect((await store.admit(ask('a', 'c1'))).kind).toBe('canary-open');
      await store.control.change((_, nowMs) => ({
        ...INITIAL_CONTROL,
        epoch: 4,
        mode: 'canary',
        canary: { ...canary, key: key('a'), callId: 'c1', leaseUntilMs: nowMs + 10_000 },
      }));
      const heldBack = await other.admit(ask('b', 'c2'));
      expect(heldBack).toMatchObject({ kind: 'held-back', waitMs: 250 });
      expect((await other.admit(ask('a', 'c3'))).kind).toBe('held-back');
      expect(await store.admit(ask('a', 'c1'))).toMatchObject({ kind: 'go', epoch: 4 });

      await store.control.change((current) => ({
        ...(current ?? INITIAL_CONTROL),
        canary: { ...canary, key: key('a'), callId: 'c1', leaseUntilMs: 0 },
      }));
      expect((await other.admit(ask('b', 'c2'))).kind).toBe('held-back');
      await store.finishCall('c1');
      expect((await other.admit(ask('b', 'c2'))).kind).toBe('canary-open');
    });

    test('lowers the permits while throttled', async () => {
      await store.control.change(control({ maxInFlight: 1 }));
      expect((await store.admit(ask('a', 'c1'))).kind).toBe('go');
      expect((await store.admit(ask('b', 'c2'))).kind).toBe('no-permit');
      expect((await store.admitCall({ callId: 'c3', limits: FREE })).kind).toBe('no-permit');
    });
  });

  describe('permits', () => {
    const two = { ...FREE, maxInFlight: 2, permitTtlMs: 3_000 };

    test('are never more than allowed under concurrent callers, rows and other calls together', async () => {
      const limits = { ...FREE, maxInFlight: 5 };
      let inFlight = 0;
      let most = 0;
      let done = 0;
      const rows = Array.from({ length: 60 }, (_, n) => n);
      await Promise.all(
        Array.from({ length: 20 }, async (_, loop) => {
          const mine = loop % 2 ? store : other;
          for (let n = rows.pop(); n !== undefined; n = rows.pop()) {
            const name = `row-${n}`;
            await waitFor(async () => {
              const answer =
                n % 3 ? await mine.admit(ask(name, name, { limits })) : await mine.admitCall({ callId: name, limits });
              return answer.kind === 'go';
            });
            inFlight += 1;
            most = Math.max(most, inFlight);
            await mine.heartbeat(`w${loop}`, [name], 30_000);
            inFlight -= 1;
            await mine.release(key(name), name);
            done += 1;
          }
        }),
      );
      expect(done).toBe(60);
      expect(most).toBeLessThanOrEqual(5);
      expect(most).toBeGreaterThan(1);
    });

    test('of a dead worker are free again after the lease, those renewed stay', async () => {
      await store.admitCall({ callId: 'dead', limits: two });
      await store.admitCall({ callId: 'alive', limits: two });
      expect((await store.admitCall({ callId: 'c3', limits: two })).kind).toBe('no-permit');
      await waitFor(async () => {
        await other.heartbeat('w', ['alive', 'never admitted'], 8_000);
        return (await store.admitCall({ callId: 'c3', limits: two })).kind === 'go';
      });
      expect((await store.admitCall({ callId: 'c4', limits: two })).kind).toBe('no-permit');
      await store.finishCall('alive');
      expect((await store.admitCall({ callId: 'c4', limits: two })).kind).toBe('go');
    });

    test('are counted whatever the length of their leases: a command holds its own longer than workers do', async () => {
      await store.admitCall({ callId: 'command', limits: { ...two, permitTtlMs: 30_000 } });
      const short = { ...two, permitTtlMs: 8_000 };
      expect((await other.admitCall({ callId: 'worker', limits: short })).kind).toBe('go');
      expect((await other.admitCall({ callId: 'third', limits: short })).kind).toBe('no-permit');
    });

    test('workers are counted while they live', async () => {
      expect((await store.heartbeat('w1', [], 60_000)).workers).toEqual(['w1']);
      expect((await other.heartbeat('w2', [], 60_000)).workers).toEqual(['w1', 'w2']);
      await store.leave('w1');
      expect((await other.heartbeat('w2', [], 1)).workers).toEqual(['w2']);
      expect((await waitFor(async () => (await other.heartbeat('w3', [], 60_000)).workers.length === 1)) === true).toBe(
        true,
      );
    });
  });

  describe('cells', () => {
    test('lose no update under concurrent changers', async () => {
      const counters = [store.document<{ n: number }>('sweep'), other.document<{ n: number }>('sweep')];
      await Promise.all(
        Array.from({ length: 20 }, async (_, changer) => {
          for (let round = 0; round < 5; round++) {
            await counters[changer % 2]?.change((value) => ({ n: (value?.n ?? 0) + 1 }));
          }
        }),
      );
      expect((await store.document<{ n: number }>('sweep').read()).value).toEqual({ n: 100 });
    });

    test('stay as they are when the change declines, and are told apart by name', async () => {
      await store.document<string>('account').change(() => 'x');
      expect(await other.document<string>('account').change(() => undefined)).toMatchObject({
        value: 'x',
        changed: false,
      });
      expect((await store.document<string>('token').read()).value).toBeNull();
      expect(await other.document<string>('account').change((value) => `${value}y`)).toMatchObject({
        value: 'xy',
        changed: true,
      });
    });
  });
});
