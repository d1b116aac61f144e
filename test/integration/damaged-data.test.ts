import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { escapeFormulas } from '../../src/reports/export-record.js';
import { summarise } from '../../src/sandbox/effects.js';
import { type Scene, withScene } from '../support/cli-scene.js';
import { testRedisUrl } from '../support/engines.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';

/** The keys of a scene's store, to damage what is in them. */
async function withRedis(scene: Scene, work: (redis: Redis, key: (name: string) => string) => Promise<void>) {
  await using t = setup();
  const redis = t.closing(new Redis(testRedisUrl()), (client) => client.disconnect());
  await work(redis, (name) => `{${scene.env.ZIA_PREFIX}}:${name}`);
}

const accepted = ({ sandbox }: Scene) => summarise(sandbox.log()).accepted;
const fileOf = async (scene: Scene, file: string) =>
  (JSON.parse((await scene.run(['status', file, '--json'])).stdout) as { file: Record<string, number> }).file;

testIn.long('one ledger entry that cannot be read is named, and keeps no other from anything', () =>
  withScene('redis', {}, async (scene) => {
    const file = await scene.csv('accounts.csv', 10);
    await scene.run(['enqueue', file]);
    await scene.run(['worker', '--until-idle']);
    await withRedis(scene, async (redis, key) => {
      const [ledger = ''] = (await redis.keys(key('*ledger'))).filter((name) => !name.endsWith('ledger:'));
      const [damaged = ''] = await redis.hkeys(ledger);
      await redis.hset(ledger, damaged, 'nonsense');
    });
    expect(await fileOf(scene, file)).toMatchObject({ rows: 10, uncertain: 1 });
    expect(await scene.run(['enqueue', file, '--json'])).toMatchObject({ code: 0 });
    expect(await scene.run(['worker', '--until-idle'])).toMatchObject({ code: expect.any(Number) });
    expect(accepted(scene)).toBe(10);
    expect(await scene.run(['export', file, '--out', 'out.csv'])).toMatchObject({ code: 0 });
    const exported = await readFile(join(scene.folder, 'out.csv'), 'utf8');
    expect(exported.match(/UNREADABLE_ENTRY/g)).toHaveLength(1);
    expect(exported.match(/,(submitted|enriched),\d+,/g)).toHaveLength(9);
    const saved = await scene.run(['ledger', 'export', 'ledger.ndjson', '--json']);
    expect(saved.code).toBe(0);
    const { entries, unreadable } = JSON.parse(saved.stdout);
    expect([entries, unreadable]).toEqual([10, [expect.stringMatching(/^r1/)]]);
    expect(saved.stderr).toContain(`1 entry of the ledger cannot be read (${unreadable[0]})`);
  }),
);

testIn.short('jobs whose data is no JSON, or null, fail as unreadable, and an idle worker ends', () =>
  withScene('redis', {}, async (scene) => {
    const file = await scene.csv('accounts.csv', 4);
    await scene.run(['enqueue', file]);
    await withRedis(scene, async (redis, key) => {
      const [first = '', second = ''] = await redis.lrange(key('zia-enrich:wait'), 0, 1);
      await redis.hset(key(`zia-enrich:${first}`), 'data', '{"name": "Acme');
      await redis.hset(key(`zia-enrich:${second}`), 'data', 'null');
    });
    const worker = await scene.run(['worker', '--until-idle']);
    expect({ code: worker.code, shown: worker.stderr.includes('Acme') }).toEqual({ code: 3, shown: false });
    expect(accepted(scene)).toBe(2);
    const { stdout } = await scene.run(['status', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ queue: { active: 0, waiting: 0, failed: 2 } });
    expect(worker.stderr.match(/"reason":"UNREADABLE_JOB/g)).toHaveLength(2);
    expect(await scene.run(['retry'])).toMatchObject({ code: 0 });
  }),
);

testIn.short('a NUL in what Zoho found is not written', () => {
  expect(escapeFormulas('Ac\0me')).toBe('Acme');
});
