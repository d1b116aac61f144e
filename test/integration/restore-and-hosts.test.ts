import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { Hono } from 'hono';
import { serveMonitoring } from '../../src/lib/metrics/serve-monitoring.js';
import { startSandbox } from '../../src/sandbox/server.js';
import { startServer } from '../support/redis-topologies.js';
import { withScratch } from '../support/scratch.js';
import { setup } from '../support/setup.js';

const run = promisify(execFile);
const SCRIPT = resolve('deploy/restore-redis.sh');

/** Runs the script as its own usage says; resolves with its exit code and what it told. */
async function restore(backup: string, folder: string): Promise<{ code: number; told: string }> {
  try {
    const { stdout } = await run('sh', [SCRIPT, backup, folder]);
    return { code: 0, told: stdout };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string }; // execFile rejects with these
    return { code, told: stderr };
  }
}

/** A backup of a server that holds `hello`, as operations.md has it made. */
async function backupIn(folder: string): Promise<string> {
  await using t = setup();
  const { client, port } = await startServer(t);
  await client.set('hello', 'world');
  const backup = join(folder, 'backup.rdb');
  await run('redis-cli', ['-p', String(port), '--rdb', backup]);
  return backup;
}

/** What an append-only server had in its folder. */
async function folderIn(scratch: string): Promise<string> {
  const folder = join(scratch, 'redis');
  await mkdir(join(folder, 'appendonlydir'), { recursive: true });
  await writeFile(join(folder, 'appendonlydir', 'appendonly.aof.manifest'), 'the old data');
  return folder;
}

describe('deploy/restore-redis.sh', () => {
  test('makes of a backup what an append-only server starts from, and keeps what was there', () =>
    withScratch(async (scratch) => {
      const folder = await folderIn(scratch);
      expect(await restore(await backupIn(scratch), folder)).toMatchObject({ code: 0 });
      expect((await readdir(folder)).sort()).toEqual(['appendonlydir', 'before-restore']);
      expect(await readFile(join(folder, 'before-restore/appendonlydir/appendonly.aof.manifest'), 'utf8')).toBe(
        'the old data',
      );
      await using t = setup();
      const { client } = await startServer(t, { settings: { dir: folder, appendonly: 'yes' } });
      expect(await client.get('hello')).toBe('world');
    }));

  test.each([
    ['that is cut', (whole: Buffer) => whole.subarray(0, whole.length - 12)],
    ['that is no backup', () => Buffer.from('REDIS0011 and then nonsense')],
    ['that is empty', () => Buffer.alloc(0)],
  ])('leaves everything as it was for a backup %s', (_, damaged) =>
    withScratch(async (scratch) => {
      const folder = await folderIn(scratch);
      const backup = await backupIn(scratch);
      await writeFile(backup, damaged(await readFile(backup)));
      const { code, told } = await restore(backup, folder);
      expect({ code, told }).toEqual({ code: 1, told: expect.stringMatching(/nothing was changed\.\n$/) });
      expect(await readdir(folder)).toEqual(['appendonlydir']);
      expect(await readFile(join(folder, 'appendonlydir/appendonly.aof.manifest'), 'utf8')).toBe('the old data');
    }),
  );

  test('does not write over what an earlier restore kept', () =>
    withScratch(async (scratch) => {
      const folder = await folderIn(scratch);
      await mkdir(join(folder, 'before-restore'));
      expect((await restore(await backupIn(scratch), folder)).code).toBe(1);
      expect((await readdir(folder)).sort()).toEqual(['appendonlydir', 'before-restore']);
    }));
});

/** The status of a GET that names `host`, as a page that was pointed here would. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((done, failed) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on('error', failed)
      .end();
  });
}

test('sandbox and metrics answer this machine only, by names that only it has', async () => {
  await using t = setup();
  const sandbox = t.closing(await startSandbox(), (server) => server.close());
  const app = new Hono().get('/healthz', (c) => c.text('ok'));
  const metrics = t.closing(await serveMonitoring(app, '127.0.0.1', 0), (server) => server.close());
  const open = t.closing(await serveMonitoring(app, '0.0.0.0', 0), (server) => server.close());
  for (const url of [`${sandbox.url}/__sandbox/options`, `${metrics.url}/healthz`]) {
    expect(await statusFor(url, new URL(url).host)).toBe(200);
    expect(await statusFor(url, 'localhost:1234')).toBe(200);
    expect(await statusFor(url, 'evil.example')).toBe(421);
    expect(await statusFor(url, '127.0.0.1.evil.example:80')).toBe(421);
  }
  expect(await statusFor(`http://127.0.0.1:${open.port}/healthz`, 'worker:9464')).toBe(200);
});
