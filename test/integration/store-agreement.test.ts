import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Canary, INITIAL_CONTROL } from '../../src/lib/core/control.js';
import type { History, HistoryLook } from '../../src/lib/core/history.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { EnrichedData, FinalStatus, LedgerEntry, LedgerState } from '../../src/lib/core/ledger.js';
import { aliasesOf, traitsOf } from '../../src/lib/core/other-columns.js';
import { echoDigests } from '../../src/lib/core/reconcile.js';
import { setBudget } from '../../src/lib/store/set-budget.js';
import type { Limits, Store } from '../../src/lib/store/store.js';
import { openTestEngine } from '../support/engines.js';
import { setup } from '../support/setup.js';
import { bySuite } from '../support/suite.js';

const t = setup();
let redis: Store;
let embedded: Store;

beforeAll(async () => {
  redis = t.closing(await openTestEngine('redis'), (e) => e.close()).engine.store;
  embedded = t.closing(await openTestEngine('embedded'), (e) => e.close()).engine.store;
}, 60_000);
afterAll(() => t.close());

const DAY_MS = 86_400_000;
const limits: Limits = { callsPerSecond: 0, maxInFlight: 2, permitTtlMs: 60_000 };

/** Each run has rows and ids of its own in the same two stores. */
const [RUNS = 60] = bySuite([30], [90]);
let runs = 0;
const own = <S extends string>(name: S) => `${name}.${runs}` as S;
const ROWS = ['r10', 'r11', 'r12', 'r13', 'r19'] as IdentityKey[];
const CALLS = ['c0', 'c1', 'c2', 'c3'];

const nth = (prefix: string, count: number) => fc.integer({ min: 0, max: count - 1 }).map((n) => `${prefix}${n}`);
const key = nth('r1', 2) as fc.Arbitrary<IdentityKey>;
const call = nth('c', 3);
const id = nth('900', 2) as fc.Arbitrary<EnrichmentId>;
const canary = (probeKey: string | null, callId: string | null) => ({
  cause: 'outage' as const,
  key: probeKey,
  callId,
  leaseUntilMs: 0,
  passes: 0,
});

const ownProbe = (given: Canary | null) =>
  given === null || given.key === null ? given : { ...given, key: own(given.key) };

type Step = readonly [name: string, run: (store: Store) => Promise<unknown>];

/** Entries of one import may share an id and an alias. */
const imported = fc.tuple(
  key,
  id,
  fc.constantFrom<LedgerState>('cleared', 'uncertain', 'held', 'scheduled'),
  fc.boolean(),
  fc.constantFrom(null, 'r10', 'r11'),
);
type Imported = Parameters<Parameters<typeof imported.map>[0]>[0];

function ownEntry([k, i, state, finished, site]: Imported): readonly [IdentityKey, LedgerEntry] {
  const entry = {
    state,
    callId: 'c9',
    sentAtMs: 5,
    sends: 2,
    sent: { module: 'M', ...(site !== null && { name: `é"${own('name')}`, website: `${site}.example` }) },
    ...(state === 'scheduled' && { enrichmentId: own(i), scheduledAtMs: 6 }),
    ...(state === 'scheduled' && finished && { finalStatus: 'COMPLETED' as const, finishedAtMs: 7 }),
  };
  return [own(k), entry];
}

const ownResult = ([k, , state, finished]: Imported): [IdentityKey, EnrichedData][] =>
  state === 'scheduled' && finished ? [[own(k), { city: 'Köln' }]] : [];

/** Times and leases are chosen so far apart that the two engines' clocks cannot make a difference. */
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(key, call, fc.boolean(), fc.constantFrom(0, 0, 2)).map(
      ([k, c, lost, keep]): Step => [
        `admit ${k} ${c} ${lost} ${keep}`,
        (s) =>
          s.admit({
            key: own(k),
            callId: c,
            sent: { module: 'M', name: `é"${own('name')}`, website: `${k}.example` },
            limits,
            claimLostAfterMs: lost ? -DAY_MS : DAY_MS,
            keep,
          }),
      ],
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(key, call, nth('w', 2), fc.integer({ min: 0, max: 4 }), fc.constantFrom('A', 'B')).map(
      ([k, c, w, number, name]): Step => [
        `admit ${k} ${c} of ${w} at ${number} as ${name}`,
        (s) =>
          s.admit({
            key: own(k),
            callId: c,
            sent: { module: 'M', name: own(name), website: 'www.a.example', ...(c === 'c2' && { recordId: '7' }) },
            limits,
            claimLostAfterMs: DAY_MS,
            worker: { id: own(w), number },
          }),
      ],
    ),
  },
  fc
    .tuple(id, fc.constantFrom('A', 'B'), fc.constantFrom('', 'https://a.example'), fc.boolean())
    .map(
      ([i, name, website, held]): Step => [
        `orphan ${i} ${name} ${website} ${held}`,
        (s) => s.addOrphans([{ id: own(i), createdAtMs: 5, echo: { name: own(name), email: null, website } }], held),
      ],
    ),
  fc
    .tuple(nth('w', 2), fc.integer({ min: 0, max: 4 }), fc.boolean(), fc.boolean())
    .map(
      ([w, number, raise, steady]): Step => [
        `beat ${w} ${number} ${raise} ${steady}`,
        (s) => s.heartbeat(own(w), [], 60_000, { number, raise, steady, zohoNowMs: number === 0 ? null : number }),
      ],
    ),
  fc
    .constantFrom(null, { sign: 'lost' } as HistoryLook)
    .map((look): Step => [`history ${look !== null}`, (s) => setHistory(s, look)]),
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(0, 1, 3, null)
      .map((rows): Step => [`budget ${rows}`, async (s) => (await setBudget(s, rows)).budget]),
  },
  fc
    .tuple(fc.integer({ min: 2, max: 4 }), fc.boolean(), fc.boolean())
    .map(([left, quiet, old]): Step => [`reserve ${left} ${quiet} ${old}`, (s) => setReserve(s, left, quiet, old)]),
  fc.constantFrom(undefined, 2).map((more): Step => [`spending ${more}`, (s) => spendingOf(s, more)]),
  call.map((c): Step => [`admitCall ${c}`, (s) => s.admitCall({ callId: c, limits })]),
  call.map((c): Step => [`finishCall ${c}`, (s) => s.finishCall(c)]),
  fc
    .tuple(key, call, id, fc.array(fc.constantFrom('A', 'é'), { maxLength: 2 }))
    .map(([k, c, i, notes]): Step => [`settle ${k} ${c} ${i}`, (s) => s.settle(own(k), c, own(i), notes)]),
  fc.tuple(key, call).map(([k, c]): Step => [`release ${k} ${c}`, (s) => s.release(own(k), c)]),
  fc.tuple(key, call).map(([k, c]): Step => [`mark uncertain ${k} ${c}`, (s) => s.markUncertain(own(k), c, 'LOST')]),
  fc.tuple(key, call).map(([k, c]): Step => [`clear ${k} ${c}`, (s) => s.clear(own(k), c)]),
  fc.tuple(key, call).map(([k, c]): Step => [`hold ${k} ${c}`, (s) => s.hold(own(k), c, 'SAME ECHO')]),
  fc
    .boolean()
    .map(
      (lost): Step => [`expire ${lost}`, async (s) => [...(await s.expireClaims(lost ? -DAY_MS : DAY_MS, 9))].sort()],
    ),
  fc
    .uniqueArray(imported, { minLength: 1, maxLength: 3, selector: ([k]) => k })
    .map(
      (given): Step => [
        `import ${given.join('; ')}`,
        (s) => s.importEntries(new Map(given.map(ownEntry)), new Map(given.flatMap(ownResult))),
      ],
    ),
  fc.array(id, { maxLength: 3 }).map((ids): Step => [`owners ${ids}`, (s) => s.owners(ids.map(own))]),
  fc
    .tuple(key, fc.constantFrom('COMPLETED', 'FAILED', 'UNFINISHED'), fc.boolean())
    .map(
      ([k, status, found]): Step => [
        `finish ${k} ${status}`,
        (s) => s.finish(own(k), status as FinalStatus, found ? { name: 'é' } : null),
      ],
    ),
  fc
    .tuple(key, id, fc.constantFrom('COMPLETED', 'FAILED'))
    .map(
      ([k, i, status]): Step => [
        `finish ${k} ${status} of ${i}`,
        (s) => s.finish(own(k), status as FinalStatus, null, own(i)),
      ],
    ),
  fc.tuple(key, call, fc.constantFrom(0, 9e15)).map(
    ([k, c, refreshBeforeMs]): Step => [
      `refresh ${k} ${c} ${refreshBeforeMs}`,
      (s) =>
        s.admit({
          key: own(k),
          callId: c,
          sent: { module: 'M', name: `é"${own('name')}`, website: `${k}.example` },
          limits,
          claimLostAfterMs: DAY_MS,
          refreshBeforeMs,
        }),
    ],
  ),
  fc.tuple(fc.constantFrom('enriched', 'notfound'), fc.constantFrom(0, 9e15)).map(
    ([index, beforeMs]): Step => [
      `remove values ${index} ${beforeMs}`,
      async (s) => {
        const due = await s.finishedBetween(index as 'enriched', { fromMs: 0, beforeMs, limit: 10_000 });
        const mine = new Map([...due].filter(([k]) => k.endsWith(`.${runs}`)));
        return [sorted(mine), await s.removeValues(mine)];
      },
    ],
  ),
  fc.tuple(key, id).map(([k, i]): Step => [`reopen ${k} ${i}`, (s) => s.reopen(own(k), own(i))]),
  fc
    .tuple(fc.array(key, { minLength: 1, maxLength: 2 }), fc.boolean(), fc.constantFrom(undefined, 0, 9e15))
    .map(
      ([keys, dryRun, finishedBeforeMs]): Step => [
        `forget ${keys} ${dryRun} ${finishedBeforeMs}`,
        (s) => s.forget(new Map(keys.map((k) => [own(k), aliasesOfRow(k)])), { dryRun, finishedBeforeMs }),
      ],
    ),
  fc
    .tuple(id, fc.boolean())
    .map(([i, dryRun]): Step => [`forget orphan ${i} ${dryRun}`, (s) => s.forgetOrphans([own(i)], { dryRun })]),
  fc
    .constantFrom('A', 'B')
    .map((name): Step => [`orphans like ${name}`, (s) => s.orphansLike([echoDigests({ name: own(name) })])]),
  nth('w', 3).chain((w) =>
    fc
      .array(call, { maxLength: 3 })
      .map((calls): Step => [`heartbeat ${w} ${calls}`, (s) => s.heartbeat(w, calls, 60_000)]),
  ),
  nth('w', 3).map((w): Step => [`leave ${w}`, (s) => s.leave(w)]),
  fc
    .constantFrom(
      INITIAL_CONTROL,
      { ...INITIAL_CONTROL, epoch: 3, maxInFlight: 1 },
      { ...INITIAL_CONTROL, epoch: 4, mode: 'stopped' as const },
      { ...INITIAL_CONTROL, epoch: 5, mode: 'canary' as const, canary: canary(null, null) },
      { ...INITIAL_CONTROL, epoch: 6, mode: 'canary' as const, canary: canary('r10', 'c0') },
      { ...INITIAL_CONTROL, backoffUntilMs: 2e15 },
    )
    .map(
      (control): Step => [
        `control ${JSON.stringify(control)}`,
        (s) => s.control.change(() => ({ ...control, canary: ownProbe(control.canary) })),
      ],
    ),
);

/** Of the row that the first step sends. */
const aliasesOfRow = (k: IdentityKey) =>
  aliasesOf(traitsOf({ module: 'M', name: `é"${own('name')}`, website: `${k}.example` }));

const snapshot: Step = [
  'snapshot',
  async (s) => ({
    counts: await s.counts(),
    spending: await s.spending(),
    entries: sorted(await s.entries(ROWS.map(own))),
    sending: sorted(await s.sending(9)),
    uncertain: sorted(await s.uncertain({ held: false, limit: 9 })),
    pending: sorted(await s.pending({ limit: 10_000 })),
    results: sorted(await s.results(ROWS.map(own))),
    owners: sorted(await s.aliasOwners(ROWS.flatMap(aliasesOfRow))),
    held: sorted(await s.uncertain({ held: true, limit: 9 })),
    idOwners: sorted(await s.owners(['9000', '9001'].map((i) => own(i as EnrichmentId)))),
    orphans: sorted(await s.orphans(['9000', '9001'].map((i) => own(i as EnrichmentId)))),
  }),
];

/** With `more`, raised by it as a worker does that knows of what the store lost. */
async function spendingOf(store: Store, more?: number): Promise<unknown> {
  const { spent } = await store.spending();
  return store.spending(more === undefined ? undefined : spent + more);
}

/** What Zoho told, now or too long ago. */
async function setReserve(store: Store, left: number, quiet: boolean, old: boolean): Promise<void> {
  const { spent, nowMs } = await store.spending();
  const reserve = { ceiling: spent + left, spent, quiet, askedAtMs: old ? nowMs - DAY_MS : nowMs };
  await store.control.change((control) => ({ ...(control ?? INITIAL_CONTROL), reserve }));
}

/** What each store knows of its own server. */
async function setHistory(store: Store, look: HistoryLook | null): Promise<void> {
  const { server } = await store.heartbeat('visitor', [], 1);
  await store.document<History>('history').change(() => ({ server, bornMs: 1, cleanEnd: false, look }));
}

const sorted = <V>(map: ReadonlyMap<string, V>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** Clock readings differ between engines; everything else must not. */
function comparable(value: unknown): unknown {
  if (value instanceof Map) return comparable([...value]);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const CLOCK = new Set([
    'nowMs',
    'sentAtMs',
    'scheduledAtMs',
    'waitMs',
    'finishedAtMs',
    'storeMs',
    'server',
    'askedAtMs',
    'workers',
  ]);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, CLOCK.has(name) ? typeof inner : comparable(inner)]),
  );
}

test('Lua and SQL give the same answers to the same random operations', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
      runs += 1;
      const reset: Step = [
        'reset',
        async (s) => {
          await s.control.change(() => INITIAL_CONTROL);
          await setHistory(s, null);
          for (const callId of CALLS) await s.finishCall(callId);
        },
      ];
      const seen: string[] = [];
      for (const [name, run] of [reset, ...steps, snapshot]) {
        seen.push(name);
        const [onRedis, onEmbedded] = await Promise.all([run(redis), run(embedded)]);
        expect({ seen, answer: comparable(onEmbedded) }).toEqual({ seen, answer: comparable(onRedis) });
      }
    }),
    { seed: 20_260, numRuns: RUNS, endOnFailure: true },
  );
  expect(runs).toBeGreaterThanOrEqual(RUNS / 2);
}, 120_000);
