import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withScene } from '../../support/cli-scene.js';
import { waitFor } from '../../support/wait.js';

test(
  'forget asks or wants --yes, says what it did and what it does not reach, and takes rows by value',
  () =>
    withScene('redis', { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 }, async (t) => {
      const file = await t.csv('a.csv', 5);
      expect((await t.run(['enqueue', file])).code).toBe(0);
      const unasked = await t.run(['forget', file]);
      expect(unasked).toMatchObject({ code: 2, stdout: '' });
      expect(unasked.stderr).toContain('add --yes');
      expect((await t.run(['forget', '--yes'])).stderr).toContain('a file, or --value');

      const byValue = await t.run(['forget', '--value', 'INFO@c1.example', '--yes', '--json']);
      expect(JSON.parse(byValue.stdout)).toEqual({ file: null, rows: 1, forgotten: 1, left: 0, kept: 0, orphans: 0 });
      const terminal = await t.onTerminal(['forget', file]);
      await terminal.shows('Forget 4 rows?');
      terminal.type('y\r');
      expect(await terminal.ended).toEqual({ code: 0 });
      const status = JSON.parse((await t.run(['status', file, '--json'])).stdout);
      expect(status.file).toMatchObject({ rows: 5, notEnqueued: 5 });
      const again = await t.run(['forget', file, '--yes']);
      expect(again.stdout).toContain('a.csv: 0 rows forgotten.');
      expect(again.stdout).toContain('exports');
    }),
  60_000,
);

test(
  'a forget that is killed half-way is finished by the next',
  () =>
    withScene('redis', {}, async (t) => {
      const lines = Array.from({ length: 12_000 }, (_, at) => `Killed ${at},info@killed${at}.example`);
      await writeFile(join(t.folder, 'b.csv'), `Company,Email\n${lines.join('\n')}\n`);
      expect((await t.run(['enqueue', 'b.csv'])).code).toBe(0);
      const waiting = async () => JSON.parse((await t.run(['status', '--json'])).stdout).queue.waiting as number;
      const killed = t.start(['forget', 'b.csv', '--yes']);
      await waitFor(async () => (await waiting()) < 12_000);
      killed.child.kill('SIGKILL');
      await killed.ended;
      const left = await waiting();
      const finished = await t.run(['forget', 'b.csv', '--yes', '--json']);
      expect(JSON.parse(finished.stdout)).toMatchObject({ rows: 12_000, forgotten: left, left: 0 });
      expect(await waiting()).toBe(0);
    }),
  60_000,
);
