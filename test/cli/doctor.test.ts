import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { type Scene, withScene } from '../support/cli-scene.js';
import { ENGINES_IN_TURN } from '../support/engines.js';
import { endRedis, startRedis } from '../support/redis.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

interface Report {
  readonly code: number | null;
  readonly works: boolean;
  /** Name of each check that is not ok, with its status. */
  readonly wrong: Readonly<Record<string, string>>;
  message(name: string): string;
}

async function doctor(t: Scene, env: Readonly<Record<string, string>> = {}): Promise<Report> {
  const { code, stdout } = await t.run(['doctor', '--json'], env);
  const { works, checks } = JSON.parse(stdout) as {
    works: boolean;
    checks: { name: string; status: string; message: string }[];
  };
  return {
    code,
    works,
    wrong: Object.fromEntries(checks.filter(({ status }) => status !== 'ok').map(({ name, status }) => [name, status])),
    message: (name) => checks.find((check) => check.name === name)?.message ?? '',
  };
}

/** The server of the tests syncs once a second. */
const TEST_SERVER = { persistence: 'warning' };

describe.each(ENGINES_IN_TURN)('doctor on %s', (kind) => {
  test(
    'finds nothing wrong where nothing is, spends nothing and changes nothing',
    () =>
      withScene(kind, {}, async (t) => {
        const { code, stdout } = await t.run(['doctor']);
        expect({ code, last: stdout.trim().split('\n').at(-1) }).toEqual({ code: 0, last: 'A worker can run.' });
        expect(stdout).toMatch(/^ok +configuration: /m);
        expect(stdout).toMatch(
          kind === 'redis' ? /^ok +engine: Redis at .*, version \d/m : /^ok +engine: Embedded in .*this process/m,
        );
        for (const name of ['token', 'data center', 'feature and module', 'mapping of email', 'allowance', 'clock']) {
          expect(stdout).toMatch(new RegExp(`^ok +${name}: `, 'm'));
        }
        expect(stdout.match(/^ok +scope ZohoCRM\./gm)).toHaveLength(7);
        expect(t.sandbox.enrichments()).toHaveLength(0);
        // The store still belongs to nobody.
        expect((await t.run(['status'], { ZOHO_CLIENT_ID: 'another' })).code).toBe(0);
      }),
    60_000,
  );
});

testIn.short(
  'names the scopes that are missing: without CREATE no worker would run, without the others it would',
  () =>
    withScene('redis', { scopes: ['ZohoCRM.settings.intelligence.CREATE'] }, async (t) => {
      const create = await doctor(t);
      expect(create).toMatchObject({ code: 0, works: true });
      expect(create.wrong).toEqual({
        ...TEST_SERVER,
        'scope ZohoCRM.settings.intelligence.READ': 'warning',
        'scope ZohoCRM.Zia.enrichment.READ': 'warning',
        'scope ZohoCRM.features.READ': 'warning',
        'scope ZohoCRM.org.READ': 'warning',
        'scope ZohoCRM.users.READ': 'warning',
        'scope ZohoCRM.coql.READ with ZohoCRM.modules.READ': 'warning',
        mapping: 'not-checked',
        allowance: 'not-checked',
        clock: 'not-checked',
      });
      expect(create.message('scope ZohoCRM.settings.intelligence.READ')).toContain('uncertain rows will be held');
      t.sandbox.configure({ scopes: ['ZohoCRM.settings.intelligence.READ'] });
      const read = await doctor(t);
      expect(read).toMatchObject({ code: 2, works: false });
      expect(read.wrong).toMatchObject({ 'scope ZohoCRM.settings.intelligence.CREATE': 'failed' });
    }),
  60_000,
);

testIn.long(
  'names a wrong data center, at the accounts server and at the API',
  () =>
    withScene('redis', { wrongDataCenter: 'accounts' }, async (t) => {
      const accounts = await doctor(t);
      expect(accounts).toMatchObject({ code: 2, wrong: { token: 'failed', 'data center': 'failed' } });
      expect(accounts.message('data center')).toContain('ZOHO_DC');
      t.sandbox.configure({ wrongDataCenter: 'api' });
      await waitFor(async () => (await doctor(t)).message('token').includes('API refuses'));
      const api = await doctor(t);
      expect(api).toMatchObject({ code: 2, wrong: { token: 'failed', 'data center': 'failed' } });
    }),
  90_000,
);

testIn.long(
  'names a feature that is off, a field that is not mapped, a spent quota and a module Zoho does not enrich',
  () =>
    withScene('redis', { featureEnabled: false }, async (t) => {
      const off = await doctor(t);
      expect(off).toMatchObject({ code: 2, wrong: { 'feature and module': 'failed' } });
      expect(off.message('feature and module')).toContain('FEATURE_NOT_ENABLED');

      t.sandbox.configure({ featureEnabled: true, unmapped: ['email'] });
      const unmapped = await doctor(t);
      expect(unmapped.code).toBe(0);
      expect(unmapped.wrong).toEqual({ ...TEST_SERVER, 'mapping of email': 'warning' });
      expect(unmapped.message('mapping of email')).toContain('--map email=');

      t.sandbox.configure({ unmapped: [], quota: 0 });
      const spent = await doctor(t);
      expect(spent).toMatchObject({ code: 2, wrong: { allowance: 'failed' } });
      expect(spent.message('allowance')).toContain('LIMIT_EXCEEDED');

      t.sandbox.configure({ quota: null, clockOffsetMs: 120_000 });
      const module = await doctor(t, { ZIA_MODULE: 'Deals' });
      expect(module).toMatchObject({
        code: 2,
        wrong: { 'feature and module': 'failed', mapping: 'warning', clock: 'warning' },
      });
    }),
  90_000,
);

testIn.long(
  'names an eviction policy, and fails when the server may become full',
  async () => {
    const { url, server } = await startRedis();
    const redis = new Redis(url);
    try {
      await withScene('redis', {}, async (t) => {
        await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
        expect(await doctor(t, { REDIS_URL: url })).toMatchObject({ code: 0, wrong: { 'eviction policy': 'warning' } });
        await redis.config('SET', 'maxmemory', '100mb');
        const full = await doctor(t, { REDIS_URL: url });
        expect(full).toMatchObject({ code: 2, wrong: { 'eviction policy': 'failed' } });
        expect(full.message('eviction policy')).toMatch(/allkeys-lru.*noeviction/);
      });
    } finally {
      redis.disconnect();
      if (server !== null) await endRedis(server);
    }
  },
  60_000,
);

testIn.short(
  'names wrong settings, missing credentials, an engine out of reach and a store of another account',
  () =>
    withScene('redis', {}, async (t) => {
      const settings = await doctor(t, { ZIA_MAX_ATTEMPTS: 'many' });
      expect(settings).toMatchObject({ code: 2, wrong: { configuration: 'failed' } });
      const nobody = await doctor(t, { ZOHO_REFRESH_TOKEN: '' });
      expect(nobody).toMatchObject({ code: 2, wrong: { credentials: 'failed' } });
      const away = await doctor(t, { REDIS_URL: 'redis://127.0.0.1:1' });
      expect(away).toMatchObject({ code: 2, wrong: { engine: 'failed' } });
      // Zoho is looked at all the same.
      expect(away.message('token')).toContain('grants access tokens');
      await t.run(['status']);
      const other = await doctor(t, { ZOHO_CLIENT_ID: 'another' });
      expect(other).toMatchObject({ code: 2, wrong: { account: 'failed', token: 'failed' } });
      // What another account's check found out does not disturb this one.
      expect(await doctor(t)).toMatchObject({ code: 0, wrong: TEST_SERVER });
    }),
  90_000,
);

testIn.long(
  'a worker says before it starts what it would have to look up in vain, and goes on',
  () =>
    withScene('redis', {}, async (t) => {
      await t.run(['run', await t.csv('a.csv', 2)]);
      await writeFile(join(t.folder, 'b.csv'), 'Company\nBeta Inc\n');
      const other = { ZIA_PREFIX: `${t.env.ZIA_PREFIX}-b`, ZIA_DATA_DIR: '.zia-b' };
      const first = await t.run(['run', 'b.csv'], other);
      expect({ code: first.code, said: first.stderr.includes('"ledger.empty"') }).toEqual({ code: 0, said: true });
      const again = await t.run(['worker', '--until-idle'], other);
      expect({ code: again.code, said: again.stderr.includes('"ledger.empty"') }).toEqual({ code: 0, said: false });

      t.sandbox.configure({
        scopes: ['ZohoCRM.settings.intelligence.CREATE', 'ZohoCRM.Zia.enrichment.READ'],
        unmapped: ['email'],
      });
      const blind = t.start(['worker'], other);
      await waitFor(() => blind.stderr().includes('worker.started'), { what: 'the worker' });
      expect(blind.stderr()).toMatch(/intelligence\.READ.*account\.cannot-read/);
      expect(blind.stderr()).toMatch(/"fields":"email".*account\.unmapped-fields/);
      blind.child.kill('SIGTERM');
      await blind.ended;
    }),
  90_000,
);
