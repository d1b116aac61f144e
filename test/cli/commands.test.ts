import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { withScene } from '../support/cli-scene.js';
import { ENGINES_IN_TURN, type EngineKind } from '../support/engines.js';
import { bySuite, testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const QUEUE = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 };
const FILE = {
  rows: 0,
  submitted: 0,
  enriched: 0,
  notFound: 0,
  waiting: 0,
  failed: 0,
  rejected: 0,
  notEnqueued: 0,
  uncertain: 0,
};

describe.each(bySuite<EngineKind>(['embedded'], ['redis']))('on %s', (kind) => {
  test(
    'enqueue, worker, status and export lead one file through, each in its own process',
    () =>
      withScene(kind, { completeAfterMs: 3_600_000 }, async (t) => {
        await writeFile(
          join(t.folder, 'a.csv'),
          'Company,Email\nAcme Ltd,\nAcme Ltd,\nX,\nBeta Inc,info@beta.example\n',
        );

        const enqueued = await t.run(['enqueue', 'a.csv', '--json']);
        expect(JSON.parse(enqueued.stdout)).toEqual({
          file: 'a.csv',
          rows: 4,
          enqueued: 2,
          replaced: 0,
          duplicates: 1,
          known: 0,
          knownUnderOtherColumns: 0,
          rejected: 1,
          input: expect.objectContaining({
            delimiter: ',',
            encoding: 'utf-8',
            headerLine: 1,
            findings: [{ code: 'UNUSABLE_VALUE', count: 1, lines: [4], fields: ['name'] }],
          }),
          rejectsFile: 'a.rejects.csv',
        });
        expect(enqueued.code).toBe(0);
        expect(enqueued.stderr).toMatch(/^engine: /);

        const before = await t.run(['status', 'a.csv', '--json']);
        expect(JSON.parse(before.stdout)).toMatchObject({
          engine: kind,
          queue: { ...QUEUE, waiting: 2 },
          stop: null,
          allowance: { used: 0, source: 'zoho' },
          file: { ...FILE, rows: 4, waiting: 3, rejected: 1 },
        });

        const worker = await t.run(['worker', '--until-idle', '--no-wait', '--json']);
        expect(JSON.parse(worker.stdout)).toMatchObject({ ended: 'idle', submitted: 2, failed: 0 });
        expect(worker.code).toBe(0);
        expect(t.sandbox.enrichments()).toHaveLength(2);

        const after = await t.run(['status', 'a.csv', '--json']);
        expect(JSON.parse(after.stdout)).toMatchObject({
          queue: { ...QUEUE, completed: 2 },
          file: { ...FILE, rows: 4, submitted: 3, rejected: 1 },
        });

        const exported = await t.run(['export', 'a.csv', '--out', 'o.csv']);
        expect(exported.code).toBe(0);
        const records: Record<string, string>[] = parse(await readFile(join(t.folder, 'o.csv')), { columns: true });
        expect(records.map(({ zia_status }) => zia_status)).toEqual([
          'submitted',
          'submitted',
          'rejected',
          'submitted',
        ]);
      }),
    60_000,
  );
});

describe.each(ENGINES_IN_TURN)('on %s', (kind) => {
  test(
    'a spent quota stops the run with exit 4, and a resume after more quota finishes it',
    () =>
      withScene(kind, { quota: 10 }, async (t) => {
        const file = await t.csv('a.csv', 30);
        const first = await t.run(['run', file]);
        expect(first.code).toBe(4);
        expect(first.stdout).toContain('LIMIT_EXCEEDED');
        expect(t.sandbox.enrichments()).toHaveLength(10);

        const status = JSON.parse((await t.run(['status', '--json'])).stdout);
        expect(status).toMatchObject({ queue: { waiting: 20, failed: 0 }, stop: { code: 'LIMIT_EXCEEDED' } });

        t.sandbox.configure({ quota: null });
        const worker = t.start(['worker']);
        await waitFor(() => worker.stderr().includes('worker.started'), { what: 'the worker' });
        const resumed = await t.run(['resume', '--json']);
        expect(JSON.parse(resumed.stdout)).toEqual({ resumed: true, outcome: 'accepted' });
        await waitFor(() => t.sandbox.enrichments().length === 30, { what: 'all rows' });
        worker.child.kill('SIGTERM');
        expect((await worker.ended).code).toBe(0);
      }),
    60_000,
  );
});

testIn.short('run goes on where Ctrl-C ended it, and no row is sent twice', () =>
  withScene('redis', { latencyMs: 30, notFoundShare: 0, failedShare: 0 }, async (t) => {
    const file = await t.csv('a.csv', 60);
    const first = t.start(['run', file], { ZIA_RATE_LIMIT_PER_SECOND: '20' });
    await waitFor(() => t.sandbox.enrichments().length >= 5, { what: 'some rows' });
    first.child.kill('SIGINT');
    expect((await first.ended).code).toBe(130);
    const sent = t.sandbox.enrichments().length;
    expect(sent).toBeLessThan(60);

    const second = await t.run(['run', file, '--json']);
    expect(second.code).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({
      enqueue: { enqueued: 0, known: 60 },
      work: { ended: 'idle', submitted: 60 - sent },
      export: { out: 'a.zia.csv', counts: { ...FILE, rows: 60, enriched: 60 } },
    });
    expect(t.sandbox.enrichments()).toHaveLength(60);
  }),
);

testIn.long('run looks at where its export goes before it spends anything', () =>
  withScene('redis', {}, async (t) => {
    const file = await t.csv('a.csv', 3);
    for (const [out, message] of [
      ['a.csv', 'a.csv is the input file itself: give --out another name.'],
      ['.', '. is a folder: name a file in it.'],
      ['nowhere/out.csv', 'nowhere/out.csv cannot be written: there is no folder nowhere.'],
    ] as const) {
      const { code, stderr } = await t.run(['run', file, '--out', out]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`error: ${message}`)]);
    }
    expect(t.sandbox.enrichments()).toEqual([]);
    expect(JSON.parse((await t.run(['status', '--json'])).stdout).queue.waiting).toBe(0);
  }),
);

testIn.short('run exits 3 when records were rejected', () =>
  withScene('redis', {}, async (t) => {
    await writeFile(join(t.folder, 'a.csv'), 'Company\nAcme Ltd\nX\n');
    expect((await t.run(['run', 'a.csv'])).code).toBe(3);
  }),
);

testIn.short('worker --until-idle exits 143 when it is told to end before', () =>
  withScene('redis', { latencyMs: 50 }, async (t) => {
    await t.run(['enqueue', await t.csv('a.csv', 100)]);
    const worker = t.start(['worker', '--until-idle'], { ZIA_RATE_LIMIT_PER_SECOND: '10' });
    await waitFor(() => t.sandbox.enrichments().length > 0, { what: 'a row' });
    worker.child.kill('SIGTERM');
    expect((await worker.ended).code).toBe(143);
  }),
);

testIn.long('pause stops a running worker, status says so and exits 0, and resume names the missing worker', () =>
  withScene('redis', {}, async (t) => {
    expect(JSON.parse((await t.run(['pause', '--json'])).stdout)).toEqual({ paused: true, code: 'PAUSED' });
    expect(JSON.parse((await t.run(['pause', '--json'])).stdout)).toEqual({ paused: false, code: 'PAUSED' });
    const status = await t.run(['status', '--json']);
    expect(status.code).toBe(0);
    expect(JSON.parse(status.stdout).stop).toMatchObject({
      code: 'PAUSED',
      epoch: 1,
      since: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    await t.run(['enqueue', await t.csv('a.csv', 3)]);
    expect((await t.run(['worker', '--until-idle'])).code).toBe(4);
    expect(t.sandbox.enrichments()).toHaveLength(0);
    expect(JSON.parse((await t.run(['resume', '--json'])).stdout)).toEqual({ resumed: true, outcome: 'no-worker' });
    expect(JSON.parse((await t.run(['resume', '--json'])).stdout)).toEqual({ resumed: false, outcome: 'not-stopped' });
  }),
);

testIn.long('a resume with the quota still spent costs one call, says why, and exits 4', () =>
  withScene('redis', { quota: 0 }, async (t) => {
    await t.run(['enqueue', await t.csv('a.csv', 5)]);
    expect((await t.run(['worker', '--until-idle'])).code).toBe(4);
    const posts = () => t.sandbox.log().filter(({ kind }) => kind === 'post').length;
    const worker = t.start(['worker']);
    await waitFor(() => worker.stderr().includes('worker.started'), { what: 'the worker' });
    const before = posts();
    const resumed = await t.run(['resume', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ outcome: 'stopped', code: 'LIMIT_EXCEEDED' });
    expect(resumed.code).toBe(4);
    expect(posts() - before).toBe(1);
  }),
);

testIn.long('--limit takes the first new rows, and again the next ones', () =>
  withScene('redis', {}, async (t) => {
    const file = await t.csv('a.csv', 10);
    for (const known of [0, 4]) {
      const { stdout } = await t.run(['enqueue', file, '--limit', '4', '--json']);
      expect(JSON.parse(stdout)).toMatchObject({ enqueued: 4, known });
    }
  }),
);

testIn.long('a column named once with --map is remembered for files with that header', () =>
  withScene('redis', {}, async (t) => {
    await writeFile(join(t.folder, 'a.csv'), 'Betrieb\nAcme Ltd\n');
    expect((await t.run(['status', 'a.csv'])).code).toBe(2);
    expect((await t.run(['enqueue', 'a.csv', '--map', 'name=Betrieb'])).code).toBe(0);
    expect(JSON.parse((await t.run(['status', 'a.csv', '--json'])).stdout).file).toMatchObject({ rows: 1, waiting: 1 });
  }),
);

testIn.long('the working directory remembers engine and store, and asks before another is used', () =>
  withScene('redis', {}, async (t) => {
    expect((await t.run(['status'])).code).toBe(0);
    const remembered = await readFile(join(t.folder, '.zia', 'last-engine.json'), 'utf8');
    expect(JSON.parse(remembered)).toMatchObject({ engine: 'redis' });

    const otherPrefix = { ZIA_PREFIX: `${t.env.ZIA_PREFIX}-b` };
    const refused = await t.run(['status'], otherPrefix);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('add `--engine redis` if that is meant');
    const embedded = await t.run(['status'], { REDIS_URL: '' });
    expect(embedded.code).toBe(2);
    expect(embedded.stderr).toContain('add `--engine embedded` if that is meant');

    expect((await t.run(['status', '--engine', 'embedded', '--json'])).stdout).toContain('"engine":"embedded"');
    expect((await t.run(['status'])).code).toBe(2);
  }),
);

testIn.long('what the working directory remembers holds no credentials', () =>
  withScene('redis', {}, async (t) => {
    // Redis without a password ignores none: the address alone decides, so an unused user name is enough.
    const { code } = await t.run(['status'], { REDIS_URL: `${t.env.REDIS_URL}?family=4` });
    expect(code).toBe(0);
    expect(await readFile(join(t.folder, '.zia', 'last-engine.json'), 'utf8')).not.toMatch(/family|@/);
  }),
);

testIn.long('a store belongs to one account: another one exits 2 naming both, a new refresh token does not', () =>
  withScene('redis', {}, async (t) => {
    expect((await t.run(['status'])).code).toBe(0);
    expect((await t.run(['status'], { ZOHO_REFRESH_TOKEN: 'another-one' })).code).toBe(0);
    const other = await t.run(['enqueue', await t.csv('a.csv', 1)], { ZOHO_CLIENT_ID: '1000.ABCDEFGHIJKLMNOP' });
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/belongs to client sandbox at http:\S+, and the settings name client 1000\.ABCD… at/);
  }),
);

testIn.long('a client id that Zoho does not know makes room for the right one, until a row was sent', () =>
  withScene('redis', {}, async (t) => {
    const wrong = { ZOHO_CLIENT_ID: '1000.MISTYPEDCLIENT' };
    expect((await t.run(['enqueue', await t.csv('a.csv', 2)], wrong)).code).toBe(0);
    const early = await t.run(['status']);
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('belongs to client 1000.MIST…')]);
    const stopped = await t.run(['worker', '--until-idle'], wrong);
    expect(stopped.code).toBe(4);
    expect(stopped.stderr).toContain('check ZOHO_CLIENT_ID');

    expect((await t.run(['doctor'])).stdout).not.toContain('belongs to client');
    const resumed = await t.run(['resume']);
    expect([resumed.code, resumed.stderr]).toEqual([
      0,
      expect.stringMatching(/belongs to client sandbox at http:\S+ now: Zoho did not know client 1000\.MIST…/),
    ]);
    expect((await t.run(['worker', '--until-idle', '--no-wait'])).code).toBe(0);
    expect(t.sandbox.log().filter(({ enrichmentId }) => enrichmentId !== null)).toHaveLength(2);
    expect((await t.run(['status'], wrong)).code).toBe(2);
  }),
);

testIn.long('status --watch keeps looking until Ctrl-C', () =>
  withScene('redis', {}, async (t) => {
    const status = t.start(['status', '--watch']);
    await waitFor(() => status.stdout().split('Not stopped.').length > 2, { what: 'a second look' });
    status.child.kill('SIGINT');
    expect((await status.ended).code).toBe(0);
  }),
);

testIn.long('dashboard serves until SIGTERM', () =>
  withScene('redis', {}, async (t) => {
    const dashboard = t.start(['dashboard'], { ZIA_DASHBOARD_PORT: '0' });
    const url = await waitFor(() => /dashboard: (\S+)/.exec(dashboard.stderr())?.[1], { what: 'the address' });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    dashboard.child.kill('SIGTERM');
    expect((await dashboard.ended).code).toBe(0);
  }),
);
