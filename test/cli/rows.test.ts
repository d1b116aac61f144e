import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { type Scene, withScene } from '../support/cli-scene.js';
import { testIn } from '../support/suite.js';

const FILE = [
  'Company,Website,City',
  'Acme Ltd,acme.example,Rome',
  'Beta Works,beta.example,"Ber\nlin"',
  'x,,Nowhere',
  'Acme Ltd,acme.example,Rome',
  'Gamma Inc,gamma.example,Oslo',
  'Delta Inc,delta.example,Oslo',
].join('\n');

/** Four different rows sent, one refused, one a repeat; the sixth line of data is not queued. */
async function finishedFile(t: Scene): Promise<void> {
  await writeFile(join(t.folder, 'a.csv'), `${FILE}\n`);
  const { code } = await t.run(['run', 'a.csv', '--limit', '3']);
  expect(code).toBe(3);
}

const json = async (t: Scene, words: readonly string[]) => JSON.parse((await t.run([...words, '--json'])).stdout);

testIn.short(
  'rows, show and report tell what export and status tell',
  () =>
    withScene('redis', { failedShare: 0, notFoundShare: 0 }, async (t) => {
      await finishedFile(t);
      const listed = await json(t, ['rows', 'a.csv']);
      expect(listed.matched).toBe(6);
      expect(listed.rows.map(({ line, status }: { line: number; status: string }) => [line, status])).toEqual([
        [2, 'enriched'],
        [3, 'enriched'],
        [5, 'rejected'],
        [6, 'enriched'],
        [7, 'enriched'],
        [8, 'not_enqueued'],
      ]);
      expect(listed.rows[1].values).toEqual({ name: 'Beta Works', website: 'beta.example' });
      expect((await json(t, ['rows', 'a.csv', '--status', 'rejected,not_enqueued'])).matched).toBe(2);
      expect((await json(t, ['rows', 'a.csv', '--search', 'INC', '--limit', '1'])).rows).toHaveLength(1);
      expect((await json(t, ['rows', 'a.csv', '--search', 'inc', '--status', 'enriched'])).matched).toBe(1);
      expect((await json(t, ['rows', 'a.csv', '--code', 'NO_USABLE_FIELD'])).matched).toBe(1);
      expect((await json(t, ['rows', 'a.csv', '--without', 'sign in'])).matched).toBe(4);
      expect((await t.run(['rows', 'a.csv', '--without', 'shoe size'])).stderr).toContain('Expected one of name,');

      // Line 4 is where the record of line 3 goes on.
      const shown = await json(t, ['show', 'a.csv:4']);
      expect(shown).toMatchObject({
        line: 3,
        repeats: null,
        status: 'enriched',
        sends: 1,
        sent: { name: 'Beta Works' },
      });
      expect(shown.history.map(({ event }: { event: string }) => event)).toEqual([
        'queued',
        'sent',
        'accepted',
        'result',
      ]);
      expect(shown.found.length).toBeGreaterThan(5);
      expect(await json(t, ['show', 'a.csv:6'])).toMatchObject({ line: 6, repeats: 2, status: 'enriched' });
      expect(await json(t, ['show', 'a.csv:5'])).toMatchObject({ status: 'rejected', sent: null, history: [] });
      for (const line of ['1', '9', '0']) {
        const { code, stderr } = await t.run(['show', `a.csv:${line}`]);
        expect({ code, stderr }).toEqual({
          code: 2,
          stderr: expect.stringContaining(`a.csv has no row on line ${line};`),
        });
      }
      expect((await t.run(['show', 'a.csv'])).stderr).toContain('Expected a file and a line, such as accounts.csv:26.');

      const report = await json(t, ['report', 'a.csv']);
      expect(report.file).toEqual((await json(t, ['status', 'a.csv'])).file);
      expect(report.reasons).toEqual([{ status: 'rejected', code: 'NO_USABLE_FIELD', rows: 1 }]);
      // The fourth enriched row repeats the first.
      expect(report).toMatchObject({ enrichmentsUsed: 3, companies: 3, columns: { zia_ceo: 3 } });
      expect(Object.values(report.columns)).toEqual(Object.values<number>(report.columns).sort((a, b) => b - a));
    }),
  60_000,
);

testIn.long.each([60, 110])(
  'on a terminal of %i columns no line of rows, show and report goes over the edge',
  (columns) =>
    withScene('redis', {}, async (t) => {
      await finishedFile(t);
      for (const words of [
        ['rows', 'a.csv'],
        ['show', 'a.csv:3'],
        ['report', 'a.csv'],
      ]) {
        const terminal = await t.onTerminal(words, { columns });
        expect((await terminal.ended).code).toBe(0);
        expect(await terminal.wrapped()).toEqual([]);
        expect((await terminal.screen()).join('\n')).toMatch(/enriched/);
      }
    }),
  60_000,
);
