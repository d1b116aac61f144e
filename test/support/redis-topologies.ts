import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import type { TestScope } from './setup.js';
import { waitFor } from './wait.js';

/** One server of a topology, on a loopback port. */
export interface RedisServer {
  readonly port: number;
  /** Answers are read with this; it is closed with the test. */
  readonly client: Redis;
  /** Ends it without a word, as a power cut would. */
  kill(): Promise<void>;
}

export interface ServerSettings {
  /** As of redis.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly sentinel?: boolean;
  readonly tls?: Certificate;
  readonly password?: string;
}

/** Paths of a certificate and its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** What a topology is closed with; its servers then call each other, and themselves, `localhost`. */
export interface Secured {
  readonly tls: Certificate;
  readonly password: string;
}

/** A server that ends with the test. */
export async function startServer(t: TestScope, options: ServerSettings = {}): Promise<RedisServer> {
  const dir = t.closing(await mkdtemp(join(tmpdir(), 'zia-test-redis-')), (path) =>
    rm(path, { recursive: true, force: true }),
  );
  const port = await freePort();
  const { tls, password } = options;
  const settings = {
    ...(tls ? { port: '0', 'tls-port': String(port), 'tls-auth-clients': 'no' } : { port: String(port) }),
    // Signed by itself: what servers show each other is what they trust.
    ...(tls && { 'tls-cert-file': tls.cert, 'tls-key-file': tls.key, 'tls-ca-cert-file': tls.cert }),
    ...(password && { requirepass: password, ...(!options.sentinel && { masterauth: password }) }),
    bind: '127.0.0.1',
    dir,
    ...(!options.sentinel && { save: '', 'maxmemory-policy': 'noeviction' }),
    ...options.settings,
  };
  // A file, because Sentinel writes to it.
  const file = join(dir, 'redis.conf');
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value === '' ? '""' : value}\n`)
      .join(''),
  );
  const child = t.closing(
    spawn('redis-server', [file, ...(options.sentinel ? ['--sentinel'] : [])], { stdio: 'ignore' }),
    end,
  );
  const client = t.closing(
    new Redis({
      port,
      host: '127.0.0.1',
      retryStrategy: () => 50,
      ...(tls && { tls: { rejectUnauthorized: false } }),
      ...(password && { password }),
    }),
    (opened) => opened.disconnect(),
  );
  client.on('error', () => undefined);
  await client.ping();
  return { port, client, kill: () => end(child) };
}

/** Three nodes that share the slots; resolves when each of them sees a whole cluster. */
export async function startCluster(t: TestScope, secured?: Secured): Promise<readonly RedisServer[]> {
  const named = {
    'tls-cluster': 'yes',
    'cluster-announce-hostname': 'localhost',
    'cluster-preferred-endpoint-type': 'hostname',
  };
  const nodes = await Promise.all(
    ['0 5460', '5461 10922', '10923 16383'].map(async (slots) => {
      const busPort = await freePort();
      const node = await startServer(t, {
        ...secured,
        settings: {
          'cluster-enabled': 'yes',
          'cluster-port': String(busPort),
          'cluster-node-timeout': '2000',
          ...(secured && named),
        },
      });
      await node.client.call('CLUSTER', 'ADDSLOTSRANGE', ...slots.split(' '));
      return { node, busPort };
    }),
  );
  const [first, ...others] = nodes;
  for (const { node, busPort } of others) {
    await first?.node.client.call('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(busPort));
  }
  for (const { node } of nodes) {
    await waitFor(async () => /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(await node.client.cluster('INFO')), {
      what: 'the cluster to be whole',
    });
  }
  return nodes.map(({ node }) => node);
}

export interface SentinelSet {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinel: RedisServer;
  /** The name Sentinel knows the primary by. */
  readonly name: string;
}

/** A primary, its replica and a Sentinel that makes the replica the primary soon after the primary is gone. */
export async function startSentinelSet(t: TestScope, secured?: Secured): Promise<SentinelSet> {
  const name = 'mymaster';
  const host = secured ? 'localhost' : '127.0.0.1';
  const encrypted = secured && { 'tls-replication': 'yes' };
  const announced = secured && { 'replica-announce-ip': host };
  const primary = await startServer(t, { ...secured, settings: { ...encrypted, ...announced } });
  const replica = await startServer(t, {
    ...secured,
    settings: { ...encrypted, ...announced, replicaof: `${host} ${primary.port}` },
  });
  await waitFor(async () => (await replica.client.info('replication')).includes('master_link_status:up'), {
    what: 'the replica to be in step',
  });
  const names = secured && { 'sentinel resolve-hostnames': 'yes', 'sentinel announce-hostnames': 'yes' };
  const sentinel = await startServer(t, { ...secured, sentinel: true, settings: { ...encrypted, ...names } });
  for (const words of [
    ['MONITOR', name, host, String(primary.port), '1'],
    ...(secured ? [['SET', name, 'auth-pass', secured.password]] : []),
    ['SET', name, 'down-after-milliseconds', '300'],
    ['SET', name, 'failover-timeout', '3000'],
  ]) {
    await sentinel.client.call('SENTINEL', ...words);
  }
  await waitFor(async () => ((await sentinel.client.call('SENTINEL', 'REPLICAS', name)) as unknown[]).length === 1, {
    what: 'Sentinel to find the replica',
    timeoutMs: 15_000,
  });
  return { primary, replica, sentinel, name };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
