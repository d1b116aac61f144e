import { describe, expect, test } from '@jest/globals';
import { cut, grid, wrapped } from '../../src/cli/terminal.js';
import { type Scene, withScene } from '../support/cli-scene.js';
import { bySuite, testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const posts = (t: Scene) => t.sandbox.log().filter(({ kind }) => kind === 'post').length;
/** Colours and weights; a terminal is told to move and to hide its cursor without them, too. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
const COLOURS = /\x1b\[(?:1|2|3\d|9\d|38[^m]*)m/;

describe.each(bySuite([60], [110]))('run on a terminal of %i columns', (columns) => {
  test(
    'keeps its bar within the width and shows a stop within two seconds',
    () =>
      withScene('redis', { quota: 6, latencyMs: 100, failedShare: 0, notFoundShare: 0 }, async (t) => {
        await t.csv('accounts-of-the-whole-year.csv', 20);
        const terminal = await t.onTerminal(['run', 'accounts-of-the-whole-year.csv', '--yes'], {
          columns,
          env: { ZIA_RATE_LIMIT_PER_SECOND: '5' },
        });
        await terminal.shows(/█.* \d+\/20 sent/);
        expect(await terminal.wrapped()).toEqual([]);
        await waitFor(() => posts(t) > 6, { what: 'the quota to be spent' });
        const spentAtMs = performance.now();
        await terminal.shows('STOPPED (LIMIT_EXCEEDED)');
        expect(performance.now() - spentAtMs).toBeLessThan(2_000);
        expect((await terminal.ended).code).toBe(4);
        expect(await terminal.wrapped()).toEqual([]);
        const screen = await terminal.screen();
        // What was drawn in place is gone; the end says what to do.
        expect(screen.filter((line) => /[█░]/.test(line))).toEqual([]);
        expect(screen.join('\n')).toMatch(
          /Next\n.*: zia-enrich resume\n +To finish: ?\s*zia-enrich run accounts-of-the-whole-year\.csv/,
        );
        expect(terminal.raw()).toMatch(COLOURS);
      }),
    60_000,
  );

  test(
    'Ctrl-C under --limit prints the command that finishes those rows and takes no more',
    () =>
      withScene('redis', { latencyMs: 100, failedShare: 0, notFoundShare: 0 }, async (t) => {
        await t.csv('my accounts.csv', 30);
        const env = { ZIA_RATE_LIMIT_PER_SECOND: '5' };
        const words = ['run', 'my accounts.csv', '--limit', '10', '--yes', '--map', 'name=Company'];
        const terminal = await t.onTerminal(words, { columns, env });
        await waitFor(() => posts(t) >= 3, { what: 'some rows to be sent' });
        terminal.type('\x03');
        await terminal.shows(/Ctrl-C once more ends at\s+once/);
        expect((await terminal.ended).code).toBe(130);
        expect(t.sandbox.enrichments().length).toBeLessThan(10);
        const screen = (await terminal.screen()).join('\n');
        const command = "zia-enrich run 'my accounts.csv' --map name=Company --limit 0";
        expect(screen.replace(/\n */g, ' ')).toContain(`To finish it: ${command}`);
        expect(screen).not.toContain('the same command');
        // What was in flight at Ctrl-C counts.
        expect(screen).toContain(`\n${t.sandbox.enrichments().length} rows sent.`);

        t.sandbox.configure({ completeAfterMs: 2_000 });
        const finish = await t.onTerminal(['run', 'my accounts.csv', '--map', 'name=Company', '--limit', '0'], {
          columns,
        });
        await finish.shows(/Everything is sent.*;[ \n]next[ \n]look[ \n](in[ \n]\d+ s|now)/);
        expect((await finish.ended).code).toBe(0);
        expect(t.sandbox.enrichments()).toHaveLength(10);
        expect((await finish.screen()).join('\n')).toMatch(/enriched +10\n[\s\S]*not enqueued +20/);
      }),
    60_000,
  );
});

testIn.long(
  'without colours where NO_COLOR is set, and piped without control sequences, told by changes',
  () =>
    withScene('redis', { latencyMs: 20 }, async (t) => {
      await t.csv('a.csv', 5);
      const terminal = await t.onTerminal(['run', 'a.csv', '--yes'], { env: { NO_COLOR: '1' } });
      await terminal.ended;
      expect(terminal.raw()).not.toMatch(COLOURS);

      await t.csv('b.csv', 5);
      const { stdout, stderr } = await t.run(['run', 'b.csv']);
      expect(stdout + stderr).not.toContain('\x1b');
      expect(
        stderr.split('\n').filter((line) => line.startsWith('b.csv: ') && line.includes('sent')).length,
      ).toBeLessThan(3);
    }),
  60_000,
);

testIn.long(
  'status --watch is drawn in place with the stop on top, and doctor marks what it found',
  () =>
    withScene('redis', {}, async (t) => {
      await t.run(['pause']);
      const watch = await t.onTerminal(['status', '--watch'], { rows: 18, columns: 60 });
      await watch.shows(/STOPPED since \d\d:\d\d \(\d+ s ago\)\s+\(PAUSED\)/);
      await watch.shows(/STOPPED since .*\(([3-9]|\d\d) s ago\)/);
      expect((await watch.screen()).filter((line) => line.startsWith('STOPPED'))).toHaveLength(1);
      watch.type('\x03');
      expect((await watch.ended).code).toBe(0);

      const doctor = await t.onTerminal(['doctor']);
      expect((await doctor.ended).code).toBe(0);
      expect((await doctor.screen()).join('\n')).toMatch(
        /✓ \d+ checks ok \(--verbose lists them\)\nA worker can run\./,
      );
    }),
  60_000,
);

testIn.long(
  'shows the check of a file once, and says of which age the allowance is',
  () =>
    withScene('redis', { quota: 3, latencyMs: 20, failedShare: 0, notFoundShare: 0 }, async (t) => {
      await t.csv('a.csv', 20);
      const run = await t.onTerminal(['run', 'a.csv', '--limit', '10']);
      await run.shows('Send 10 rows to Zia?');
      run.type('y\r');
      expect((await run.ended).code).toBe(4);
      const screen = await run.screen();
      expect(screen.filter((line) => line.startsWith('Read as'))).toHaveLength(1);
      expect(screen.join('\n')).toContain('a.csv: 10 enqueued (--limit 10), for which 10 rows were read');

      // What Zoho said before the allowance was spent is asked for again.
      const status = await t.onTerminal(['status'], { env: { ZIA_RESUME_AFTER_LIMIT_HOURS: '2' } });
      expect((await status.ended).code).toBe(0);
      const words = (await status.screen()).join(' ');
      expect(words).toMatch(/Allowance: 0 of 3 left, 3 used, as of \d\d:\d\d \((just now|\d+ s ago)\)\./);
      expect(words).toMatch(/try again by themselves, one row first, at \d\d:\d\d \(in (2 h|1 h 59 min|2 h 0 min)\)/);
    }),
  60_000,
);

testIn.short.each([
  [['plan', '-'], 'Interrupted. Nothing was changed.'],
  [['export', '-', '--out', 'b.csv'], 'Interrupted. No file was written; the same command begins anew.'],
  [['enqueue', '-'], 'Interrupted; the same command goes on where it was.'],
])('says what an interrupted %j has come to', (words, expected) =>
  withScene('redis', {}, async (t) => {
    const terminal = await t.onTerminal(words);
    await terminal.shows('engine: ');
    terminal.type('\x03');
    await terminal.shows(expected);
    expect((await terminal.ended).code).toBe(130);
  }),
);

testIn.short.each([
  ['  To finish: npm start -- a.csv', '  To finish:\n    npm start -- a.csv'],
  ['Stopped for good: \x1b[1mzia-enrich run a.csv\x1b[22m', 'Stopped for good:\n  \x1b[1mzia-enrich run a.csv\x1b[22m'],
  ['npm run rows accounts.csv -- --status failed', 'npm run rows accounts.csv -- --status failed'],
  ['Start it with `npm run worker`, then look again.', 'Start it with `npm run\nworker`, then look\nagain.'],
  [
    '  Scopes: ZohoCRM.settings.intelligence.ALL,ZohoCRM.org.READ',
    '  Scopes:\n  ZohoCRM.settings.intelligence.ALL,ZohoCRM.org.READ',
  ],
])('a narrow terminal breaks nothing that is to be copied: %j', (line, expected) => {
  expect(wrapped(line, 22)).toBe(expected);
});

testIn.short.each([
  ['Acme Ltd', 8, 'Acme Ltd'],
  ['Acme Ltd', 7, 'Acme L…'],
  ['日本語の会社', 12, '日本語の会社'],
  ['日本語の会社', 8, '日本語…'],
  ['日本語の会社', 7, '日本語…'],
  ['𠮷野家𠮷野家', 6, '𠮷野…'],
  ['Cafe\u0301 Ole\u0301', 6, 'Cafe\u0301 …'],
  ['👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 3, '👩‍👩‍👧‍👦…'],
  ['x', 1, 'x'],
  ['xyz', 1, '…'],
])('%s is cut to %i columns between characters as people see them', (text, width, expected) => {
  expect(cut(text, width)).toBe(expected);
});

testIn.short('columns with wide characters stay aligned, and the widest gives way', () => {
  const columns = [
    { title: 'Company', min: 4 },
    { title: 'City', min: 4 },
  ];
  expect(grid(columns, [['日本語の会社', 'Oslo']], 16)).toBe('Company     City\n日本語の…   Oslo');
});
