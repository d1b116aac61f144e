import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type Scene, withScene } from '../../support/cli-scene.js';
import { testRedisUrl } from '../../support/engines.js';

const json = async (t: Scene, words: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const { code, stdout, stderr } = await t.run([...words, '--json'], env);
  expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' });
  return JSON.parse(stdout);
};

/** Another store in the same folder. */
const moved = (t: Scene) => ({ REDIS_URL: testRedisUrl(), ZIA_PREFIX: `${t.env.ZIA_PREFIX}` });

test(
  'a ledger from the embedded engine makes every row known on Redis, results included, and imports again at will',
  () =>
    withScene('embedded', { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 }, async (t) => {
      const file = await t.csv('a.csv', 30);
      expect((await t.run(['run', file])).code).toBe(0);
      const before = await json(t, ['status', file]);
      expect(await json(t, ['ledger', 'export', 'l.ndjson'])).toEqual({ file: 'l.ndjson', entries: 30 });

      const redis = moved(t);
      const counts = { entries: 30, added: 30, stronger: 0, known: 0, conflicts: 0, forgotten: 0 };
      expect((await t.run(['ledger', 'import', 'l.ndjson'], redis)).code).toBe(2);
      expect(await json(t, ['ledger', 'import', 'l.ndjson', '--engine', 'redis'], redis)).toEqual({
        file: 'l.ndjson',
        ...counts,
      });
      expect(await json(t, ['ledger', 'import', 'l.ndjson'], redis)).toMatchObject({ added: 0, known: 30 });
      expect(await json(t, ['enqueue', file], redis)).toMatchObject({ enqueued: 0, known: 30 });
      expect((await json(t, ['status', file], redis)).file).toEqual(before.file);
      const posts = t.sandbox.enrichments().length;
      expect((await t.run(['worker', '--until-idle'], redis)).code).toBe(0);
      expect(t.sandbox.enrichments()).toHaveLength(posts);
      // Back the same way through a pipe: everything is known.
      const { stdout } = await t.run(['ledger', 'export', '-'], redis);
      await writeFile(join(t.folder, 'back.ndjson'), stdout);
      expect(await json(t, ['ledger', 'import', 'back.ndjson', '--engine', 'embedded'])).toMatchObject({ known: 30 });
    }),
  120_000,
);

test(
  'imports claims as uncertain, and never makes a scheduled row less',
  () =>
    withScene('redis', {}, async (t) => {
      const file = await t.csv('a.csv', 2);
      await t.run(['run', file]);
      await t.run(['ledger', 'export', 'l.ndjson']);
      const [header, first, second, end] = (await readFile(join(t.folder, 'l.ndjson'), 'utf8')).trim().split('\n');
      const {
        enrichmentId: _id,
        scheduledAtMs: _at,
        finalStatus: _status,
        finishedAtMs: _ended,
        result: _data,
        ...claim
      } = JSON.parse(first ?? '');
      const sending = JSON.stringify({ ...claim, state: 'sending' });
      await writeFile(join(t.folder, 'c.ndjson'), [header, sending, second, end].join('\n'));
      expect(await json(t, ['ledger', 'import', 'c.ndjson'])).toMatchObject({ known: 2 });
      const other = { ZIA_PREFIX: `${t.env.ZIA_PREFIX}-b`, ZIA_DATA_DIR: '.zia-b' };
      expect(await json(t, ['ledger', 'import', 'c.ndjson'], other)).toMatchObject({ added: 2 });
      expect(await json(t, ['status'], other)).toMatchObject({ uncertain: 1, held: 0 });
      expect(await json(t, ['enqueue', file], other)).toMatchObject({ enqueued: 0, known: 2 });
      expect(await json(t, ['ledger', 'import', 'l.ndjson'], other)).toMatchObject({ stronger: 1, known: 1 });
      expect(await json(t, ['status'], other)).toMatchObject({ uncertain: 0 });
    }),
  60_000,
);

test(
  'refuses another account, another version, what is no ledger, and a file that was cut short',
  () =>
    withScene('redis', {}, async (t) => {
      await t.run(['run', await t.csv('a.csv', 3)]);
      await t.run(['ledger', 'export', 'l.ndjson']);
      const text = await readFile(join(t.folder, 'l.ndjson'), 'utf8');
      const refused = async (content: string, words: string) => {
        await writeFile(join(t.folder, 'x.ndjson'), content);
        const { code, stderr } = await t.run(['ledger', 'import', 'x.ndjson']);
        expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(words) });
      };
      await refused(
        text.replace('"clientId":"sandbox"', '"clientId":"1000.OTHER"'),
        'the file comes from client 1000.OTHER',
      );
      await refused(text.replace('"version":1', '"version":2'), 'version 2');
      await refused('Company\nAcme\n', 'This is no ledger');
      await refused('', 'This is no ledger');
      await refused(text.split('\n').slice(0, 2).join('\n'), 'ends early');
      await refused(text.replace('"sends":1', '"sends":0'), 'cannot be read');
      expect((await t.run(['ledger', 'import', 'nowhere.ndjson'])).code).toBe(2);
      expect((await t.run(['ledger', 'steal', 'l.ndjson'])).code).toBe(2);
    }),
  60_000,
);
