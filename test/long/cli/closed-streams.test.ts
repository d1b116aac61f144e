import { execFile, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { summarise } from '../../../src/sandbox/effects.js';
import { BINARY, cleanEnvironment } from '../../support/cli.js';
import { type Scene, withScene } from '../../support/cli-scene.js';
import { waitFor } from '../../support/wait.js';

/** Runs a line of shell in which `zia` is the program. */
function shell(scene: Scene, line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...cleanEnvironment(), ...scene.env };
  const script = `zia() { '${process.execPath}' '${BINARY}' "$@"; }\n${line}`;
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { cwd: scene.folder, env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

const accepted = ({ sandbox }: Scene) => summarise(sandbox.log()).accepted;

test('a signal ends a command that waits for the rest of standard input, and --limit says what the next one takes', () =>
  withScene('redis', {}, async (scene) => {
    const { stdout, stderr } = await shell(
      scene,
      `mkfifo in; exec 3<>in; '${process.execPath}' '${BINARY}' enqueue - --limit 2 <in 2>err & pid=$!
       until grep -q engine: err; do sleep 0.1; done; kill -TERM $pid; wait $pid; echo "exit $?"; cat err >&2`,
    );
    expect(stdout).toBe('exit 143\n');
    expect(stderr).toContain('the same command takes 2 rows more: `zia-enrich status` says how many wait.');
  }));

describe('a full disk', () => {
  test('of the log changes nothing for a worker', () =>
    withScene('redis', {}, async (scene) => {
      const file = await scene.csv('accounts.csv', 20);
      expect((await shell(scene, `zia enqueue ${file} && zia worker --until-idle 2> /dev/full`)).code).toBe(0);
      expect(accepted(scene)).toBe(20);
    }));

  test('of standard output is one sentence', () =>
    withScene('redis', {}, async (scene) => {
      const file = await scene.csv('accounts.csv', 20);
      for (const line of ['zia status', 'zia --help', `zia export ${file} --out -`]) {
        const { code, stderr } = await shell(scene, `${line} > /dev/full`);
        expect({ line, code, told: stderr.match(/^error: .*$/gm) }).toEqual({
          line,
          code: 1,
          told: [
            'error: standard output cannot be written (ENOSPC), because its disk is full: free some space, then start again.',
          ],
        });
        expect(stderr).not.toContain('    at ');
      }
    }));

  test('of an export, a ledger export or a rejects file names the file, and leaves the old one whole', () =>
    withScene('redis', {}, async (scene) => {
      const file = await scene.csv('accounts.csv', 2_000);
      const bad = join(scene.folder, 'bad.csv');
      await writeFile(bad, `Account Name,Website\n${'x,nonsense of a website,\n'.repeat(2_000)}`);
      await scene.run(['enqueue', file, '--limit', '5']);
      await scene.run(['worker', '--until-idle']);
      await writeFile(join(scene.folder, 'out.csv'), 'old');
      // A file larger than this is refused, as by a full disk, with another code.
      const limited = (line: string) => shell(scene, `ulimit -f 1; ${line}`);
      expect(await limited(`zia export ${file} --out out.csv`)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error: \S*out\.csv cannot be written \(EFBIG\), because .*\.$/m),
      });
      expect(await readFile(join(scene.folder, 'out.csv'), 'utf8')).toBe('old');
      expect(await limited('zia enqueue bad.csv')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error: \S*bad\.rejects\.csv cannot be written \(EFBIG\)/m),
      });
      expect(await shell(scene, 'zia ledger export /dev/full')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error: \/dev\/full cannot be written \(ENOSPC\), because its disk is full/m),
      });
    }));
});

test('a worker whose terminal closes finishes the rows that are under way and leaves none uncertain', () =>
  withScene('redis', { latencyMs: [300, 400] }, async (scene) => {
    const file = await scene.csv('accounts.csv', 200);
    await scene.run(['enqueue', file]);
    const worker = spawn(process.execPath, [BINARY, 'worker'], {
      cwd: scene.folder,
      env: { ...cleanEnvironment(), ...scene.env },
      stdio: 'ignore',
    });
    const ended = new Promise<number | null>((resolve) => worker.once('exit', (code) => resolve(code)));
    try {
      await waitFor(() => accepted(scene) > 5);
      worker.kill('SIGHUP');
      worker.kill('SIGHUP');
      expect(await ended).toBe(0);
    } finally {
      worker.kill('SIGKILL');
    }
    const { stdout } = await scene.run(['status', file, '--json']);
    const sent = accepted(scene);
    expect(JSON.parse(stdout)).toMatchObject({
      queue: { active: 0 },
      file: { submitted: sent, uncertain: 0, waiting: 200 - sent },
    });
  }));
