import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { type Scene, withScene } from '../../support/cli-scene.js';
import { waitFor } from '../../support/wait.js';

const QUIET = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 };
const FIRST_ID = 5_725_767_000_000_410_069n;

async function recordsIn({ folder }: Scene, name: string): Promise<Record<string, string>[]> {
  return parse(await readFile(join(folder, name), 'utf8'), { columns: true }); // one object a record
}

async function visible({ folder }: Scene): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
}

test(
  '25,000 accounts are pulled in order of id, each once, in a call for 2,000 and four more; odd names survive',
  () =>
    withScene('redis', { ...QUIET, records: 25_000 }, async (t) => {
      const { code, stdout } = await t.run([
        'pull',
        '--out',
        'all.csv',
        '--where',
        'Enrich_Status__s is null or Enrich_Status__s is not null',
        '--json',
      ]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ module: 'Accounts', records: 25_000 });
      const records = await recordsIn(t, 'all.csv');
      expect(records.map((one) => one['Record Id'])).toEqual(
        Array.from({ length: 25_000 }, (_, at) => String(FIRST_ID + BigInt(at) * 17n)),
      );
      expect(records.slice(0, 7).map((one) => one['Account Name'])).toEqual([
        'Harbour 0 Trading',
        'Harbour 1 Trading "and" Sons, Ltd',
        'Harbour 2 Trading\nHolding',
        'Harbour 3 Trading',
        'Harbour 4 Trading = Co',
        'Harbour 5 Trading',
        '=Harbour 6 Trading',
      ]);
      const calls = t.sandbox.log().filter(({ kind }) => kind === 'coql');
      expect(calls.length).toBeLessThanOrEqual(Math.ceil(25_000 / 2_000) + 4);
      expect(await visible(t)).toEqual(['all.csv']);
    }),
  120_000,
);

test(
  'a pull that is killed half-way leaves no file under its name, and --resume ends with the same file',
  () =>
    withScene('redis', { ...QUIET, records: 9_000 }, async (t) => {
      const choice = ['--missing', 'Industry', '--fields', 'Phone'];
      expect((await t.run(['pull', '--out', 'whole.csv', ...choice])).code).toBe(0);
      const before = t.sandbox.log().length;
      t.sandbox.configure({ latencyMs: 400 });
      const cut = t.start(['pull', '--out', 'cut.csv', ...choice]);
      const queries = () =>
        t.sandbox
          .log()
          .slice(before)
          .filter(({ kind, answeredAtMs }) => kind === 'coql' && answeredAtMs !== null);
      await waitFor(async () => queries().length >= 4 && (await visible(t)).includes('cut.csv.partial.json'));
      cut.child.kill('SIGKILL');
      await cut.ended;
      expect(await visible(t)).not.toContain('cut.csv');
      t.sandbox.configure({ latencyMs: 0 });

      const other = await t.run(['pull', '--out', 'cut.csv', '--missing', 'Phone', '--resume']);
      expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('begun with other choices') });
      const resumed = await t.run(['pull', '--out', 'cut.csv', ...choice, '--resume']);
      expect(resumed.code).toBe(0);
      expect(await readFile(join(t.folder, 'cut.csv'), 'utf8')).toBe(
        await readFile(join(t.folder, 'whole.csv'), 'utf8'),
      );
      expect(await visible(t)).toEqual(['cut.csv', 'whole.csv']);
      // With nothing to go on with it starts anew.
      expect((await t.run(['pull', '--out', 'cut.csv', ...choice, '--resume'])).code).toBe(0);
    }),
  120_000,
);

test(
  'pull, plan, run of 30 and verify: 30 records that had no industry have one; nothing else is written to the CRM',
  () =>
    withScene('embedded', { ...QUIET, records: 200 }, async (t) => {
      const pulled = await t.run(['pull', '--out', 'accounts.csv', '--missing', 'Industry', '--json']);
      const { records } = JSON.parse(pulled.stdout);
      expect(records).toBeGreaterThan(30);
      expect((await recordsIn(t, 'accounts.csv')).every((one) => one.Industry === '')).toBe(true);
      const plan = JSON.parse((await t.run(['plan', 'accounts.csv', '--json'])).stdout);
      expect(plan).toMatchObject({ rows: records, enqueued: records });
      expect((await t.run(['run', 'accounts.csv', '--limit', '30', '--yes'])).code).toBe(0);
      const verified = await t.run(['verify', 'accounts.csv', '--json']);
      expect(verified.code).toBe(0);
      expect(JSON.parse(verified.stdout)).toEqual({ records, fields: { Industry: { missing: records, filled: 30 } } });
      const written = t.sandbox
        .log()
        .filter(({ method, kind }) => method !== 'GET' && !['token', 'post', 'coql'].includes(kind));
      expect(written).toEqual([]);

      const leads = await t.run(['enqueue', 'accounts.csv', '--yes'], { ZIA_MODULE: 'Leads' });
      expect(leads).toMatchObject({ code: 2, stderr: expect.stringContaining('was pulled from Accounts') });
    }),
  120_000,
);

test(
  'chooses what was neither enriched nor looked for in vain, also where Zoho does not take the mark as a filter',
  () =>
    withScene('redis', { ...QUIET, records: 300 }, async (t) => {
      expect((await t.run(['pull', '--out', 'there.csv'])).code).toBe(0);
      t.sandbox.configure({ unfilterableFields: ['Enrich_Status__s', 'Last_Enriched_Time__s'] });
      const here = await t.run(['pull', '--out', 'here.csv']);
      expect(here).toMatchObject({ code: 0, stderr: expect.stringContaining('filtered on this machine') });
      const text = await readFile(join(t.folder, 'here.csv'), 'utf8');
      expect(text).toBe(await readFile(join(t.folder, 'there.csv'), 'utf8'));
      const chosen = (await recordsIn(t, 'here.csv')).length;
      expect(chosen).toBeGreaterThan(200);
      expect(chosen).toBeLessThan(300);

      const old = await t.run(['pull', '--out', 'old.csv', '--enriched-before', '2025-03-01']);
      expect(old.code).toBe(0);
      t.sandbox.configure({ unfilterableFields: [] });
      expect((await t.run(['pull', '--out', 'old-there.csv', '--enriched-before', '2025-03-01'])).code).toBe(0);
      expect(await readFile(join(t.folder, 'old.csv'), 'utf8')).toBe(
        await readFile(join(t.folder, 'old-there.csv'), 'utf8'),
      );
      expect((await recordsIn(t, 'old.csv')).length).toBeGreaterThan(0);

      expect((await t.run(['pull', '--out', 'few.csv', '--limit', '7'])).code).toBe(0);
      expect(await recordsIn(t, 'few.csv')).toHaveLength(7);
      const leads = await t.run(['pull', '--out', 'leads.csv', '--module', 'Leads', '--limit', '3']);
      expect(leads.code).toBe(0);
      expect(Object.keys((await recordsIn(t, 'leads.csv'))[0] ?? {})).toEqual([
        'Record Id',
        'Company',
        'Website',
        'Email',
      ]);
    }),
  120_000,
);

test(
  'each refusal is one clear sentence and exit 2, and leaves no file',
  () =>
    withScene('redis', { ...QUIET, records: 20 }, async (t) => {
      const refusals: readonly (readonly [readonly string[], object, string])[] = [
        [[], { scopes: ['ZohoCRM.modules.READ'] }, 'ZohoCRM.coql.READ and ZohoCRM.modules.accounts.READ'],
        [[], { permission: false }, 'may not read Accounts (NO_PERMISSION)'],
        [['--missing', 'Nope'], {}, 'has no field Nope'],
        [['--fields', 'Nope'], {}, 'has no field Nope'],
        [['--where', 'a = 1 and b = 2 and c = 3'], {}, 'SYNTAX_ERROR: line 1'],
        [['--where', "Description = 'x'"], {}, 'has no field Description that the query can use'],
        [['--module', 'Nope'], {}, 'no module Nope'],
        [['--missing', 'a b'], {}, 'Expected API names'],
        [['--enriched-before', 'soon'], {}, 'such as 180d'],
      ];
      for (const [flags, options, sentence] of refusals) {
        t.sandbox.configure({ permission: true, scopes: ['ZohoCRM.coql.READ', 'ZohoCRM.modules.READ'], ...options });
        const { code, stdout, stderr } = await t.run(['pull', '--out', 'x.csv', ...flags]);
        expect({ sentence, code, stdout }).toEqual({ sentence, code: 2, stdout: '' });
        expect(stderr).toContain(sentence);
        expect(await visible(t)).toEqual([]);
      }
      await writeFile(join(t.folder, 'plain.csv'), 'Company,Website\nAcme Ltd,acme.example\n');
      expect(await t.run(['verify', 'plain.csv'])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('no column of record ids'),
      });
    }),
  120_000,
);

test(
  'throttling and an outage in the middle are waited out, and told',
  () =>
    withScene('redis', { ...QUIET, records: 5_000 }, async (t) => {
      t.sandbox.configure({
        faults: [
          { kind: '429', on: 'coql', share: 1, times: 1 },
          { kind: 'http-500', on: 'coql', share: 1, times: 1 },
          { kind: 'cut-before', on: 'coql', share: 1, times: 1 },
        ],
      });
      const pulled = await t.run(['pull', '--out', 'a.csv', '--where', 'Enrich_Status__s is null', '--json']);
      expect(pulled).toMatchObject({ code: 0, stderr: expect.stringContaining('trying again in') });
      expect(await recordsIn(t, 'a.csv')).toHaveLength(JSON.parse(pulled.stdout).records);
    }),
  120_000,
);

test(
  'the allowance comes from the feature, else from the monthly figures, else from an estimate, and is labelled',
  () =>
    withScene('redis', { ...QUIET, quota: 300 }, async (t) => {
      const file = await t.csv('a.csv', 3);
      const allowance = async () => JSON.parse((await t.run(['plan', file, '--json'])).stdout).allowance;
      expect(await allowance()).toEqual({ total: 300, used: 0, left: 300, source: 'zoho' });
      t.sandbox.configure({ allowanceKnown: false, stats: 'one' });
      expect(await allowance()).toEqual({ total: 300, used: 0, left: 300, source: 'stats' });
      expect((await t.run(['plan', file])).stdout).toContain("from Zoho's monthly figures");
      t.sandbox.configure({ stats: 'several' });
      expect(await allowance()).toMatchObject({ total: 10_000, source: 'estimate' });
    }),
  120_000,
);
