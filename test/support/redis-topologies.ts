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
  /** Starts it again, with what its folder holds. */
  start(): Promise<void>;
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
    ...(!options.sentinel && { save: '', 'maxmemory-policy': 'noeviction', 'repl-diskless-sync-delay': '0' }),
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
  const run = () => spawn('redis-server', [file, ...(options.sentinel ? ['--sentinel'] : [])], { stdio: 'ignore' });
  let child = run();
  t.closing(null, () => end(child));
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
  return {
    port,
    client,
    kill: () => end(child),
    start: async () => {
      child = run();
      await waitFor(
        () =>
          client.ping().then(
            () => true,
            () => false,
          ),
        { what: `Redis on port ${port}` },
      );
    },
  };
}

/** The last slots of the three nodes. */
const LAST_SLOTS = [5_460, 10_922, 16_383];

/** Three nodes that share the slots; resolves when each of them sees a whole cluster. */
export async function startCluster(t: TestScope, secured?: Secured): Promise<readonly RedisServer[]> {
  const nodes = await Promise.all(LAST_SLOTS.map(() => startNode(t, secured)));
  for (const [at, { client }] of nodes.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', (LAST_SLOTS[at - 1] ?? -1) + 1, LAST_SLOTS[at] ?? 0);
  }
  await meet(nodes);
  return nodes;
}

/** The node of a whole cluster that owns the slot of these keys, and a replica of it, which is in step. */
export async function addReplica(
  t: TestScope,
  nodes: readonly RedisServer[],
  tag: string,
): Promise<readonly [owner: RedisServer, replica: RedisServer]> {
  const slot = Number(await nodes[0]?.client.cluster('KEYSLOT', tag));
  const owner = nodes[LAST_SLOTS.findIndex((last) => slot <= last)];
  if (owner === undefined) throw new Error(`No node owns slot ${slot}.`);
  const replica = await startNode(t);
  await meet([...nodes, replica]);
  await replica.client.cluster('REPLICATE', String(await owner.client.cluster('MYID')));
  await waitFor(() => isReplicaOf(replica, owner), { what: 'the replica to be in step' });
  return [owner, replica];
}

/** It is in step, too. */
export async function isReplicaOf(replica: RedisServer, primary: RedisServer): Promise<boolean> {
  const link = await replica.client.info('replication').catch(() => '');
  return link.includes(`master_port:${primary.port}`) && link.includes('master_link_status:up');
}

async function startNode(t: TestScope, secured?: Secured): Promise<RedisServer> {
  const named = {
    'tls-cluster': 'yes',
    'cluster-announce-hostname': 'localhost',
    'cluster-preferred-endpoint-type': 'hostname',
  };
  return startServer(t, {
    ...secured,
    settings: {
      'cluster-enabled': 'yes',
      'cluster-port': String(await freePort()),
      'cluster-node-timeout': '2000',
      ...(secured && named),
    },
  });
}

/** Each handshake has two seconds; on a busy machine one may need another try. */
const MEET_AGAIN_MS = 5_000;

async function meet(nodes: readonly RedisServer[]): Promise<void> {
  const whole = new RegExp(`cluster_state:ok[^]*cluster_known_nodes:${nodes.length}`);
  let metAt = Number.NEGATIVE_INFINITY;
  const isWhole = async () => {
    if (performance.now() - metAt > MEET_AGAIN_MS) {
      await introduce(nodes);
      metAt = performance.now();
    }
    const states = await Promise.all(nodes.map(async ({ client }) => String(await client.cluster('INFO'))));
    return states.every((state) => whole.test(state));
  };
  await waitFor(isWhole, { what: 'the cluster to be whole' });
}

async function introduce([first, ...others]: readonly RedisServer[]): Promise<void> {
  for (const { client, port } of others) {
    const [, busPort = ''] = (await client.config('GET', 'cluster-port')) as string[];
    await first?.client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort);
  }
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
  await waitFor(() => isReplicaOf(replica, primary), { what: 'the replica to be in step' });
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
  });
  return { primary, replica, sentinel, name };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
