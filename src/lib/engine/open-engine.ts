import { UsageError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Engine } from './engine.js';

export interface EngineSettings {
  /** Set: Redis. Not set: the embedded engine in `dataDir`. Its forms are described at `parseRedisAddress`. */
  readonly redisUrl?: string | undefined;
  /** Where the embedded engine lives (ZIA_DATA_DIR). */
  readonly dataDir: string;
  /** ZIA_PREFIX; wrapped into the hash tag all Redis keys share. */
  readonly prefix: string;
  readonly queueName: string;
  /** For short commands: give up after about a second when Redis goes away, instead of waiting for a restart. Default false. */
  readonly failFast?: boolean;
  /** How long the process that hosts the embedded database may take to answer before it is called unreachable. Default 20 s. */
  readonly hostAnswerMs?: number;
}

/**
 * Opens the engine these settings name; never falls back to the other one. The caller closes it, after the queues and
 * workers made from it. Rejects with StoreUnavailableError when it cannot be reached.
 */
export async function openEngine(settings: EngineSettings, log: Logger): Promise<Engine> {
  const { prefix, queueName, failFast = false } = settings;
  if (!/^[\w.-]+$/.test(prefix)) {
    throw new UsageError('BAD_PREFIX', 'ZIA_PREFIX may hold letters, digits, dots, dashes and underscores only.');
  }
  if (!/^[\w.-]+$/.test(queueName) || queueName === 'store') {
    throw new UsageError(
      'BAD_QUEUE',
      'ZIA_QUEUE may hold letters, digits, dots, dashes and underscores, and not be "store".',
    );
  }
  // Only the engine that is used is loaded.
  if (settings.redisUrl) {
    const { openRedisEngine } = await import('./redis/open-redis-engine.js');
    return openRedisEngine({ redisUrl: settings.redisUrl, prefix, queueName, failFast }, log);
  }
  const { openEmbeddedEngine } = await import('./embedded/open-embedded-engine.js');
  return openEmbeddedEngine(
    { dataDir: settings.dataDir, queueName, hostAnswerMs: settings.hostAnswerMs ?? 20_000 },
    log,
  );
}
