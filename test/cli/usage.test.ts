import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { cli, npm } from '../support/cli.js';
import { startOnTerminal } from '../support/pty.js';
import { withScratch } from '../support/scratch.js';
import { bySuite, testIn } from '../support/suite.js';

const COMMANDS = [
  'quickstart',
  'run',
  'enqueue',
  'worker',
  'status',
  'pause',
  'resume',
  'export',
  'dashboard',
  'sandbox',
];

testIn.short('--help lists every command and an example, and exits 0', () =>
  withScratch(async (cwd) => {
    const { code, stdout, stderr } = await cli(['--help'], { cwd });
    expect([code, stderr]).toEqual([0, '']);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('Example:');
  }),
);

test.each(bySuite(COMMANDS.slice(0, 3), COMMANDS.slice(3)))(
  '%s --help shows an example and touches nothing',
  (command) =>
    withScratch(async (cwd) => {
      const { code, stdout, stderr } = await cli([command, '--help'], { cwd });
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/Examples?:\n {2}\S/);
      expect(await readdir(cwd)).toEqual([]);
    }),
);

describe('wrong usage exits 2 with one line that says so', () => {
  test.each(
    bySuite<readonly [readonly string[], RegExp]>(
      [
        [[], /Usage:/],
        [['bogus'], /unknown command 'bogus'/],
        [['export'], /Name the CSV file to export/],
        [['export', 'a.csv', 'b.csv'], /too many arguments/],
        [['status', '--colour'], /unknown option '--colour'/],
      ],
      [
        [['enqueue', 'a.csv', '--limit', '0'], /whole number of at least 1/],
        [['status', '--engine', 'sqlite'], /Allowed choices are redis, embedded/],
        [['status', '--watch', '--json'], /--json prints one document/],
        [['run', '-'], /cannot read stdin/],
        [['sandbox', '--fault', 'explode'], /Expected kind/],
        [['sandbox', '--latency', 'slow'], /Expected milliseconds/],
        [['status', '--engine', 'redis'], /needs REDIS_URL/],
      ],
    ),
  )('%j', (words, message) =>
    withScratch(async (cwd) => {
      const { code, stdout, stderr } = await cli(words, { cwd });
      expect(stderr).toMatch(message);
      expect([code, stdout]).toEqual([2, '']);
    }),
  );
});

describe('configuration', () => {
  testIn.short('all mistakes are reported at once, before anything starts, and no secret is shown', () =>
    withScratch(async (cwd) => {
      await writeFile(join(cwd, '.env'), 'ZIA_MAX_IN_FLIGHT=many\nREDIS_URL=http://:hunter22@host\n');
      const { code, stdout, stderr } = await cli(['status'], { cwd, env: { ZIA_RATE_LIMT_PER_SECOND: '5' } });
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('error: 3 settings are wrong:');
      expect(stderr).toContain('ZIA_MAX_IN_FLIGHT: expected a whole number from 1 to 250, received "many"');
      expect(stderr).toContain('did you mean ZIA_RATE_LIMIT_PER_SECOND?');
      expect(stderr).toContain('REDIS_URL');
      expect(stderr).not.toContain('hunter22');
      expect(await readdir(cwd)).toEqual(['.env']);
    }),
  );

  testIn.short.each(['worker', 'run a.csv'])('%s without credentials names those that are missing', (words) =>
    withScratch(async (cwd) => {
      await writeFile(join(cwd, 'a.csv'), 'Company\nAcme\n');
      const { code, stderr } = await cli(words.split(' '), { cwd, env: { ZOHO_CLIENT_ID: '1000.X' } });
      expect(stderr).toMatch(/^error: .*lack ZOHO_CLIENT_SECRET and ZOHO_REFRESH_TOKEN;.*\n$/);
      expect(code).toBe(2);
    }),
  );

  testIn.short('a Redis that cannot be reached is an error that says so, and nothing falls back', () =>
    withScratch(async (cwd) => {
      const env = { REDIS_URL: 'redis://:hunter22@127.0.0.1:1' };
      const { code, stdout, stderr } = await cli(['status'], { cwd, env });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^error: Redis at 127\.0\.0\.1:1 cannot be reached .*\n$/);
      expect(await readdir(cwd)).toEqual([]);
    }),
  );
});

test.each(
  bySuite(
    ['run missing.csv', 'enqueue missing.csv', 'status missing.csv', 'export missing.csv'],
    [
      'verify missing.csv',
      'plan missing.csv',
      'cancel missing.csv',
      'report missing.csv',
      'rows missing.csv',
      'show missing.csv:2',
      'retry --file missing.csv',
      'forget missing.csv --yes',
      'ledger import missing.csv',
    ],
  ),
)('%s speaks of the file, not of the account or the engine', (words) =>
  withScratch(async (cwd) => {
    const env = { REDIS_URL: 'redis://127.0.0.1:1' };
    const { code, stderr } = await cli(words.split(' '), { cwd, env });
    expect([code, stderr]).toEqual([2, 'error: There is no file missing.csv: check the path.\n']);
    expect(await readdir(cwd)).toEqual([]);
  }),
);

testIn.short('a mistake in a command names the line that shows its help, as it was started', () =>
  withScratch(async (cwd) => {
    const { stderr } = await cli(['export', '--colour'], { cwd });
    expect(stderr).toContain('\n`zia-enrich export --help` says how it is used.\n');
    const underNpm = await npm(['run', 'export', '--', '--colour'], { cwd: resolve('.'), env: { INIT_CWD: cwd } });
    expect(underNpm.stderr).toContain('\n`npm run export -- --help` says how it is used.\n');
    expect((await npm(['start'], { cwd: resolve('.') })).stderr).toContain('`npm start -- --help`');
  }),
);

testIn.short('an error breaks at words where the terminal is narrow', () =>
  withScratch(async (cwd) => {
    const terminal = await startOnTerminal(['worker'], { cwd, columns: 60 });
    try {
      expect((await terminal.ended).code).toBe(2);
      expect((await terminal.screen()).length).toBeGreaterThan(1);
      expect(await terminal.wrapped()).toEqual([]);
    } finally {
      await terminal.close();
    }
  }),
);

testIn.short('a data folder that cannot be made is a sentence', () =>
  withScratch(async (cwd) => {
    await writeFile(join(cwd, '.zia'), '');
    const { code, stderr } = await cli(['status'], { cwd });
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^error: \S+\.zia\/pg cannot be made or entered \(ENOTDIR\): .*\n$/),
    ]);
  }),
);

describe('input that cannot be used exits 2 with one sentence', () => {
  test.each(
    bySuite<readonly [string, RegExp]>(
      [
        ['missing.csv', /no file missing\.csv/],
        ['folder', /is a directory/],
      ],
      [
        ['empty.csv', /empty/i],
        ['header.csv', /row/i],
        ['other.csv', /"Colour"/],
      ],
    ),
  )('%s', (file, message) =>
    withScratch(async (cwd) => {
      await mkdir(join(cwd, 'folder'));
      await writeFile(join(cwd, 'empty.csv'), '');
      await writeFile(join(cwd, 'header.csv'), 'Company\n');
      await writeFile(join(cwd, 'other.csv'), 'Colour\nred\n');
      const env = { REDIS_URL: process.env.TEST_REDIS_URL ?? '', ZIA_PREFIX: `t-${process.pid}-usage` };
      const { code, stdout, stderr } = await cli(['enqueue', file], { cwd, env });
      expect(stderr).toMatch(message);
      expect(stderr.split('\n').filter((line) => line.startsWith('error: '))).toHaveLength(1);
      expect([code, stdout]).toEqual([2, '']);
    }),
  );
});
