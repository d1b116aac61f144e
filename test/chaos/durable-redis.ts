import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../support/free-port.js';
import { waitFor } from '../support/wait.js';

/** A Redis of its own, set up as docs/guarantees.md asks for, that can be ended and started again on the same data. */
export interface DurableRedis {
  readonly port: number;
  readonly url: string;
  /** Starts the server if it is down; resolves when it answers. */
  start(): Promise<void>;
  /** Ends the server: SIGTERM lets it finish, SIGKILL does not. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Saves what is there now: with persistence `asked`, all that survives. */
  snapshot(): Promise<void>;
  /** Throws everything away. Does nothing while it is down. */
  flush(): Promise<void>;
  /** Whether it takes writes; reads are answered all the while. Does nothing while it is down. */
  takeWrites(takes: boolean): Promise<void>;
  /** Takes over all that another server has, and follows it no further; asks again until it is in step. */
  copyOf(port: number): Promise<void>;
  close(): Promise<void>;
}

/** What the server keeps on its disk. `asked`: only what `snapshot` saves, so that later writes are lost with the process. */
export type Persistence = 'always' | 'everysec' | 'asked' | 'none';

const PERSISTENCE: Readonly<Record<Persistence, readonly string[]>> = {
  always: ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
  everysec: ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  asked: ['--save', '999999 999999', '--appendonly', 'no'],
  none: ['--save', '', '--appendonly', 'no'],
};

/** `settings` come on top, such as `{ 'hash-max-listpack-value': '512' }`; a password asked for there must be given too. */
export async function openDurableRedis(
  settings: Readonly<Record<string, string>> = {},
  { persistence = 'always', password }: { readonly persistence?: Persistence; readonly password?: string } = {},
): Promise<DurableRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'zia-chaos-redis-'));
  const port = await freePort();
  const url = `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    if (child) return;
    child = spawn(
      'redis-server',
      [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--maxmemory-policy', 'noeviction'],
        ...['--repl-diskless-sync-delay', '0'],
        ...PERSISTENCE[persistence],
        ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      ],
      { stdio: 'ignore' },
    );
    await waitFor(() => answers(url), { what: `Redis on port ${port}` });
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = child;
    if (!ending) return;
    child = undefined;
    ending.kill(signal);
    if (ending.exitCode === null && ending.signalCode === null) await once(ending, 'exit');
  }

  async function ask(question: (client: Redis) => Promise<unknown>): Promise<void> {
    const client = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
    client.on('error', () => undefined);
    await question(client).catch(() => undefined);
    client.disconnect();
  }

  await start();
  return {
    port,
    url,
    start,
    end,
    snapshot: async () => {
      if (!child) return;
      // Killed in this very moment it has saved nothing, which is one more older copy.
      await ask((client) => client.save());
    },
    flush: async () => {
      if (child) await ask((client) => client.flushall());
    },
    takeWrites: async (takes) => {
      if (!child) return;
      // It has no replicas. Killed in this very moment it starts again without the setting, so a failure changes nothing.
      await ask((client) => client.config('SET', 'min-replicas-to-write', takes ? '0' : '1'));
    },
    copyOf: async (of) => {
      // A restart on either side ends the replication, so it is asked for anew.
      await waitFor(
        async () => {
          let isInStep = false;
          await ask(async (client) => {
            const link = await client.info('replication');
            isInStep = link.includes(`master_port:${of}`) && link.includes('master_link_status:up');
            if (isInStep) await client.replicaof('NO', 'ONE');
            else if (!link.includes(`master_port:${of}`)) await client.replicaof('127.0.0.1', of);
          });
          return isInStep;
        },
        { what: `Redis on port ${port} to be a copy of the one on ${of}` },
      );
    },
    close: async () => {
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
