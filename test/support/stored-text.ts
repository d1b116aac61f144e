import { join } from 'node:path';
import { Redis } from 'ioredis';
import { openDatabaseLink } from '../../src/lib/engine/embedded/database-link.js';
import type { EngineSettings } from '../../src/lib/engine/open-engine.js';
import { quietLog } from './engines.js';

/** All that a store holds, key by key or table by table: what is not in here is not there. */
export function storedText({ redisUrl, prefix, dataDir }: EngineSettings): Promise<string> {
  return redisUrl === undefined ? inDatabase(dataDir) : inRedis(redisUrl, prefix);
}

async function inRedis(url: string, prefix: string): Promise<string> {
  const redis = new Redis(url);
  try {
    const texts: string[] = [];
    for (const key of await redis.keys(`*${prefix}*`)) texts.push(key, JSON.stringify(await valueUnder(redis, key)));
    return texts.join('\n');
  } finally {
    redis.disconnect();
  }
}

async function valueUnder(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    case 'none':
      return null;
    default:
      throw new Error(`${key} is a ${type}, which nobody looks into.`);
  }
}

async function inDatabase(dataDir: string): Promise<string> {
  const link = await openDatabaseLink({ directory: join(dataDir, 'pg'), hostAnswerMs: 10_000 }, quietLog);
  try {
    const { rows } = await link.query(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
      [],
    );
    const texts: string[] = [];
    for (const { name } of rows as { name: string }[]) {
      const found = await link.query(`select to_json(one)::text as text from ${name} one`, []);
      texts.push(name, ...(found.rows as { text: string }[]).map(({ text }) => text));
    }
    return texts.join('\n');
  } finally {
    await link.close();
  }
}
