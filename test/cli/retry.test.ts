import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { identityKey } from '../../src/lib/core/identity.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { type Scene, withScene } from '../support/cli-scene.js';
import { ENGINE_KINDS, ENGINES_IN_TURN, quietLog } from '../support/engines.js';
import { testIn } from '../support/suite.js';

const json = async (t: Scene, words: readonly string[]) => {
  const { code, stdout, stderr } = await t.run([...words, '--json']);
  expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' });
  return JSON.parse(stdout);
};

const refuse = (code: string, match: string) => ({
  kind: 'status' as const,
  on: 'post' as const,
  share: 1,
  status: 400,
  match,
  body: {
    __zia_org_enrichment: [{ code, details: { api_name: 'name' }, message: 'refused', status: 'error' }],
  },
});

describe.each(ENGINES_IN_TURN)('on %s', (kind) => {
  test(
    'retry puts failed rows back with fresh attempts: by code, by file, all; and says how many',
    () =>
      withScene(
        kind,
        { faults: [refuse('INVALID_DATA', 'Bad'), refuse('EXPECTED_FIELD_MISSING', 'Empty')] },
        async (t) => {
          const names = (prefix: string, count: number) => Array.from({ length: count }, (_, at) => `${prefix} ${at}`);
          await writeFile(
            join(t.folder, 'a.csv'),
            `Company\n${[...names('Bad', 3), ...names('Empty', 2), 'Good'].join('\n')}\n`,
          );
          await writeFile(join(t.folder, 'b.csv'), `Company\nBad 1\nNobody\n${names('Empty', 1).join('\n')}\n`);
          await t.run(['enqueue', 'a.csv']);
          expect((await t.run(['worker', '--until-idle'])).code).toBe(3);
          expect((await json(t, ['status'])).queue).toMatchObject({ failed: 5 });

          expect(await json(t, ['retry', '--code', 'EXPECTED_FIELD_MISSING', '--file', 'b.csv'])).toEqual({
            retried: 1,
            left: 1,
            released: 0,
          });
          expect(await json(t, ['retry', '--code', 'NO_SUCH_CODE'])).toEqual({ retried: 0, left: 4, released: 0 });
          expect(await json(t, ['retry', '--code', 'INVALID_DATA'])).toEqual({ retried: 3, left: 1, released: 0 });
          expect((await json(t, ['status'])).queue).toMatchObject({ waiting: 4, failed: 1 });
          t.sandbox.configure({ faults: [] });
          const { stdout } = await t.run(['retry']);
          expect(stdout).toBe('1 row put back into the queue with fresh attempts.\n');
          expect((await t.run(['worker', '--until-idle'])).code).toBe(0);
          expect((await json(t, ['status', 'a.csv'])).file).toMatchObject({ rows: 6, failed: 0 });
          expect(t.sandbox.enrichments()).toHaveLength(6);
        },
      ),
    120_000,
  );
});

testIn.long(
  'retry --uncertain releases held rows, and only those',
  () =>
    withScene(
      'redis',
      {
        faults: [{ kind: 'cut-before', on: 'post', share: 1, times: 1 }, refuse('INVALID_DATA', 'Bad')],
        // Held at once: nobody may look it up.
        scopes: ['ZohoCRM.settings.intelligence.CREATE'],
      },
      async (t) => {
        await writeFile(join(t.folder, 'a.csv'), 'Company\nAcme Ltd\nBad 1\n');
        await t.run(['enqueue', 'a.csv']);
        expect((await t.run(['worker', '--until-idle'])).code).toBe(3);
        expect(await json(t, ['status'])).toMatchObject({ held: 1, queue: { failed: 2 } });
        expect(await json(t, ['retry'])).toEqual({ retried: 1, left: 1, released: 0 });
        expect(await json(t, ['retry', '--uncertain'])).toEqual({ retried: 1, left: 0, released: 0 });
        t.sandbox.configure({ faults: [] });
        expect((await t.run(['worker', '--until-idle'])).code).toBe(0);
        expect(t.sandbox.enrichments()).toHaveLength(2);
        expect((await t.run(['retry', '--uncertain', '--code', 'X'])).code).toBe(2);
      },
    ),
  120_000,
);

testIn.long(
  'retry --uncertain also releases held rows that have no job, so that they can be enqueued again',
  () =>
    withScene('redis', {}, async (t) => {
      await writeFile(join(t.folder, 'a.csv'), 'Company\nAcme Ltd\n');
      const key = identityKey({ module: 'Accounts', name: 'Acme Ltd' });
      const engine = await openEngine(
        { redisUrl: t.env.REDIS_URL, dataDir: t.folder, prefix: t.env.ZIA_PREFIX ?? '', queueName: 'zia-enrich' },
        quietLog,
      );
      const held = {
        state: 'held',
        callId: 'c',
        sentAtMs: 1,
        sends: 1,
        sent: { module: 'Accounts', name: 'Acme Ltd' },
      } as const;
      await engine.store.importEntries(new Map([[key, held]]), new Map());
      await engine.close();
      expect(await json(t, ['enqueue', 'a.csv'])).toMatchObject({ enqueued: 0, known: 1 });
      expect(await json(t, ['retry', '--uncertain'])).toEqual({ retried: 0, left: 0, released: 1 });
      expect(await json(t, ['enqueue', 'a.csv'])).toMatchObject({ enqueued: 1 });
    }),
  60_000,
);

describe.each(ENGINE_KINDS)('--priority on %s', (kind) => {
  testIn.long(
    'high goes before everything that waits and low after it, each in the order of its file',
    () =>
      withScene(kind, {}, async (t) => {
        for (const priority of ['low', 'normal', 'high']) {
          await t.run(['enqueue', await t.csv(`${priority}.csv`, 3), '--priority', priority]);
        }
        await t.run(['enqueue', await t.csv('plain.csv', 3)]);
        expect((await json(t, ['status'])).queue).toMatchObject({ waiting: 12 });
        const env = { ZIA_WORKER_CONCURRENCY: '1', ZIA_MAX_IN_FLIGHT: '1' };
        expect((await t.run(['worker', '--until-idle'], env)).code).toBe(0);
        const sent = t.sandbox.log().flatMap(({ kind: call, sent: row }) => (call === 'post' ? [row?.name] : []));
        const names = (priority: string) => [0, 1, 2].map((at) => `Company ${priority}.csv ${at}`);
        expect(sent).toEqual(['high', 'normal', 'plain', 'low'].flatMap(names));
        expect((await t.run(['enqueue', 'low.csv', '--priority', 'urgent'])).code).toBe(2);
      }),
    120_000,
  );
});

testIn.long(
  'rows that Zoho failed are told, and sent again only with --paid, on redis',
  () =>
    withScene('redis', { failedShare: 1, notFoundShare: 0 }, async (t) => {
      await t.csv('a.csv', 3);
      expect((await t.run(['run', 'a.csv'])).code).toBe(3);
      const told = await t.run(['retry', '--file', 'a.csv']);
      expect(told.stdout).toBe(
        'No rows to retry.\n3 rows failed at Zoho (ENRICHMENT_FAILED): Zoho took an enrichment for each and could not finish it, so sending them again is not free.\nTo pay for them again: zia-enrich retry --paid --file a.csv\n',
      );
      expect((await t.run(['retry', '--code', 'NOPE'])).stdout).toBe(
        'No row failed with NOPE. Codes present: ENRICHMENT_FAILED (3).\n',
      );
      expect(t.sandbox.enrichments()).toHaveLength(3);

      t.sandbox.configure({ failedShare: 0 });
      expect((await t.run(['retry', '--paid'])).stdout).toBe('3 rows put back into the queue with fresh attempts.\n');
      expect((await t.run(['worker', '--until-idle'])).code).toBe(0);
      expect(t.sandbox.enrichments()).toHaveLength(6);
      expect((await json(t, ['status', 'a.csv'])).file).toMatchObject({ rows: 3, enriched: 3, failed: 0 });
      // What was paid for before belongs to its row still: no worker takes it for an orphan.
      expect((await json(t, ['retry', '--paid'])).retried).toBe(0);
      expect((await t.run(['run', 'a.csv'])).code).toBe(0);
      expect(t.sandbox.enrichments()).toHaveLength(6);
    }),
  90_000,
);
