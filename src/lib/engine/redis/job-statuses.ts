import type { IdentityKey } from '../../core/ids.js';
import type { JobStatus } from '../engine.js';
import type { RedisClient } from './redis-client.js';

// One script for a whole chunk: with a command a job the client would spend more on each than Redis does.
const CHUNK = 1_000;

// KEYS: active list, delayed set, jobs. Returns for each job '' (absent), w, a, d, c, or f and the reason.
const FATES = `
local active = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do active[id] = true end
local fates = {}
for i = 3, #KEYS do
  local id = ARGV[i - 2]
  local job = redis.call('HMGET', KEYS[i], 'timestamp', 'finishedOn', 'failedReason', 'delay')
  local fate = 'w'
  if not job[1] then fate = ''
  elseif job[2] then fate = job[3] and 'f' .. job[3] or 'c'
  elseif active[id] then fate = 'a'
  elseif (tonumber(job[4]) or 0) > 0 and redis.call('ZSCORE', KEYS[2], id) then fate = 'd' end
  fates[i - 2] = fate
end
return fates`;

// KEYS: jobs. Returns the places of those that exist, counted from 1.
const EXISTING = `
local found = {}
for i = 1, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then found[#found + 1] = i end
end
return found`;

const UNDER_WAY = { w: 'waiting', a: 'active', d: 'delayed', c: 'completed' } as const;

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
): Promise<ReadonlyMap<IdentityKey, JobStatus>> {
  const fates = new Map<IdentityKey, JobStatus>();
  for (let at = 0; at < keys.length; at += CHUNK) {
    const chunk = keys.slice(at, at + CHUNK);
    const names = [`${queueKey}:active`, `${queueKey}:delayed`, ...chunk.map((key) => `${queueKey}:${key}`)];
    const answers = (await client.eval(FATES, names.length, ...names, ...chunk)) as readonly string[]; // what it returns
    for (const [index, key] of chunk.entries()) fates.set(key, fateOf(answers[index] ?? ''));
  }
  return fates;
}

function fateOf(answer: string): JobStatus {
  if (answer === '') return { state: 'absent' };
  if (answer.startsWith('f')) return { state: 'failed', reason: answer.slice(1) };
  return { state: UNDER_WAY[answer as keyof typeof UNDER_WAY] }; // the script knows no other
}

/** Those of these keys that have a job. */
export async function redisKeysWithJob(
  client: RedisClient,
  queueKey: string,
  keys: readonly IdentityKey[],
): Promise<ReadonlySet<IdentityKey>> {
  const found = new Set<IdentityKey>();
  for (let at = 0; at < keys.length; at += CHUNK) {
    const chunk = keys.slice(at, at + CHUNK);
    const places = await client.eval(EXISTING, chunk.length, ...chunk.map((key) => `${queueKey}:${key}`));
    for (const place of places as readonly number[]) found.add(chunk[place - 1] as IdentityKey); // a place of the chunk
  }
  return found;
}
