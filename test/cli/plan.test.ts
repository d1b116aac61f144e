import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type Scene, withScene } from '../support/cli-scene.js';
import { ENGINES_IN_TURN } from '../support/engines.js';
import { testIn } from '../support/suite.js';

const MIXED = [
  'Company,Email,Record Id',
  'Acme Ltd,info@acme.example,',
  'X,,',
  'Acme Ltd,info@acme.example,',
  'Beta Inc,not an address,5725767000000410057',
  'Gamma GmbH,,5.7E+18',
  '',
  'Delta AG,info@delta.example,',
  'Y,,',
].join('\n');

const NO_CREDENTIALS = { ZOHO_CLIENT_ID: '', ZOHO_CLIENT_SECRET: '', ZOHO_REFRESH_TOKEN: '' };

async function plan(t: Scene, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stdout, stderr } = await t.run(['plan', ...words, '--json'], env);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe.each(ENGINES_IN_TURN)('plan on %s', (kind) => {
  test(
    'agrees with enqueue, status and export on every count, and queues and spends nothing',
    () =>
      withScene(kind, { quota: 10 }, async (t) => {
        await writeFile(join(t.folder, 'a.csv'), MIXED);
        const planned = await plan(t, ['a.csv']);
        expect(planned).toEqual({
          file: 'a.csv',
          rows: 7,
          enqueued: 3,
          replaced: 0,
          duplicates: 1,
          known: 0,
          knownUnderOtherColumns: 0,
          rejected: 3,
          fieldsLeftOut: 1,
          rejects: { NO_USABLE_FIELD: 2, BAD_RECORD_ID: 1 },
          withRecordId: 1,
          covered: 3,
          endsAtLine: null,
          ahead: 0,
          allowance: { total: 10, used: 0, left: 10, source: 'zoho' },
          keep: 0,
          budget: null,
          calls: { posts: 3, polls: 4 },
          seconds: 1,
          input: {
            encoding: 'utf-8',
            delimiter: ',',
            headerLine: 1,
            columns: {
              name: { header: 'Company', index: 0, from: 'header' },
              email: { header: 'Email', index: 1, from: 'header' },
              website: null,
              recordId: { header: 'Record Id', index: 2, from: 'header' },
            },
            unused: [],
            findings: [
              { code: 'UNUSABLE_VALUE', count: 2, lines: [3, 9], fields: ['name'] },
              { code: 'UNUSABLE_VALUE', count: 1, lines: [5], fields: ['email'] },
            ],
          },
        });
        const empty = JSON.parse((await t.run(['status', '--json'])).stdout);
        expect(empty.queue).toEqual({ waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 });
        expect(empty.allowance).toEqual(planned.allowance);
        expect(t.sandbox.log().filter((call) => call.kind === 'post')).toEqual([]);

        const enqueued = JSON.parse((await t.run(['enqueue', 'a.csv', '--json'])).stdout);
        const { rows, enqueued: queued, duplicates, known, rejected } = planned;
        expect(enqueued).toMatchObject({ rows, enqueued: queued, duplicates, known, rejected });
        const rejects = await readFile(join(t.folder, 'a.rejects.csv'), 'utf8');
        for (const [code, records] of Object.entries(planned.rejects))
          expect(rejects.split(code)).toHaveLength(1 + Number(records));
        const { file } = JSON.parse((await t.run(['status', 'a.csv', '--json'])).stdout);
        expect(file).toMatchObject({ rows, waiting: queued + duplicates, rejected });
        const exported = JSON.parse((await t.run(['export', 'a.csv', '--json'])).stdout);
        expect(exported).toMatchObject({ rows, waiting: queued + duplicates, rejected });

        expect(await plan(t, ['a.csv'])).toMatchObject({
          rows,
          enqueued: 0,
          known: queued,
          duplicates,
          rejected,
          ahead: 3,
        });
      }),
    60_000,
  );
});

testIn.long('tells how many rows the allowance covers and the line where it ends, rows in the queue first', () =>
  withScene('redis', { quota: 5 }, async (t) => {
    await t.csv('a.csv', 8);
    expect(await plan(t, ['a.csv'])).toMatchObject({ enqueued: 8, covered: 5, endsAtLine: 7 });
    await t.run(['enqueue', await t.csv('b.csv', 3)]);
    expect(await plan(t, ['a.csv'])).toMatchObject({ ahead: 3, covered: 2, endsAtLine: 4 });
    expect(await plan(t, ['a.csv', '--limit', '2'])).toMatchObject({ enqueued: 2, covered: 2, endsAtLine: null });
    t.sandbox.configure({ quota: 3 });
    expect(await plan(t, ['a.csv'])).toMatchObject({ covered: 0, endsAtLine: 2 });
    const { stdout } = await t.run(['plan', 'a.csv']);
    expect(stdout).toContain(
      '8 new rows: uses 8 enrichments, and of 3 left, after 3 rows ahead in the queue there is none for these rows. Sending takes about 1 s; results usually follow within minutes.',
    );
  }),
);

testIn.long(
  'labels an allowance from edition and users as an estimate, and counts what the ledger knows as used',
  () =>
    withScene('redis', { allowanceKnown: false, users: 3 }, async (t) => {
      await t.run(['run', await t.csv('a.csv', 4)]);
      await t.csv('b.csv', 2);
      expect((await plan(t, ['b.csv'])).allowance).toEqual({ total: 1_500, used: 4, left: 1_496, source: 'estimate' });
      expect((await t.run(['plan', 'b.csv'])).stdout).toContain('estimated from edition and users');
      t.sandbox.configure({ edition: 'ultimate', users: 100 });
      expect((await plan(t, ['b.csv'])).allowance).toMatchObject({ total: 50_000 });
      t.sandbox.configure({ edition: 'professional' });
      expect((await plan(t, ['b.csv'])).allowance).toBeNull();
    }),
  30_000,
);

testIn.long(
  'works without credentials, without the scope, and without Zoho: the allowance is not known',
  () =>
    withScene('redis', {}, async (t) => {
      await t.csv('a.csv', 2);
      const unknown = { enqueued: 2, allowance: null, covered: null, endsAtLine: null };
      expect(await plan(t, ['a.csv'], NO_CREDENTIALS)).toMatchObject(unknown);
      expect((await t.run(['plan', 'a.csv'], NO_CREDENTIALS)).stdout).toContain('Allowance: not known');
      t.sandbox.configure({ scopes: ['ZohoCRM.settings.intelligence.ALL'] });
      expect(await plan(t, ['a.csv'])).toMatchObject(unknown);
      t.sandbox.configure({ accountsOutage: true });
      expect(await plan(t, ['a.csv'], { ZOHO_REFRESH_TOKEN: 'another' })).toMatchObject(unknown);
    }),
  30_000,
);

testIn.long('status asks for the allowance once a minute at most, and never fails for it', () =>
  withScene('redis', { quota: 10 }, async (t) => {
    const status = async () => JSON.parse((await t.run(['status', '--json'])).stdout);
    const asked = () => t.sandbox.log().filter((call) => call.kind === 'other').length;
    const { allowance, allowanceAsked } = await status();
    expect(allowance).toEqual({ total: 10, used: 0, left: 10, source: 'zoho' });
    expect(Date.now() - Date.parse(allowanceAsked)).toBeLessThan(30_000);
    expect(asked()).toBe(1);
    t.sandbox.configure({ quota: 5, accountsOutage: true });
    expect((await status()).allowance).toMatchObject({ total: 10 });
    expect(asked()).toBe(1);
  }),
);

testIn.long(
  'status says null when Zoho does not answer, soon',
  () =>
    withScene('redis', { latencyMs: 30_000 }, async (t) => {
      const startedAt = performance.now();
      const { code, stdout } = await t.run(['status', '--json']);
      expect({ code, allowance: JSON.parse(stdout).allowance }).toEqual({ code: 0, allowance: null });
      // Long before a call times out, also on a machine that takes seconds to start a process.
      expect(performance.now() - startedAt).toBeLessThan(15_000);
    }),
  20_000,
);

describe('the question before spending', () => {
  testIn.short(
    'shows the last line of the plan, asks once, and queues nothing for any answer but yes',
    () =>
      withScene('redis', { quota: 2 }, async (t) => {
        await writeFile(
          join(t.folder, 'a.csv'),
          'Company,Record Id\nAcme Ltd,5725767000000410057\nBeta Inc,\nGamma Ltd,\n',
        );
        for (const [answer, code] of [
          ['n\n', 1],
          ['\r', 1],
          ['\x04', 1],
          ['\x03', 130],
        ] as const) {
          const terminal = await t.onTerminal(['enqueue', 'a.csv'], { columns: 160 });
          await terminal.shows('Send 3 rows to Zia? [y/N]');
          terminal.type(answer);
          expect((await terminal.ended).code).toBe(code);
          const screen = (await terminal.screen()).join('\n');
          expect(screen.split('Send 3 rows to Zia?')).toHaveLength(2);
          expect(screen).toContain('3 new rows: uses 3 enrichments');
          expect(screen).toContain('you can afford 2 of these rows (up to line 3)');
          expect(screen).toContain('1 row with a record id: Zoho may write');
          expect(screen).toContain('Nothing was queued.');
        }
        expect(JSON.parse((await t.run(['status', '--json'])).stdout).queue.waiting).toBe(0);
        const yes = await t.onTerminal(['enqueue', 'a.csv']);
        await yes.shows('Send 3 rows to Zia?');
        yes.type('y\n');
        expect((await yes.ended).code).toBe(0);
        expect(JSON.parse((await t.run(['status', '--json'])).stdout).queue.waiting).toBe(3);
        // Nothing is new any more, so there is nothing to ask about.
        const again = await t.onTerminal(['enqueue', 'a.csv']);
        expect((await again.ended).code).toBe(0);
        expect(again.raw()).not.toContain('[y/N]');
      }),
    60_000,
  );

  testIn.long(
    'is left out with --yes',
    () =>
      withScene('redis', {}, async (t) => {
        await t.csv('a.csv', 2);
        const terminal = await t.onTerminal(['run', 'a.csv', '--yes']);
        expect((await terminal.ended).code).toBe(0);
        expect(terminal.raw()).not.toContain('[y/N]');
        expect(t.sandbox.enrichments()).toHaveLength(2);
      }),
    30_000,
  );

  testIn.short('is not asked where there is no terminal', () =>
    withScene('redis', {}, async (t) => {
      const { code, stderr } = await t.run(['enqueue', await t.csv('a.csv', 2)]);
      expect({ code, asked: stderr.includes('[y/N]') }).toEqual({ code: 0, asked: false });
    }),
  );
});

testIn.short('a line with two values that cannot be used is named once', () =>
  withScene('redis', {}, async (t) => {
    await writeFile(
      join(t.folder, 'a.csv'),
      'Company,Email,Website\nAcme,acme@gmail.com,facebook.com/acme\nEmber,info@ember.example,ember.example\n',
    );
    expect((await t.run(['plan', 'a.csv'])).stdout).toContain('like left out (line 2)\n');
  }),
);
