import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { Redis } from 'ioredis';
import { type DurableRedis, openDurableRedis } from '../test/chaos/durable-redis.js';
import { type Timed, timeNode, timePlainNode } from './timed-process.js';

const BINARY = resolve('dist/cli/main.js');
const PEERS = resolve('dist-dev/bench/peers');

/** A bare script that does one job and promises nothing; they are in `bench/peers/`. */
export type Peer = 'bare-enqueue' | 'bare-loop' | 'bare-worker' | 'bare-copy';

/** Where a benchmark runs: a scratch folder, a Redis and the program's commands as processes. */
export interface Scene {
  readonly dir: string;
  /** Connected to the scene's Redis. */
  readonly redis: Redis;
  /** Runs `zia-enrich <words>`. */
  program(words: readonly string[], env?: Environment): Promise<Timed>;
  /** Runs a peer. */
  peer(name: Peer, words: readonly string[], env?: Environment): Promise<Timed>;
  /** Runs `zia-enrich <words>`, or `node <words>`, with nothing of ours loaded into it. */
  plain(kind: 'program' | 'node', words: readonly string[], env?: Environment): Promise<number>;
  /** The environment of the program's commands here. */
  readonly env: Environment;
  /** Empties Redis and what the folder remembers of it. */
  empty(): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

/** Makes a command of the program use the embedded engine of the scene's folder. */
export const EMBEDDED: Environment = { REDIS_URL: '' };

/** Starts a Redis, set up as `docs/guarantees.md` asks for plus `redisSettings`, and ends it after `work`. */
export async function withScene<T>(
  redisSettings: Readonly<Record<string, string>>,
  work: (scene: Scene) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'zia-bench-'));
  const server = await openDurableRedis(redisSettings);
  const redis = new Redis(server.url);
  try {
    return await work(sceneIn(dir, server, redis));
  } finally {
    redis.disconnect();
    await server.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function sceneIn(dir: string, server: DurableRedis, redis: Redis): Scene {
  const env = { REDIS_URL: server.url, ZIA_METRICS_PORT: '0' };
  const options = (extra: Environment = {}) => ({ cwd: dir, env: { ...cleanEnvironment(), ...env, ...extra } });
  return {
    dir,
    redis,
    env,
    program: (words, extra) => timeNode([BINARY, ...words], options(extra)),
    peer: (name, words, extra) => timeNode([join(PEERS, `${name}.js`), ...words], options(extra)),
    plain: async (kind, words, extra) =>
      (await timePlainNode(kind === 'program' ? [BINARY, ...words] : words, options(extra))).seconds,
    empty: async () => {
      await redis.flushall('SYNC');
      await rm(join(dir, '.zia'), { recursive: true, force: true });
    },
  };
}

/** A stand-in for Zoho in a process of its own. */
export interface Zoho {
  /** Settings of the program, and of the peers, to reach it. */
  readonly env: Environment;
  /** From the first submission's arrival to the last one's answer. */
  submissions(): Promise<{ readonly count: number; readonly seconds: number }>;
}

/** Runs `zia-enrich sandbox <words>` beside `work`. */
export async function withZoho<T>(
  { dir }: Scene,
  words: readonly string[],
  work: (zoho: Zoho) => Promise<T>,
): Promise<T> {
  const child = spawn(process.execPath, [BINARY, 'sandbox', '--port', '0', ...words], {
    cwd: dir,
    env: cleanEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const url = await addressIn(child.stderr);
    child.stderr.resume();
    return await work({
      env: {
        ZOHO_CLIENT_ID: 'sandbox',
        ZOHO_CLIENT_SECRET: 'sandbox',
        ZOHO_REFRESH_TOKEN: 'sandbox',
        ZOHO_ACCOUNTS_URL: url,
        ZOHO_API_DOMAIN: url,
      },
      submissions: async () => {
        const log = (await (await fetch(`${url}/__sandbox/log`)).json()) as readonly LoggedCall[];
        const posts = log.filter(({ kind, status }) => kind === 'post' && status !== null && status < 300);
        const last = posts.reduce((latest, { answeredAtMs }) => Math.max(latest, answeredAtMs), 0);
        return { count: posts.length, seconds: (last - (posts[0]?.atMs ?? 0)) / 1_000 };
      },
    });
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

/** What the stand-in's log says of a call; see `SandboxEvent`. */
interface LoggedCall {
  readonly kind: string;
  readonly status: number | null;
  readonly atMs: number;
  readonly answeredAtMs: number;
}

async function addressIn(output: Readable): Promise<string> {
  let seen = '';
  for await (const text of output.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    seen += text;
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(seen);
    if (found !== null && seen.includes('\n')) return found[0];
  }
  throw new Error(`The stand-in for Zoho did not start: ${seen}`);
}

/** Nothing of the caller's own settings, and nothing of the npm that started it. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(npm_|INIT_CWD|ZIA_|ZOHO_|REDIS_URL|LOG_LEVEL|NODE_OPTIONS|FORCE_COLOR)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
