import type { IdentityKey } from '../../core/ids.js';
import type { WithdrawOptions } from '../engine.js';
import type { RedisClient } from './redis-client.js';

const CHUNK = 500;

// KEYS: wait list, paused list, prioritized, delayed and failed sets, ledger, jobs. ARGV: with failed ones (0/1), with rows that are refreshed (0/1), job ids.
// Returns the positions of those removed, counted from 1. The oldest rows are at the end of the list, so it is searched from there.
const WITHDRAW = `
local removed = {}
for i = 3, #ARGV do
  local id, job = ARGV[i], KEYS[i + 4]
  local line = redis.call('HGET', KEYS[6], id)
  local state = line and line:match('^(%w*)\\n')
  local sent = line and state ~= 'cleared' and not (ARGV[2] == '1' and state == 'scheduled')
  if not sent and redis.call('EXISTS', job) == 1 and redis.call('EXISTS', job .. ':lock') == 0 then
    local found = redis.call('ZREM', KEYS[3], id) + redis.call('ZREM', KEYS[4], id)
    if found == 0 and ARGV[1] == '1' then found = redis.call('ZREM', KEYS[5], id) end
    if found == 0 and redis.call('HEXISTS', job, 'finishedOn') == 0 then
      found = redis.call('LREM', KEYS[1], -1, id)
      if found == 0 then found = redis.call('LREM', KEYS[2], -1, id) end
    end
    if found > 0 then
      redis.call('DEL', job, job .. ':logs')
      removed[#removed + 1] = i - 2
    end
  end
end
return removed`;

/**
 * Removes jobs that wait and whose rows were never sent, each in one step with the look at its ledger entry. BullMQ's own
 * removal asks neither the ledger, nor for more than one job at a time, and searches the list from its newest end.
 */
export async function redisWithdrawJobs(
  client: RedisClient,
  names: { readonly queueKey: string; readonly ledgerKey: string },
  keys: readonly IdentityKey[],
  { failed, refreshes = false }: WithdrawOptions,
): Promise<ReadonlySet<IdentityKey>> {
  const { queueKey, ledgerKey } = names;
  const removed = new Set<IdentityKey>();
  for (let at = 0; at < keys.length; at += CHUNK) {
    const chunk = keys.slice(at, at + CHUNK);
    const lists = ['wait', 'paused', 'prioritized', 'delayed', 'failed'].map((list) => `${queueKey}:${list}`);
    const all = [...lists, ledgerKey, ...chunk.map((key) => `${queueKey}:${key}`)];
    const positions = await client.eval(
      WITHDRAW,
      all.length,
      ...all,
      failed ? '1' : '0',
      refreshes ? '1' : '0',
      ...chunk,
    );
    for (const position of positions as readonly number[]) removed.add(chunk[position - 1] as IdentityKey); // a position in the chunk
  }
  return removed;
}
