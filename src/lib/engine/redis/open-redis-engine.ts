import { Queue } from 'bullmq';
import type { IdentityKey } from '../../core/ids.js';
import type { Logger } from '../../logger.js';
import type { EnrichQueue } from '../../queues.js';
import { createStore } from '../../store/create-store.js';
import { createRedisOperations } from '../../store/redis/redis-operations.js';
import type { Engine } from '../engine.js';
import { logEngineErrors } from '../log-engine-errors.js';
import { queueCounts } from '../queue-counts.js';
import { WatchedWorker } from '../watched-worker.js';
import { inspectRedis } from './inspect-redis.js';
import { redisJobFates, redisKeysWithJob } from './job-statuses.js';
import { parseRedisAddress } from './redis-address.js';
import { connectRedis, createRedisClient, type RedisClient } from './redis-client.js';
import { redisFacts } from './redis-facts.js';
import { redisUnavailable } from './redis-failure.js';
import { redisWithdrawJobs } from './withdraw-jobs.js';

export interface RedisEngineSettings {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly queueName: string;
  readonly failFast: boolean;
}

/** Nothing here reads BullMQ's event stream; ten times as many, its default, take a megabyte. */
const EVENTS_KEPT = 1_000;
const OPEN_TIMEOUT_MS = 6_000;

/** Connects to Redis. Rejects with StoreUnavailableError or UsageError, one sentence for people. */
export async function openRedisEngine(settings: RedisEngineSettings, log: Logger): Promise<Engine> {
  const { queueName } = settings;
  const address = parseRedisAddress(settings.redisUrl);
  const explain = (error: unknown) => redisUnavailable(error, address);
  // One hash tag for BullMQ's keys and ours: scripts and pipelines then work on Redis Cluster.
  const prefix = `{${settings.prefix}}`;
  const open: RedisClient[] = [];

  function createClient(use: 'commands' | 'blocking'): RedisClient {
    const client = createRedisClient(address, use, settings.failFast);
    logEngineErrors(client, log, explain);
    open.push(client);
    return client;
  }

  const commands = createClient('commands');
  await connectRedis(commands, address, OPEN_TIMEOUT_MS).catch((error: unknown) => {
    throw explain(error);
  });
  let workers: RedisClient | undefined;
  let counting: EnrichQueue | undefined;

  function openQueue(): EnrichQueue {
    const queue: EnrichQueue = new Queue(queueName, {
      connection: commands,
      prefix,
      streams: { events: { maxLen: EVENTS_KEPT } },
    });
    const addBulk = queue.addBulk.bind(queue);
    queue.addBulk = (jobs) => explained(addBulk(jobs));
    return logEngineErrors(queue, log, explain);
  }

  async function explained<T>(work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => {
      throw explain(error);
    });
  }

  return {
    kind: 'redis',
    description: `Redis at ${address.where}, prefix ${settings.prefix}`,
    queueName,
    store: createStore(createRedisOperations(commands, prefix, explain), `${prefix}:${queueName}`),
    openQueue,
    bulksAtOnce: 2,
    inspect: () => explained(inspectRedis(commands, address)),
    openWorker: (processor, options, onFetch) => {
      workers ??= createClient('blocking');
      const worker = new WatchedWorker(queueName, processor, { ...options, connection: workers, prefix });
      worker.onFetch = (refusal) => onFetch?.(refusal && explain(refusal));
      return logEngineErrors(worker, log, explain);
    },
    jobStatuses: (keys) => explained(redisJobFates(commands, `${prefix}:${queueName}`, keys)),
    existingJobs: (keys) => explained(redisKeysWithJob(commands, `${prefix}:${queueName}`, keys)),
    withdrawJobs: (keys, options) => {
      const names = { queueKey: `${prefix}:${queueName}`, ledgerKey: `${prefix}:store:ledger` };
      return explained(redisWithdrawJobs(commands, names, keys, options));
    },
    counts: () => {
      counting ??= openQueue();
      return explained(queueCounts(counting));
    },
    // What BullMQ keeps there are ids of jobs, which are keys.
    activeKeys: () => explained(commands.lrange(`${prefix}:${queueName}:active`, 0, -1)) as Promise<IdentityKey[]>,
    facts: () => explained(redisFacts(commands)),
    close: async () => {
      await counting?.close().catch(() => undefined);
      for (const client of open.splice(0)) await endClient(client);
    },
  };
}

async function endClient(client: RedisClient): Promise<void> {
  if (client.status === 'end') return;
  if (client.status !== 'ready') return client.disconnect();
  await client.quit().catch(() => client.disconnect());
}
