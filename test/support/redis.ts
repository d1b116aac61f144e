import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** A Redis this run started: its process and its scratch directory. */
export interface OwnRedis {
  readonly pid: number;
  readonly dir: string;
}

export interface TestRedis {
  readonly url: string;
  readonly server: OwnRedis | null;
}

const BINARIES = ['redis-server', 'valkey-server'];
const INSTALL = 'apt-get update && apt-get install -y redis-server';

/** TEST_REDIS_URL, else REDIS_URL, else a server found on PATH, else one installed here; rejects with what to do. */
export async function findRedis(env: NodeJS.ProcessEnv): Promise<TestRedis> {
  const given = env.TEST_REDIS_URL || env.REDIS_URL;
  if (given) return { url: given, server: null };
  const binary = onPath() ?? install();
  if (binary === undefined) {
    throw new Error(`The tests need Redis: set REDIS_URL, or install a server, on Debian or Ubuntu with: ${INSTALL}`);
  }
  return startRedis(binary);
}

/**
 * Starts a Redis of its own on a free loopback port, durable as in production; `again` starts one that was killed.
 * End it with `endRedis`.
 */
export async function startRedis(
  binary = onPath() ?? 'redis-server',
  again?: { readonly port: number; readonly dir: string },
): Promise<TestRedis> {
  const dir = again?.dir ?? (await mkdtemp(join(tmpdir(), 'zia-test-redis-')));
  const listen = again?.port ?? (await freePort());
  const settings = {
    port: String(listen),
    bind: '127.0.0.1',
    dir,
    save: '',
    appendonly: 'yes',
    'maxmemory-policy': 'noeviction',
  };
  const child = spawn(
    binary,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    { stdio: 'ignore', detached: true },
  );
  const failure = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${binary} ended with code ${code} before it answered.`)));
  });
  failure.catch(() => undefined);
  const url = `redis://127.0.0.1:${listen}`;
  await Promise.race([failure, until(() => answers(url), `an answer of ${binary} on port ${listen}`)]);
  child.unref();
  // Set once the process runs, which it does: it answered.
  return { url, server: { pid: child.pid as number, dir } };
}

export async function endRedis({ pid, dir }: OwnRedis): Promise<void> {
  if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  await until(async () => !isRunning(pid), `the end of Redis (process ${pid})`);
  await rm(dir, { recursive: true, force: true });
}

function onPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return BINARIES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

function install(): string | undefined {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('sh', ['-c', INSTALL], { stdio: ['ignore', 2, 2], env });
  return onPath();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No free port.');
  return address.port;
}

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    // One that never connected has ended, and disconnecting it would keep the run for two seconds more.
    if (client.status !== 'end') client.disconnect();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// Not `waitFor`: jest's global setup cannot load a second file of ours from this one.
async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await sleep(20);
  }
}
