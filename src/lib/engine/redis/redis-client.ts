import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.js';

export type RedisClient = Redis | Cluster;

const CONNECT_TIMEOUT_MS = 5_000;
const COMMAND_TIMEOUT_MS = 15_000;
/** With delays of up to a second: about 15 s, long enough for a restart or failover. */
const PATIENT_RETRIES = 18;
const HASTY_RETRIES = 2;

const retryDelayMs = (times: number) => Math.min(times * 100, 1_000);

/**
 * `commands`: bounded, every command ends with an answer or an error. `blocking`: for BullMQ workers, whose commands
 * wait for as long as it takes.
 */
export type ClientUse = 'commands' | 'blocking';

/** A client that is not connected yet; the caller connects it and ends it. */
export function createRedisClient(address: RedisAddress, use: ClientUse, failFast: boolean): RedisClient {
  const options = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(use === 'blocking'
      ? { maxRetriesPerRequest: null }
      : { maxRetriesPerRequest: failFast ? HASTY_RETRIES : PATIENT_RETRIES, commandTimeout: COMMAND_TIMEOUT_MS }),
    // After a failover behind one name a new connection reaches the new primary.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
  switch (address.kind) {
    case 'single':
      return new Redis(address.url, { ...options, retryStrategy: retryDelayMs });
    case 'sentinel':
      return new Redis({
        ...options,
        ...credentialsOf(address),
        ...(address.tls ? { tls: {}, enableTLSForSentinelMode: true } : {}),
        sentinels: address.nodes.map((node) => ({ ...node })),
        name: address.master,
        db: address.db,
        retryStrategy: retryDelayMs,
        sentinelRetryStrategy: retryDelayMs,
      });
    case 'cluster':
      return new Cluster([...address.nodes], {
        lazyConnect: true,
        clusterRetryStrategy: retryDelayMs,
        redisOptions: { ...options, ...credentialsOf(address), ...(address.tls ? { tls: {} } : {}) },
      });
  }
}

function credentialsOf({ username, password }: { username: string | undefined; password: string | undefined }) {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

/** Resolves when the client answers; rejects with the reason of the latest failure when it does not in time. */
export async function connectRedis(client: RedisClient, timeoutMs: number): Promise<void> {
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
    client.disconnect();
    throw latest ?? error;
  } finally {
    clearTimeout(timer);
    client.off('error', remember);
  }
}
