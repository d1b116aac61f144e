import type { ChainableCommander } from 'ioredis';
import type { IdentityKey } from '../../core/ids.js';
import type { JobFate } from '../engine.js';
import type { RedisClient } from './redis-client.js';

const CHUNK = 1_000;

/**
 * Fates of jobs read from BullMQ's own job hashes, because asking BullMQ costs a script with several look-ups a job.
 * A finished job has `finishedOn`, and `failedReason` when it failed (a retry removes both; an attempt that failed
 * leaves only the reason). The active list is short, at most the fleet's concurrency. `delay` outlives some ways of
 * promoting a job, so the delayed set has the last word. Tested against BullMQ's own answer for every state.
 */
export async function redisJobFates(
  client: RedisClient,
  queueKey: string,
  keys: readonly IdentityKey[],
): Promise<ReadonlyMap<IdentityKey, JobFate>> {
  const fates = new Map<IdentityKey, JobFate>();
  for (let at = 0; at < keys.length; at += CHUNK) {
    const chunk = keys.slice(at, at + CHUNK);
    const active = new Set(await client.lrange(`${queueKey}:active`, 0, -1));
    const hashes = await pipelined(client, chunk, (pipeline, key) =>
      pipeline.hmget(`${queueKey}:${key}`, 'timestamp', 'finishedOn', 'failedReason', 'delay'),
    );
    const perhapsDelayed: IdentityKey[] = [];
    for (const [index, key] of chunk.entries()) {
      const [timestamp, finishedOn, failedReason, delay] = hashes[index] as (string | null)[];
      if (timestamp == null) fates.set(key, { state: 'absent' });
      else if (finishedOn != null && failedReason != null) fates.set(key, { state: 'failed', reason: failedReason });
      else if (finishedOn != null) fates.set(key, { state: 'completed' });
      else if (active.has(key)) fates.set(key, { state: 'active' });
      else {
        fates.set(key, { state: 'waiting' });
        if (Number(delay ?? 0) > 0) perhapsDelayed.push(key);
      }
    }
    const dueTimes = await pipelined(client, perhapsDelayed, (pipeline, key) =>
      pipeline.zscore(`${queueKey}:delayed`, key),
    );
    for (const [index, key] of perhapsDelayed.entries()) {
      if (dueTimes[index] != null) fates.set(key, { state: 'delayed' });
    }
  }
  return fates;
}

async function pipelined(
  client: RedisClient,
  keys: readonly IdentityKey[],
  add: (pipeline: ChainableCommander, key: IdentityKey) => void,
): Promise<unknown[]> {
  if (keys.length === 0) return [];
  const pipeline = client.pipeline();
  for (const key of keys) add(pipeline, key);
  const results = (await pipeline.exec()) ?? [];
  return results.map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}
