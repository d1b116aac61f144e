import type { EngineFacts } from '../engine.js';
import type { RedisClient } from './redis-client.js';

/** Version and memory; of a cluster, those of one node. */
export async function redisFacts(client: RedisClient): Promise<EngineFacts> {
  const info = await client.info();
  const told = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
  const bytes = (name: string) => {
    const text = told(name);
    return text === null ? null : Number(text);
  };
  return {
    kind: 'redis',
    version: told('redis_version'),
    memoryLimit: bytes('maxmemory'),
    memoryUsed: bytes('used_memory'),
  };
}
