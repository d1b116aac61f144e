// Jest loads this file with require, where .js does not lead to a TypeScript file.
// @ts-expect-error TS5097
import { endRedis } from './redis.ts';

/** Ends the Redis this run started, and no other. */
export default async function globalTeardown(): Promise<void> {
  const own = process.env.TEST_REDIS_OWN;
  if (own === undefined) return;
  await endRedis(JSON.parse(own) as { pid: number; dir: string });
}
