import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { BINARY, cli, npm } from '../../support/cli.js';
import { withScratch } from '../../support/scratch.js';

const CSV = 'Company,Email\nAcme Ltd,info@acme.example\n';

/** A package whose scripts call the binary, as ours do, with npm's user settings in `npmrc`. */
async function withPackage(work: (folder: string, env: Record<string, string>) => Promise<void>, npmrc = '') {
  await withScratch(async (folder) => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: Record<string, string> };
    const ours = Object.entries(scripts).filter(([, script]) => script.startsWith('node dist/cli/main.js '));
    const called = ours.map(([name, script]) => [name, script.replace('dist/cli/main.js', `"${BINARY}"`)]);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'x', scripts: Object.fromEntries(called) }));
    await writeFile(join(folder, 'a.csv'), CSV);
    await writeFile(join(folder, 'npmrc'), npmrc);
    await work(folder, { NPM_CONFIG_USERCONFIG: join(folder, 'npmrc') });
  });
}

test.each([
  ['run export a.csv --out o.csv', 'npm run export a.csv -- --out o.csv'],
  ['run export a.csv --out=o.csv', 'npm run export a.csv -- --out o.csv'],
  ['run export --out o.csv a.csv', 'npm run export a.csv -- --out o.csv'],
  ['run status a.csv --json', 'npm run status a.csv -- --json'],
  ['run status --watch', 'npm run status -- --watch'],
  ['run enqueue a.csv --limit 5', 'npm run enqueue a.csv -- --limit 5'],
  ['run enqueue --limit 5 a.csv', 'npm run enqueue a.csv -- --limit 5'],
  ['run enqueue a.csv --map name=Firm --map email=', 'npm run enqueue a.csv -- --map name=Firm --map email='],
  ['run status --engine redis', 'npm run status -- --engine redis'],
  ['run worker --until-idle', 'npm run worker -- --until-idle'],
  ['start a.csv --limit 3', 'npm start -- a.csv --limit 3'],
  ['run enqueue a.csv --limit 5 -- --json', 'npm run enqueue a.csv -- --limit 5 --json'],
])('npm %s is refused with the corrected line', async (typed, corrected) => {
  await withPackage(async (folder, env) => {
    const { code, stderr } = await npm(typed.split(' '), { cwd: folder, env });
    expect(stderr).toContain(`type them after \`--\`: ${corrected}\n`);
    expect(stderr).not.toContain('engine:');
    expect(code).toBe(2);
  });
});

test('settings of npm itself, in a file or for the command, are not taken for our flags', async () => {
  await withPackage(async (folder, env) => {
    const { code, stderr } = await npm(['run', '-s', 'status', '--no-color', '--', '--json'], {
      cwd: folder,
      env,
    });
    expect([code, stderr]).toEqual([0, expect.stringContaining('engine: embedded')]);
  }, 'json=true\nengine-strict=true\nall=true\nparseable=true\nport=1\n');
});

test('a file is looked for in the folder the user typed in, not where npm goes', async () => {
  await withPackage(async (folder, env) => {
    await mkdir(join(folder, 'sub'));
    await cp(join(folder, 'a.csv'), join(folder, 'sub', 'b.csv'));
    const { code, stdout } = await npm(['run', '-s', 'enqueue', 'b.csv', '--', '--json'], {
      cwd: join(folder, 'sub'),
      env,
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ file: resolve(folder, 'sub', 'b.csv'), enqueued: 1 });
  });
});

test('an npm further up, as around a test run, does not move the folder', async () => {
  await withPackage(async (folder) => {
    const env = { npm_lifecycle_event: 'test', npm_package_json: '/elsewhere/package.json', INIT_CWD: '/elsewhere' };
    const { code, stdout } = await cli(['enqueue', 'a.csv', '--json'], {
      cwd: folder,
      env: { ...env, npm_config_json: 'true' },
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ file: 'a.csv' });
  });
});
