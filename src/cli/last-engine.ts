import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { EngineConfig } from '../lib/config.js';
import { parseRedisAddress } from '../lib/engine/redis/redis-address.js';
import { UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';

export type EngineKind = 'redis' | 'embedded';

/** Which engine and store a working directory used last; holds no credentials. */
const lastEngineSchema = z.object({ engine: z.enum(['redis', 'embedded']), store: z.string() });
type LastEngine = z.infer<typeof lastEngineSchema>;

/**
 * The engine that this command is to use: the flag beats the environment. Throws `UsageError` when the working directory
 * used another engine or store last and no flag says that the change is meant: an empty ledger pays for everything again.
 */
export async function chooseEngine(config: EngineConfig, flag: EngineKind | undefined): Promise<EngineConfig> {
  const chosen = withFlag(config, flag);
  const now = identityOf(chosen);
  const last = await readLastEngine(config);
  if (flag === undefined && last !== null && (last.engine !== now.engine || last.store !== now.store)) {
    throw new UsageError(
      'ENGINE_CHANGED',
      `This folder last used ${described(last)}, and now the settings say ${described(now)}, which does not know what was paid for there; add \`--engine ${now.engine}\` if that is meant, else correct REDIS_URL, ZIA_DATA_DIR, ZIA_PREFIX or ZIA_QUEUE.`,
    );
  }
  return chosen;
}

/** Remembers engine and store for the next command. A folder that cannot be written, as in a container, only loses the reminder. */
export async function rememberEngine(config: EngineConfig, log: Logger): Promise<void> {
  const file = memoryFile(config);
  const text = `${JSON.stringify(identityOf(config))}\n`;
  try {
    if ((await readFile(file, 'utf8').catch(() => '')) === text) return;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text, { mode: 0o600 });
  } catch (error) {
    log.warn('engine.not-remembered', { file, message: error instanceof Error ? error.message : String(error) });
  }
}

function withFlag(config: EngineConfig, flag: EngineKind | undefined): EngineConfig {
  if (flag === 'redis' && config.redisUrl === undefined) {
    throw new UsageError('REDIS_URL_MISSING', '`--engine redis` needs REDIS_URL, and it is not set.');
  }
  if (flag !== 'embedded') return config;
  const { redisUrl: _unused, ...embedded } = config;
  return embedded;
}

function identityOf({ redisUrl, dataDir, prefix, queueName }: EngineConfig): LastEngine {
  if (redisUrl === undefined) return { engine: 'embedded', store: `${dataDir}, queue ${queueName}` };
  // Refused before it is shown or remembered: a password with a `/` in it would look like a path.
  parseRedisAddress(redisUrl);
  return { engine: 'redis', store: `${withoutCredentials(redisUrl)}, prefix ${prefix}, queue ${queueName}` };
}

/** Several hosts, as in cluster addresses, are beyond what `URL` can read. */
function withoutCredentials(url: string): string {
  return url
    .replace(/^([a-z+]+:\/\/)[^/]*@/i, '$1')
    .replace(/\?.*$/, '')
    .replace(/\/+$/, '');
}

function described({ engine, store }: LastEngine): string {
  return engine === 'redis' ? `Redis (${store})` : `the embedded engine (${store})`;
}

function memoryFile({ dataDir, profile }: EngineConfig): string {
  return join(dataDir, profile === undefined ? 'last-engine.json' : `last-engine.${profile}.json`);
}

async function readLastEngine(config: EngineConfig): Promise<LastEngine | null> {
  try {
    return lastEngineSchema.parse(JSON.parse(await readFile(memoryFile(config), 'utf8')));
  } catch {
    return null; // never used, or damaged: then there is nothing to hold the user to
  }
}
