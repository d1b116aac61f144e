import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { withValues } from '../../src/cli/env-file.js';
import { cli } from '../support/cli.js';
import { type Scene, withScene } from '../support/cli-scene.js';
import { bySuite, testIn } from '../support/suite.js';

/** Only where the servers are; what login is to ask for is not there. */
const servers = (t: Scene) => ({
  ZOHO_ACCOUNTS_URL: t.env.ZOHO_ACCOUNTS_URL ?? '',
  ZOHO_API_DOMAIN: t.env.ZOHO_API_DOMAIN ?? '',
});

const login = (t: Scene, stdin: string, env: Readonly<Record<string, string>> = {}) =>
  cli(['login'], { cwd: t.folder, env: { ...servers(t), ...env }, stdin });

const ALL = 'sandbox\nsandbox\neu\nsandbox\n';
const envFile = (t: Scene) => readFile(join(t.folder, '.env'), 'utf8');

testIn.short(
  'turns a grant code into a refresh token in .env, readable for its owner alone, and leaves other lines as they are',
  () =>
    withScene('redis', {}, async (t) => {
      const before =
        '# mine\r\nREDIS_URL=redis://127.0.0.1:6379\r\nZOHO_DC=us\r\n# ZOHO_CLIENT_ID=\r\nZOHO_REFRESH_TOKEN="old"\r\nLOG_LEVEL=info';
      await writeFile(join(t.folder, '.env'), before);
      await chmod(join(t.folder, '.env'), 0o644);
      const { code, stdout, stderr } = await login(t, ALL);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(await envFile(t)).toBe(
        '# mine\r\nREDIS_URL=redis://127.0.0.1:6379\r\nZOHO_DC=eu\r\n# ZOHO_CLIENT_ID=\r\nZOHO_REFRESH_TOKEN=sandbox\r\nLOG_LEVEL=info\r\nZOHO_CLIENT_ID=sandbox\r\nZOHO_CLIENT_SECRET=sandbox\r\n',
      );
      expect((await stat(join(t.folder, '.env'))).mode & 0o777).toBe(0o600);
      expect(await readdir(t.folder)).toEqual(['.env']);
      expect(stdout.match(/^ok +scope /gm)).toHaveLength(7);
      expect((await cli(['doctor'], { cwd: t.folder, env: { ...servers(t), REDIS_URL: '' } })).code).toBe(0);
    }),
  60_000,
);

testIn.short('takes what the environment has and asks stdin for the rest', () =>
  withScene('redis', {}, async (t) => {
    const env = { ZOHO_CLIENT_ID: 'sandbox', ZOHO_CLIENT_SECRET: 'sandbox', ZOHO_DC: 'in' };
    expect((await login(t, 'sandbox\n', env)).code).toBe(0);
    expect(await envFile(t)).toContain('ZOHO_DC=in\n');
  }),
);

testIn.short('says which scope is missing, after the token is safe', () =>
  withScene('redis', { scopes: ['ZohoCRM.settings.intelligence.READ'] }, async (t) => {
    const { code, stdout } = await login(t, ALL);
    expect(code).toBe(2);
    expect(stdout).toMatch(/^failed +scope ZohoCRM\.settings\.intelligence\.CREATE: Missing/m);
    expect(await envFile(t)).toContain('ZOHO_REFRESH_TOKEN=sandbox');
  }),
);

testIn.long(
  'says what to do when Zoho refuses, shows no secret, and leaves .env alone',
  () =>
    withScene('redis', {}, async (t) => {
      const refused = async (stdin: string, code: number, words: string) => {
        const result = await login(t, stdin);
        expect(result.code).toBe(code);
        expect(result.stderr).toContain(words);
        expect(result.stdout + result.stderr).not.toMatch(/hush|wrong-code/);
        expect(await readdir(t.folder)).toEqual([]);
      };
      await refused('nobody\nsandbox\neu\nsandbox\n', 2, 'check the client id, and that the data center');
      await refused('sandbox\nhush\neu\nsandbox\n', 2, 'check the client secret');
      await refused('sandbox\nsandbox\neu\nwrong-code\n', 2, 'generate a new one');
      await refused('sandbox\nsandbox\nmars\nsandbox\n', 2, 'no such data center');
      await refused('', 2, 'ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_GRANT_CODE');
      t.sandbox.configure({ tokenThrottled: true });
      await refused(ALL, 1, 'wait ten minutes');
      t.sandbox.configure({ tokenThrottled: false, accountsOutage: true });
      await refused(ALL, 1, 'no usable answer');
    }),
  60_000,
);

describe('the questions on a terminal', () => {
  // What a scene gives every command; here the person is to give it.
  const unset = { ZOHO_CLIENT_ID: '', ZOHO_CLIENT_SECRET: '', ZOHO_REFRESH_TOKEN: '' };

  test.each(bySuite(['xterm-256color', 'dumb'], ['xterm', 'screen']))(
    'stay on the screen with their answers, secrets apart: TERM=%s',
    (term) =>
      withScene('redis', {}, async (t) => {
        const terminal = await t.onTerminal(['login'], { term, env: unset });
        for (const [question, answer] of [
          ['Client id:', 'sandbox\r'],
          ['Client secret:', 'sandbox\n'],
          ['Data center (us, eu, in, au, jp, ca, cn, sa, uk, ae):', 'eu\r'],
          ['Grant code:', 'sandbox\r'],
        ] as const) {
          await terminal.shows(question);
          terminal.type(answer);
        }
        expect((await terminal.ended).code).toBe(0);
        const screen = (await terminal.screen()).map((line) => line.replace(/^\S /, ''));
        expect(screen.filter((line) => /^(Client|Data|Grant)/.test(line))).toEqual([
          'Client id: sandbox',
          'Client secret: *******',
          'Data center (us, eu, in, au, jp, ca, cn, sa, uk, ae): eu',
          'Grant code: *******',
        ]);
        expect(await envFile(t)).toContain('ZOHO_REFRESH_TOKEN=sandbox');
      }),
  );

  testIn.short('are asked again when the answer cannot be right', () =>
    withScene('redis', {}, async (t) => {
      const terminal = await t.onTerminal(['login'], { env: unset });
      await terminal.shows('Client id:');
      terminal.type('\r');
      await terminal.shows('An answer is needed.');
      terminal.type('sandbox\r');
      await terminal.shows('Client secret:');
      terminal.type('sandbox\r');
      await terminal.shows('Data center');
      terminal.type('mars\r');
      await terminal.shows('There is no such data center');
    }),
  );

  testIn.short.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('end with exit code 130 and nothing written on %s', (_key, typed) =>
    withScene('redis', {}, async (t) => {
      const terminal = await t.onTerminal(['login'], { env: unset });
      await terminal.shows('Client id:');
      terminal.type('sandbox\r');
      await terminal.shows('Client secret:');
      terminal.type(typed);
      expect((await terminal.ended).code).toBe(130);
      expect(await terminal.screen()).toContain('Nothing was changed.');
      expect(await readdir(t.folder)).toEqual([]);
    }),
  );
});

describe('the .env text', () => {
  testIn.short.each([
    ['', 'A=1\n'],
    ['B=2', 'B=2\nA=1\n'],
    ['A=0\nB=2\n', 'A=1\nB=2\n'],
    ['export A = 0 # was zero\n', 'export A=1\n'],
    ['A="two\nlines"\nB=2\n', 'A=1\nB=2\n'],
    ["A='x'\nA=y\n", 'A=1\nA=1\n'],
    ['#A=0\nAA=3\nBA=4\n', '#A=0\nAA=3\nBA=4\nA=1\n'],
  ])('%j becomes %j', (before, after) => {
    expect(withValues(before, { A: '1' })).toBe(after);
  });

  testIn.short('quotes what is more than a word', () => {
    expect(withValues('', { A: 'a #b', B: '1000.ab_c-d' })).toBe("A='a #b'\nB=1000.ab_c-d\n");
  });
});
