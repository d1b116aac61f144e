// Jest loads this file with require, where .js does not lead to a TypeScript file.
// @ts-expect-error TS5097
import { findRedis } from './redis.ts';

/** One Redis for the whole run: the one named by the environment, or a server of our own. */
export default async function globalSetup(): Promise<void> {
  const redis = await findRedis(process.env);
  process.env.TEST_REDIS_URL = redis.url;
  if (redis.server !== null) process.env.TEST_REDIS_OWN = JSON.stringify(redis.server);
}
