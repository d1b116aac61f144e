import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Engine } from '../../src/lib/engine/engine.js';
import { type EngineSettings, openEngine } from '../../src/lib/engine/open-engine.js';
import type { Logger } from '../../src/lib/logger.js';

export const ENGINE_KINDS = ['redis', 'embedded'] as const;
export type EngineKind = (typeof ENGINE_KINDS)[number];

export const quietLog: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => quietLog,
};

/** A place for an engine that nobody else uses. */
export interface TestPlace {
  readonly settings: EngineSettings;
  /** Removes what the engine left. Close the engines first. */
  remove(): Promise<void>;
}

export async function testPlace(kind: EngineKind): Promise<TestPlace> {
  const dataDir = await mkdtemp(join(tmpdir(), 'zia-test-'));
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const base = { dataDir, prefix, queueName: 'zia-enrich' };
  const removeDir = () => rm(dataDir, { recursive: true, force: true });
  if (kind === 'embedded') {
    template ??= createTemplate();
    await cp(await template, dataDir, { recursive: true });
    return { settings: base, remove: removeDir };
  }
  const redisUrl = testRedisUrl();
  return {
    settings: { ...base, redisUrl },
    remove: async () => {
      await removeKeys(redisUrl, `{${prefix}}:*`);
      await removeDir();
    },
  };
}

let template: Promise<string> | undefined;

/** Creating a database takes seconds, copying one does not. Made once a test file. */
async function createTemplate(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'zia-test-template-'));
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }));
  const engine = await openEngine({ dataDir, prefix: 'test', queueName: 'zia-enrich' }, quietLog);
  await engine.close();
  return dataDir;
}

/** The Redis of this test run, started by `global-setup.ts`. */
export function testRedisUrl(): string {
  const url = process.env.TEST_REDIS_URL;
  if (!url) throw new Error('TEST_REDIS_URL is not set: run the tests with jest, whose global setup starts a Redis.');
  return url;
}

/** An engine in a place of its own; `close` also removes the place. */
export async function openTestEngine(
  kind: EngineKind,
  log: Logger = quietLog,
): Promise<{ readonly engine: Engine; readonly settings: EngineSettings; close(): Promise<void> }> {
  const place = await testPlace(kind);
  const engine = await openEngine(place.settings, log);
  return {
    engine,
    settings: place.settings,
    close: async () => {
      await engine.close();
      await place.remove();
    },
  };
}

async function removeKeys(url: string, pattern: string): Promise<void> {
  const client = new Redis(url);
  try {
    for await (const keys of client.scanStream({ match: pattern, count: 1_000 })) {
      if (keys.length > 0) await client.unlink(...keys);
    }
  } finally {
    client.disconnect();
  }
}
