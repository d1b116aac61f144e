import { Cluster, Redis, type RedisOptions, type SentinelConnectionOptions, SentinelConnector } from 'ioredis';
import type { RedisAddress } from './redis-address.js';

export type RedisClient = Redis | Cluster;

type SentinelAddress = Extract<RedisAddress, { kind: 'sentinel' }>;

const CONNECT_TIMEOUT_MS = 3_000;
/** A Sentinel that takes a connection and then says nothing for so long is passed over for the next; ioredis would wait for ever. */
const SENTINEL_ANSWER_MS = 2_000;
const COMMAND_TIMEOUT_MS = 15_000;
const HASTY_COMMAND_TIMEOUT_MS = 4_000;
/** With delays of up to a second: about 15 s, long enough for a restart or failover. */
const PATIENT_RETRIES = 18;
const HASTY_RETRIES = 2;
/**
 * A connection that was asked something and says nothing for so long is dead, though nobody closed it. Our longest commands
 * take milliseconds.
 */
const SILENCE_MS = 4_000;
const CLUSTER_INFO_MS = 500;
/** A connection that is given up is ended in order for so long; ioredis waits as long for one that is gone already, by default 2 s. */
const DISCONNECT_MS = 100;
/** The connection on which a worker waits for rows may be silent for as long as one wait may last, which is 4 s. */
const BLOCKED_SILENCE_MS = 12_000;

/**
 * The commands of one turn of the event loop leave in one write: with many rows in work that saves a system call each, and
 * lets the server put several into one `appendfsync always`. Measured with 20 rows in work: 8% more rows a second.
 */
class BatchingRedis extends Redis {
  #left: Redis['stream'] | undefined;

  /** ioredis leaves a server anew with each reply that says READONLY, and listens to the same socket once more each time. */
  override disconnect(reconnect = false): void {
    if (reconnect && this.#left !== undefined && this.#left === this.stream) return;
    if (reconnect) this.#left = this.stream;
    super.disconnect(reconnect);
  }

  override sendCommand(...[command, pipeline]: Parameters<Redis['sendCommand']>): unknown {
    if (pipeline === undefined) this.corkThisTurn();
    return super.sendCommand(command, pipeline);
  }

  private corkThisTurn(): void {
    // Its type leaves out that there is none before the first connection.
    const stream = this.stream as Redis['stream'] | undefined;
    if (stream === undefined || stream.writableCorked > 0) return;
    stream.cork();
    setImmediate(() => stream.uncork());
  }
}

/**
 * Asks Sentinel until it names a primary or the client is ended. The connector of ioredis 6.0 gives up when its failover
 * detector hears of a switch while it asks, and the client is at its end for good.
 */
class SteadySentinelConnector extends SentinelConnector {
  #isAsking = false;
  #knowsOfSwitch = false;

  constructor(options: unknown) {
    super(options as SentinelConnectionOptions);
  }

  override async connect(
    ...[tell]: Parameters<SentinelConnector['connect']>
  ): ReturnType<SentinelConnector['connect']> {
    for (;;) {
      const before = this.#hasHeardOfSwitch();
      this.#knowsOfSwitch = before;
      this.#isAsking = true;
      const stream = await super.connect(tell).finally(() => {
        this.#isAsking = false;
      });
      if (this.#knowsOfSwitch === before) return stream;
      // Sentinel may have named the primary of before the switch.
      stream.destroy();
    }
  }

  /** Called by the detector, which has noted before that it heard of a switch and says so once, and by the client when it ends. */
  override disconnect(): void {
    if (this.#isAsking && !this.#knowsOfSwitch && this.#hasHeardOfSwitch()) {
      this.#knowsOfSwitch = true;
      return;
    }
    super.disconnect();
  }

  #hasHeardOfSwitch(): boolean {
    // Its types hide the detector.
    const { failoverDetector } = this as unknown as { failoverDetector: { isDisconnected: boolean } | null };
    return failoverDetector?.isDisconnected ?? false;
  }
}

const retryDelayMs = (times: number) => Math.min(times * 100, 1_000);

/**
 * `commands`: bounded, every command ends with an answer or an error. `blocking`: for BullMQ workers, whose commands
 * wait for as long as it takes; BullMQ waits for rows on a duplicate of it.
 */
export type ClientUse = 'commands' | 'blocking';

/** A client that is not connected yet; the caller connects it and ends it. */
export function createRedisClient(address: RedisAddress, use: ClientUse, failFast: boolean): RedisClient {
  const client = clientFor(address, use, failFast);
  return use === 'blocking' ? withPatientDuplicates(client) : client;
}

/** BullMQ duplicates the client of a worker for the one command that blocks. */
function withPatientDuplicates(client: RedisClient): RedisClient {
  if (client instanceof Redis) {
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (options) => duplicate({ ...options, socketTimeout: BLOCKED_SILENCE_MS });
    return client;
  }
  const duplicate = client.duplicate.bind(client);
  client.duplicate = (nodes, options) =>
    duplicate(nodes, { ...options, redisOptions: { ...options?.redisOptions, socketTimeout: BLOCKED_SILENCE_MS } });
  return client;
}

function clientFor(address: RedisAddress, use: ClientUse, failFast: boolean): RedisClient {
  const options = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_MS,
    socketTimeout: SILENCE_MS,
    ...(use === 'blocking'
      ? { maxRetriesPerRequest: null }
      : {
          maxRetriesPerRequest: failFast ? HASTY_RETRIES : PATIENT_RETRIES,
          commandTimeout: failFast ? HASTY_COMMAND_TIMEOUT_MS : COMMAND_TIMEOUT_MS,
        }),
    // After a failover behind one name a new connection reaches the new primary.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
  switch (address.kind) {
    case 'single':
      return new BatchingRedis(address.url, { ...options, retryStrategy: retryDelayMs });
    case 'sentinel':
      return new BatchingRedis({
        ...options,
        ...credentialsOf(address),
        ...sentinelCredentialsOf(address),
        ...(address.tls ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
        Connector: SteadySentinelConnector,
        sentinels: address.nodes.map((node) => ({ ...node })),
        name: address.master,
        db: address.db,
        retryStrategy: retryDelayMs,
        sentinelRetryStrategy: retryDelayMs,
        sentinelCommandTimeout: SENTINEL_ANSWER_MS,
        // In a planned failover the old primary goes on taking writes for some 10 s after Sentinel has named the new one, and
        // all of them are lost. Hearing the switch brings every client over within a second.
        failoverDetector: true,
      });
    case 'cluster':
      return new Cluster([...address.nodes], {
        lazyConnect: true,
        clusterRetryStrategy: retryDelayMs,
        // Left to itself it connects to addresses, which the certificates of named hosts do not hold.
        ...(address.tls ? { dnsLookup: (host, done) => done(null, host) } : {}),
        redisOptions: { ...options, ...credentialsOf(address), ...(address.tls ? { tls: {} } : {}) },
      });
  }
}

function credentialsOf({ username, password }: { username: string | undefined; password: string | undefined }) {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function sentinelCredentialsOf({ sentinelUsername, sentinelPassword }: SentinelAddress) {
  return {
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
}

/** Resolves when the client answers; rejects with the reason of the latest failure when it does not in time. */
export async function connectRedis(client: RedisClient, address: RedisAddress, timeoutMs: number): Promise<void> {
  let latest: unknown;
  const remember = (error: unknown) => {
    latest = error;
  };
  client.on('error', remember);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(latest ?? new Error('Connecting timed out')), timeoutMs);
  });
  try {
    await Promise.race([client.connect(), late]);
    await Promise.race([client.ping(), late]);
  } catch (error) {
    const down = address.kind === 'cluster' && (await isClusterDown(address));
    client.disconnect();
    throw down ? new Error('CLUSTERDOWN', { cause: error }) : (latest ?? error);
  } finally {
    clearTimeout(timer);
    client.off('error', remember);
  }
}

/** The client of a cluster without quorum waits for it and says nothing. Its nodes tell, asked one by one. */
async function isClusterDown(address: Extract<RedisAddress, { kind: 'cluster' }>): Promise<boolean> {
  const told = await Promise.all(
    address.nodes.map(async ({ host, port }) => {
      const node = new Redis(port, host, {
        ...credentialsOf(address),
        ...(address.tls ? { tls: {} } : {}),
        lazyConnect: true,
        connectTimeout: CLUSTER_INFO_MS,
        disconnectTimeout: DISCONNECT_MS,
        commandTimeout: CLUSTER_INFO_MS,
        retryStrategy: () => null,
      });
      node.on('error', () => undefined);
      try {
        await node.connect();
        return String(await node.cluster('INFO'));
      } catch {
        return '';
      } finally {
        node.disconnect();
      }
    }),
  );
  return told.some((info) => info.includes('cluster_state:fail'));
}
