import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { identityKey } from '../../src/lib/core/identity.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import { echoDigests } from '../../src/lib/core/reconcile.js';
import { type Input, withInput } from '../../src/lib/csv/with-input.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EnrichJob, EnrichQueue } from '../../src/lib/queues.js';
import type { EnqueueReport } from '../../src/producers/csv-producer.js';
import { type EnqueueFileOptions, enqueueFile } from '../../src/producers/enqueue-file.js';
import { planFile } from '../../src/producers/plan-file.js';
import { exportFile } from '../../src/reports/export-file.js';
import { fileReport } from '../../src/reports/file-report.js';
import { FileRows } from '../../src/reports/file-rows.js';
import { fileStatus } from '../../src/reports/file-status.js';
import { listRows } from '../../src/reports/list-rows.js';
import type { RowChoice } from '../../src/reports/row-choice.js';
import { enginesIn, openTestEngine, testOn } from '../support/engines.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';

const LIMITS = { callsPerSecond: 0, maxInFlight: 10, permitTtlMs: 60_000 };

/** In a file of each test. */
const ROWS = 6;

type Column = 'Company' | 'Email' | 'Website' | 'Town';

describe.each(enginesIn({ long: ['embedded'] }))('rows under other columns on the %s engine', (kind) => {
  const all = setup();
  const t = setup();
  let folder = '';
  let engine: Engine;
  let queue: EnrichQueue;
  let paid = 0;
  let paidBefore = 0;
  /** Each test has companies of its own: all of them share one store, for opening one takes seconds. */
  let run = 0;
  let rows: readonly Record<Column, string>[] = [];

  beforeAll(async () => {
    folder = all.closing(await mkdtemp(join(tmpdir(), 'zia-other-columns-')), (path) => rm(path, { recursive: true }));
    ({ engine } = all.closing(await openTestEngine(kind), (opened) => opened.close()));
    queue = all.closing(engine.openQueue(), (opened) => opened.close());
  }, 60_000);
  afterAll(() => all.close());
  beforeEach(() => {
    run += 1;
    paidBefore = paid;
    rows = Array.from({ length: ROWS }, (_, at) => ({
      Company: `Firm ${run}-${at} Ltd`,
      Email: `info@firm${run}-${at}.example`,
      Website: `www.firm${run}-${at}.example`,
      Town: `Town ${run}-${at}`,
    }));
  });
  afterEach(async () => {
    await t.close();
    await queue.drain(true);
  });

  async function file(lines: readonly string[], name = 'accounts.csv'): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  }

  const enqueue = (path: string, options: Partial<EnqueueFileOptions> = {}): Promise<EnqueueReport> =>
    enqueueFile({ path, mapFlags: [], module: 'Accounts', maxAttempts: 5, engine, queue, ...options });

  let calls = 0;
  async function admit({
    id,
    data: { v: _version, line: _line, queuedAtMs, ...sent },
  }: Pick<EnrichJob, 'id' | 'data'>) {
    const callId = `call-${++calls}`;
    const key = id as IdentityKey;
    const request = { key, callId, sent, queuedAtMs, limits: LIMITS, claimLostAfterMs: 60_000 };
    return { key, callId, admission: await engine.store.admit(request) };
  }

  /** Sends every waiting row as a worker would. */
  async function pay(): Promise<void> {
    for (const job of await queue.getWaiting(0, -1)) {
      const { key, callId, admission } = await admit(job);
      await job.remove();
      if (admission.kind !== 'go') continue;
      paid += 1;
      await engine.store.settle(key, callId, String(410405000002264025n + BigInt(paid)) as EnrichmentId);
      await engine.store.finish(key, 'COMPLETED', { ceo: `Head of ${job.data.name}` });
    }
  }

  async function enqueueAndPay(path: string, options: Partial<EnqueueFileOptions> = {}): Promise<EnqueueReport> {
    const plan = await planFile({ path, mapFlags: [], module: 'Accounts', engine, covers: null, ...options });
    const report = await enqueue(path, options);
    const { rows, enqueued, replaced, duplicates, known, knownUnderOtherColumns, rejected } = report;
    expect(plan).toMatchObject({ rows, enqueued, replaced, duplicates, known, knownUnderOtherColumns, rejected });
    expect(enqueued + duplicates + known + rejected).toBe(rows);
    await pay();
    return report;
  }

  /** Names and hosts that no other test has. */
  const own = (lines: readonly string[]) =>
    lines.map((line) => line.replace(/^(Acme|Beta|Gamma)\b/, `$1 ${run}`).replaceAll('.example', `-${run}.example`));
  const table = (columns: readonly Column[], names: readonly string[] = columns) => [
    names.join(','),
    ...rows.map((row) => columns.map((column) => row[column]).join(',')),
  ];

  testIn.short('a file whose columns are left out, added, renamed and mapped in turn is paid for once', async () => {
    expect(await enqueueAndPay(await file(table(['Company', 'Email'])))).toMatchObject({ enqueued: ROWS });
    const allKnown = { enqueued: 0, known: ROWS, knownUnderOtherColumns: ROWS };
    const all = await file(table(['Company', 'Email', 'Website']));
    expect(await enqueueAndPay(all)).toMatchObject(allKnown);
    expect(await enqueueAndPay(all, { mapFlags: ['email='] })).toMatchObject(allKnown);
    expect(await enqueueAndPay(all, { mapFlags: ['website='] })).toMatchObject({ enqueued: 0, known: ROWS });
    expect(await enqueueAndPay(await file(table(['Company'])))).toMatchObject(allKnown);
    expect(await enqueueAndPay(await file(table(['Company', 'Website', 'Town'])))).toMatchObject(allKnown);
    const renamed = table(['Website', 'Company', 'Email'], ['URL', 'Account Name', 'E-mail']);
    expect(await enqueueAndPay(await file(renamed))).toMatchObject(allKnown);
    expect(paid - paidBefore).toBe(ROWS);
  });

  testIn.short('a column taken out of the file, and the email alone changed, pay for nothing', async () => {
    await enqueueAndPay(await file(table(['Company', 'Email', 'Website'])));
    for (const columns of [['Company', 'Website'], ['Website'], ['Company', 'Email'], ['Website', 'Email']] as const) {
      expect(await enqueueAndPay(await file(table(columns)))).toMatchObject({
        enqueued: 0,
        knownUnderOtherColumns: ROWS,
      });
    }
    const others = table(['Company', 'Email', 'Website']).map((line) => line.replace('info@', 'sales@'));
    expect(await enqueueAndPay(await file(others))).toMatchObject({ enqueued: 0, knownUnderOtherColumns: ROWS });
    const different = table(['Company', 'Website']).map((line) => line.replace('www.firm', 'www.other'));
    expect(await enqueueAndPay(await file(different))).toMatchObject({ enqueued: ROWS, knownUnderOtherColumns: 0 });
  });

  const FULL = ['Company', 'Email', 'Website'] as const;
  const CHANGED: readonly (readonly [string, readonly Column[], (readonly string[])?])[] = [
    ['left out', ['Company', 'Email']],
    ['left out', ['Website', 'Email']],
    ['left out', ['Company']],
    ['added', ['Company', 'Email', 'Website', 'Town']],
    ['renamed and left out', ['Company', 'Website'], ['Account Name', 'URL']],
  ];

  describe.each(CHANGED)('columns that are %s while the rows wait (%p)', (_change, columns, names) => {
    testOn(kind).each(['normal', 'high'] as const)(
      'pay for nothing, whichever row is sent first (%s)',
      async (priority) => {
        const [before, after] = [await file(table(FULL)), await file(table(columns, names), 'changed.csv')];
        await enqueue(before);
        await enqueue(after, { priority });
        await pay();
        expect(paid - paidBefore).toBe(ROWS);
        for (const path of [before, after]) {
          const status = await withInput({ path, mapFlags: [], module: 'Accounts', engine }, fileStatus);
          expect(status).toMatchObject({ rows: ROWS, enriched: ROWS });
          expect(await enqueue(path)).toMatchObject({ enqueued: 0, known: ROWS });
        }
      },
    );

    testOn(kind).each(['normal', 'high'] as const)('pay for nothing the other way round (%s)', async (priority) => {
      await enqueue(await file(table(columns, names)));
      await enqueue(await file(table(FULL), 'changed.csv'), { priority });
      await pay();
      expect(paid - paidBefore).toBe(ROWS);
    });
  });

  testIn.short('a row that waits under two keys is sent under one, however the other call ends', async () => {
    await enqueue(await file(table(FULL).slice(0, 2)));
    await enqueue(await file(table(['Company', 'Email']).slice(0, 2), 'changed.csv'));
    const [one, other] = (await queue.getWaiting(0, -1)) as [EnrichJob, EnrichJob];
    const { store } = engine;
    const first = await admit(one);
    expect(first.admission.kind).toBe('go');
    expect((await admit(other)).admission).toMatchObject({ kind: 'claimed' });
    await store.release(first.key, first.callId);
    const second = await admit(other);
    expect(second.admission.kind).toBe('go');
    await store.markUncertain(second.key, second.callId, 'TIMEOUT');
    expect((await admit(one)).admission).toEqual({ kind: 'uncertain', held: false });
    await store.hold(second.key, second.callId, 'AMBIGUOUS');
    expect((await admit(one)).admission).toEqual({ kind: 'uncertain', held: true });
    await store.clear(second.key, second.callId);
    const third = await admit(one);
    expect(third.admission.kind).toBe('go');
    const id = '410405000002263999' as EnrichmentId;
    await store.settle(third.key, third.callId, id);
    expect((await admit(other)).admission).toEqual({ kind: 'scheduled', enrichmentId: id });
  });

  testIn.short('a row that is found again after a loss stands for the same row under other columns', async () => {
    await enqueue(await file(table(FULL).slice(0, 2)));
    await enqueue(await file(table(['Company', 'Website']).slice(0, 2), 'changed.csv'));
    const [one, other] = (await queue.getWaiting(0, -1)) as [EnrichJob, EnrichJob];
    const id = '410405000002263997' as EnrichmentId;
    const { name = null, website = null } = other.data;
    await engine.store.addOrphans([{ id, createdAtMs: 1, echo: { name, email: null, website } }], false);
    expect((await admit(one)).admission).toEqual({ kind: 'uncertain', held: false });
    expect((await admit(other)).admission).toEqual({ kind: 'uncertain', held: false });
    expect(await enqueue(await file(table(['Company', 'Website', 'Town']).slice(0, 2), 'third.csv'))).toMatchObject({
      enqueued: 0,
    });
  });

  testIn.short(
    'a row that is settled after its claim was lost stands for the same row under other columns, once written back',
    async () => {
      await enqueue(await file(table(FULL).slice(0, 2)));
      await enqueue(await file(table(['Company', 'Email']).slice(0, 2), 'changed.csv'));
      const [one, other] = (await queue.getWaiting(0, -1)) as [EnrichJob, EnrichJob];
      const { store } = engine;
      const { v: _version, line: _line, queuedAtMs, ...sent } = one.data;
      const key = one.id as IdentityKey;
      const id = '410405000002263996' as EnrichmentId;
      await store.settle(key, 'lost', id);
      await store.finish(key, 'COMPLETED', { ceo: 'Head' });
      const written = {
        state: 'scheduled',
        callId: 'lost',
        sentAtMs: 1,
        sends: 1,
        scheduledAtMs: 1,
        enrichmentId: id,
      } as const;
      const entry = { ...written, sent, ...(queuedAtMs !== undefined && { queuedAtMs }) };
      expect(await store.importEntries(new Map([[key, entry]]), new Map())).toEqual(new Map([[key, 'stronger']]));
      expect((await store.entries([key])).get(key)).toMatchObject({ sent, finalStatus: 'COMPLETED', enrichmentId: id });
      expect((await admit(other)).admission).toEqual({ kind: 'scheduled', enrichmentId: id });
      expect(await store.importEntries(new Map([[key, entry]]), new Map())).toEqual(new Map([[key, 'known']]));
    },
  );

  testIn.short('a row whose fate is open and whose job is lost gets one when its file is queued again', async () => {
    const path = await file(table(FULL).slice(0, 4));
    await enqueue(path);
    const [sending, unsure, settled] = (await queue.getWaiting(0, -1)) as [EnrichJob, EnrichJob, EnrichJob];
    await admit(sending);
    const lost = await admit(unsure);
    await engine.store.markUncertain(lost.key, lost.callId, 'TIMEOUT');
    const done = await admit(settled);
    await engine.store.settle(done.key, done.callId, '410405000002263998' as EnrichmentId);
    for (const job of [sending, unsure, settled]) await job.remove();
    expect(await enqueue(path)).toMatchObject({ enqueued: 0, known: 3 });
    const ids = (await queue.getWaiting(0, -1)).map((job) => job.id);
    expect(new Set(ids)).toEqual(new Set([sending.id, unsure.id]));
  });

  testIn.short('rows of one queueing are all sent, and so is what is queued again on purpose', async () => {
    const lines = rows.flatMap(({ Company, Website }, at) => [`${Company},a${at}@x.example,${Website}`]);
    await enqueue(await file(['Company,Email,Website', ...lines, ...lines.map((line) => line.replace(',a', ',b'))]));
    await enqueue(await file(table(['Company', 'Website'])), { again: true });
    await pay();
    expect(paid - paidBefore).toBe(3 * ROWS);
  });

  const N = 'Company';
  testIn.short.each<[string, 'uncertain' | 'held' | 'go', readonly Column[], readonly Column[]]>([
    ['equals it', 'uncertain', FULL, FULL],
    ['has nothing but the name, as it has', 'uncertain', [N], [N]],
    ['has nothing but the email, as it has', 'uncertain', ['Email'], ['Email']],
    ['has more than it', 'uncertain', FULL, ['Website']],
    ['has more than it', 'uncertain', FULL, [N, 'Email']],
    ['has lost the email', 'uncertain', [N, 'Website'], FULL],
    ['has lost the website', 'uncertain', [N, 'Email'], FULL],
    ['has lost the name', 'uncertain', ['Website', 'Email'], FULL],
    ['shares the website', 'uncertain', [N, 'Website'], ['Website', 'Email']],
    ['shares nothing but the name', 'held', [N], FULL],
    ['shares nothing but the name', 'held', FULL, [N]],
    ['shares nothing but the name', 'held', [N, 'Website'], [N, 'Email']],
    ['shares nothing but the email', 'go', ['Email'], FULL],
    ['has another company of that email', 'go', [N, 'Email'], ['Website', 'Email']],
  ])('an orphan whose row %s: %s (%p of %p)', async (_fit, expected, own, sent) => {
    const { Company, Email, Website } = rows[0] as Record<Column, string>;
    const all = { Company: { name: Company }, Email: { email: Email }, Website: { website: Website }, Town: {} };
    const fields = (columns: readonly Column[]) => Object.assign({}, ...columns.map((column) => all[column]));
    const id = String(710405000002264025n + BigInt(run)) as EnrichmentId;
    await engine.store.addOrphans([{ id, createdAtMs: 1, echo: fields(sent) }], false);
    const data = { v: 1 as const, module: 'Accounts', ...fields(own) };
    const { admission } = await admit({ id: identityKey(data), data });
    expect(admission).toMatchObject(expected === 'go' ? { kind: 'go' } : { held: expected === 'held' });
    expect(await engine.store.orphansLike([echoDigests(fields(own))])).toEqual(
      new Map(expected === 'go' ? [] : [[echoDigests(fields(own)), [id]]]),
    );
  });

  testIn.short('a mapping that names other columns altogether is known by the note of its header row', async () => {
    const path = await file(table(['Company', 'Town']));
    await enqueueAndPay(path, { mapFlags: ['name=Town'] });
    expect(await enqueueAndPay(path, { mapFlags: ['name=Company'] })).toMatchObject({ knownUnderOtherColumns: ROWS });
    expect(await enqueueAndPay(path, { mapFlags: ['name=Company'], module: 'Leads' })).toMatchObject({
      knownUnderOtherColumns: ROWS,
    });
    expect(paid - paidBefore).toBe(ROWS);
  });

  testIn.short('again pays, once, and never for a row whose own key was sent', async () => {
    await enqueueAndPay(await file(table(['Company', 'Email'])));
    const path = await file(table(['Company', 'Website']));
    expect(await enqueueAndPay(path, { again: true })).toMatchObject({ enqueued: ROWS, known: 0 });
    expect(await enqueueAndPay(path, { again: true })).toMatchObject({ enqueued: 0, known: ROWS });
    expect(paid - paidBefore).toBe(2 * ROWS);
  });

  testIn.short(
    'two record ids must be equal, a row without one equals a paid row with it, one that got it is told',
    async () => {
      const ids = ['Company,Website,Record Id', 'Acme,acme.example,5000000000001', 'Beta,beta.example,'];
      await enqueueAndPay(await file(own(ids)));
      const changed = [
        'Company,Website,Record Id,Email',
        'Acme,acme.example,5000000000002,a@acme.example',
        'Beta,beta.example,5000000000003,',
      ];
      expect(await enqueueAndPay(await file(own(changed)))).toMatchObject({ enqueued: 1, knownUnderOtherColumns: 1 });
      const without = ['Company,Website', 'Acme,acme.example', 'Beta,beta.example'];
      expect(await enqueueAndPay(await file(own(without)))).toMatchObject({
        enqueued: 0,
        known: 2,
        knownUnderOtherColumns: 1,
      });
      const report = await exported(await file(own(changed)));
      expect(report[1]).toMatchObject({ zia_status: 'enriched' });
      expect(report[1]?.zia_notes).toContain('--again');
    },
  );

  testIn.short(
    'an entry that fits by name alone stands for one company of a file; where several fit, all are new',
    async () => {
      await enqueueAndPay(await file(own(['Company', 'Acme', 'Beta', 'Gamma'])));
      const lines = ['Company,Website,Email', 'Acme,acme.example,', 'Beta,beta.example,', 'Beta,beta.other.example,'];
      expect(await enqueueAndPay(await file(own([...lines, 'Gamma,,info@gamma.example'])))).toMatchObject({
        enqueued: 2,
        knownUnderOtherColumns: 2,
      });
      expect(await enqueueAndPay(await file(own(['Company,Email', 'Beta,x@beta.example'])))).toMatchObject({
        enqueued: 1,
        knownUnderOtherColumns: 0,
      });
    },
  );

  testIn.short('rows of one file that are sent while it is read do not count', async () => {
    const lines = rows.flatMap(({ Company, Website }, at) => [`${Company},a${at}@x.example,${Website}`]);
    const path = await file(['Company,Email,Website', ...lines, ...lines.map((line) => line.replace(',a', ',b'))]);
    await enqueue(path, { limit: ROWS });
    await pay();
    expect(await enqueue(path)).toMatchObject({ enqueued: 0, known: 2 * ROWS, knownUnderOtherColumns: ROWS });
  });

  testIn.short('export and status give such a row the outcome of what was paid for, and say so', async () => {
    await enqueueAndPay(await file(table(['Company', 'Email', 'Website'])));
    const path = await file([...table(['Company', 'Website']), 'New Ltd,new.example']);
    const status = await withInput({ path, mapFlags: [], module: 'Accounts', engine }, fileStatus);
    expect(status).toMatchObject({ rows: ROWS + 1, enriched: ROWS, notEnqueued: 1 });
    const records = await exported(path);
    expect(records[3]).toMatchObject({ zia_status: 'enriched', zia_ceo: `Head of ${rows[3]?.Company}` });
    expect(records[3]?.zia_enrichment_id).toMatch(/^\d+$/);
    expect(records[3]?.zia_notes).toBe('sent under other columns');
    expect(records[ROWS]).toMatchObject({ zia_status: 'not_enqueued', zia_notes: '' });
  });

  testIn.short(
    'rows that wait under another mapping or module are replaced, never two jobs for one record',
    async () => {
      const path = await file(table(['Company', 'Email']));
      await enqueue(path, { module: 'Acounts' });
      expect(await enqueue(path)).toMatchObject({ enqueued: ROWS, replaced: ROWS, known: 0 });
      expect(await enqueue(path, { mapFlags: ['email='] })).toMatchObject({ enqueued: ROWS, replaced: ROWS });
      const jobs = await queue.getWaiting(0, -1);
      expect(jobs.map(({ data }) => [data.module, data.name, data.email])).toEqual(
        rows.map(({ Company }) => ['Accounts', Company, undefined]),
      );
      expect(
        await withInput({ path, mapFlags: ['email=Email'], module: 'Accounts', engine }, fileStatus),
      ).toMatchObject({
        waiting: ROWS,
      });
      await pay();
      expect(await enqueue(path, { mapFlags: ['email=Email'] })).toMatchObject({
        enqueued: 0,
        knownUnderOtherColumns: ROWS,
      });
      expect(paid - paidBefore).toBe(ROWS);
    },
  );

  testIn.short('delayed, prioritized and failed rows are replaced, those that a worker has stay', async () => {
    const path = await file(table(['Company', 'Email', 'Town']).slice(0, 5));
    await enqueue(path, { priority: 'low' });
    const [first, second, third] = await queue.getPrioritized(0, -1);
    let started: () => void = () => undefined;
    let finish: () => void = () => undefined;
    const isActive = new Promise<void>((resolve) => (started = resolve));
    const mayEnd = new Promise<void>((resolve) => (finish = resolve));
    const worker = t.closing(
      engine.openWorker(
        async (job) => {
          if (job.id !== first?.id) throw new Error('INVALID_DATA: no');
          started();
          await mayEnd;
          return { id: '1' };
        },
        { concurrency: 1 },
      ),
      async (opened) => {
        finish();
        await opened.close();
      },
    );
    await isActive;
    await third?.changePriority({ priority: 0 });
    const report = await enqueue(path, { mapFlags: ['email='], priority: 'low' });
    expect(report).toMatchObject({ rows: 4, enqueued: 3, replaced: 3, known: 1, knownUnderOtherColumns: 1 });
    expect(await engine.jobStatuses([second?.id as IdentityKey])).toEqual(new Map([[second?.id, { state: 'absent' }]]));
    expect((await engine.counts()).waiting).toBe(3);
    finish();
    await worker.close();
  });

  testIn.short('one row for each website is sent, and the others get its result', async () => {
    const lines = rows
      .slice(0, 3)
      .flatMap(({ Company, Website }) => [
        `${Company},${Website},anna@firm-${run}.example`,
        `${Company} Berlin,${Website},berta@firm-${run}.example`,
        `${Company} Bonn,https://${Website}/,`,
      ]);
    const path = await file(['Company,Website,E-Mail', ...lines, `Lonely ${run},,clara@firm-${run}.example`]);
    expect(await enqueueAndPay(path, { onePer: 'website' })).toMatchObject({ rows: 10, enqueued: 4, duplicates: 6 });
    expect(await enqueueAndPay(path, { onePer: 'website' })).toMatchObject({ enqueued: 0, duplicates: 6, known: 4 });
    const records = await exported(path);
    expect(records.map(({ zia_status }) => zia_status)).toEqual(records.map(() => 'enriched'));
    expect(records[4]).toMatchObject({ zia_ceo: `Head of ${rows[1]?.Company}`, zia_notes: 'result of line 5' });
  });

  testIn.short(
    'commands and pages count an enrichment once, and find the same rows, also of rows that share one',
    async () => {
      await enqueueAndPay(await file(table(['Company', 'Email', 'Website'])));
      const lines = table(['Company', 'Website', 'Town']);
      const path = await file([...lines, lines[1] ?? '', `New ${run} Ltd,new-${run}.example,Town`, 'x,,Town']);
      const shared = await bothWays(path);
      expect(shared.bought).toMatchObject({ enrichmentsUsed: ROWS, companies: ROWS });
      expect(shared.bought.fill[0]).toEqual({ column: 'zia_ceo', companies: ROWS });
      expect(shared.statuses).toEqual({ enriched: ROWS + 1, not_enqueued: 1, rejected: 1 });
      expect(await shared.lines({ search: ` FIRM ${run}-3 ltd ` })).toEqual([5]);
      // Only what can be sent is searched: a town is no company.
      expect(await shared.lines({ search: `town ${run}-3` })).toEqual([]);
      expect(await shared.lines({ without: 'zia_ceo' })).toEqual([]);
      expect(await shared.lines({ without: 'zia_phone', search: `firm${run}-3.` })).toEqual([5]);
      expect(await shared.lines({ code: 'NO_USABLE_FIELD' })).toEqual([ROWS + 4]);
      expect(await shared.lines({ statuses: ['not_enqueued'] })).toEqual([ROWS + 3]);

      const groups = rows
        .slice(0, 3)
        .flatMap(({ Website }) => ['a', 'b'].map((part) => `Part ${part} of ${run},${part}.${Website}/,${Website}`));
      const parts = await file(
        ['Company,Website,Town', ...groups.map((line) => line.replace(/,[ab]\./, ',one.'))],
        'p.csv',
      );
      await enqueueAndPay(parts, { onePer: 'website' });
      expect((await bothWays(parts)).bought).toMatchObject({ enrichmentsUsed: 3, companies: 3 });
    },
  );

  /** What a file comes to, asked for as the commands and as the dashboard do: both say the same. */
  async function bothWays(path: string) {
    const input = <T>(work: (opened: Input) => Promise<T>) =>
      withInput({ path, mapFlags: [], module: 'Accounts', engine }, work);
    const report = await input(fileReport);
    const pageRows = await input((opened) => FileRows.read(opened));
    // Counted again, it does not ask for results that it knows.
    const again = await input((opened) => FileRows.read(opened, undefined, pageRows));
    expect([pageRows.bought(), again.bought()]).toEqual([report.bought, report.bought]);
    const statuses: Record<string, number> = {};
    for (const { status } of pageRows.find({ offset: 0, limit: 100 }).rows)
      statuses[status] = (statuses[status] ?? 0) + 1;
    const lines = async (choice: RowChoice) => {
      const listed = await input(async (opened) => {
        const found: number[] = [];
        for await (const { line } of listRows(opened, choice)) found.push(line);
        return found;
      });
      expect(pageRows.find({ ...choice, offset: 0, limit: 100 }).rows.map(({ line }) => line)).toEqual(listed);
      return listed;
    };
    return { bought: report.bought, statuses, lines };
  }

  async function exported(path: string): Promise<readonly Record<string, string>[]> {
    const { out } = await withInput({ path, mapFlags: [], module: 'Accounts', engine }, (input) => exportFile(input));
    return parse(await readFile(out, 'utf8'), { columns: true }) as Record<string, string>[];
  }
});
