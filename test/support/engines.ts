import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { openDatabaseLink } from '../../src/lib/engine/embedded/database-link.js';
import { copyTemplate } from '../../src/lib/engine/embedded/database-template.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { type EngineSettings, openEngine } from '../../src/lib/engine/open-engine.js';
import type { Logger } from '../../src/lib/logger.js';
import { bySuite, testIn } from './suite.js';

export const ENGINE_KINDS = ['redis', 'embedded'] as const;
/** For code that does not know the engine: each suite has one. That the engines agree is what the store's tests are for. */
export const ENGINES_IN_TURN = bySuite<EngineKind>(['redis'], ['embedded']);

export type EngineKind = (typeof ENGINE_KINDS)[number];

/** The engines of a table in each suite, where some of its tests are `testOn(kind)`; both where a suite is not named. */
export function enginesIn(suites: { readonly short?: readonly EngineKind[]; readonly long?: readonly EngineKind[] }) {
  const { TEST_SUITE: suite } = process.env;
  return (suite === 'short' || suite === 'long' ? suites[suite] : undefined) ?? ENGINE_KINDS;
}
/** In place of `test`: on Redis in `npm test`, on the embedded engine in `npm run test:long`. */
export const testOn = (kind: EngineKind) => (kind === 'redis' ? testIn.short : testIn.long);

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
    cpSync(await runTemplate(), dataDir, { recursive: true }); // three times as fast as the one that waits
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

/**
 * The folder of an empty database, made once a run by the first file that needs one: creating it takes seconds, unpacking
 * that of the last build a fraction of one, copying it less.
 */
async function runTemplate(): Promise<string> {
  const { TEST_RUN_FOLDER: folder } = process.env;
  if (!folder) throw new Error('TEST_RUN_FOLDER is not set: run the tests with jest, whose global setup sets it.');
  const template = join(folder, 'template');
  if (existsSync(template)) return template;
  const dataDir = await mkdtemp(join(folder, 'template-'));
  if (isBuilt()) {
    mkdirSync(join(dataDir, 'pg'), { mode: 0o700 });
    copyTemplate(join(dataDir, 'pg', 'data'), pathToFileURL(resolve(BUILT)));
  } else {
    const engine = await openEngine({ dataDir, prefix: 'test', queueName: 'zia-enrich' }, quietLog);
    await engine.close();
  }
  // Another file may have been faster.
  await rename(dataDir, template).catch(() => rm(dataDir, { recursive: true }));
  return template;
}

const BUILT = 'dist/lib/engine/embedded/template.gz';
const MADE_FROM = ['src/lib/store/postgres', 'src/lib/engine/embedded'];

/** Whether the database of the last build has the tables of the source. */
function isBuilt(): boolean {
  const paths = MADE_FROM.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const changedAtMs = Math.max(...paths.map((path) => statSync(path).mtimeMs));
  return existsSync(BUILT) && statSync(BUILT).mtimeMs > changedAtMs;
}

/** The Redis of this test run, started by `global-setup.ts`. */
export function testRedisUrl(): string {
  const url = process.env.TEST_REDIS_URL;
  if (!url) throw new Error('TEST_REDIS_URL is not set: run the tests with jest, whose global setup starts a Redis.');
  return url;
}

export interface TestEngine {
  readonly engine: Engine;
  readonly settings: EngineSettings;
  close(): Promise<void>;
}

/** An engine without any rows, for the caller alone; `close` removes what it left. */
export async function openTestEngine(kind: EngineKind): Promise<TestEngine> {
  if (kind === 'redis') return openNew(kind);
  const borrowed = idle.pop() ?? (await openNew(kind));
  return {
    ...borrowed,
    close: async () => {
      const isEmpty =
        !isOver &&
        (await reset(borrowed).then(
          () => true,
          // The test closed or broke it, which is no fault of the next one.
          () => false,
        ));
      if (isEmpty) idle.push(borrowed);
      else await borrowed.close();
    },
  };
}

async function openNew(kind: EngineKind): Promise<TestEngine> {
  const place = await testPlace(kind);
  const engine = await openEngine(place.settings, quietLog);
  return {
    engine,
    settings: place.settings,
    close: async () => {
      await engine.close();
      await place.remove();
    },
  };
}

/**
 * Embedded engines of this test file that nobody uses just now. Opening one takes one or two seconds of processor time, more
 * than most tests, so the next test gets an emptied one.
 */
const idle: TestEngine[] = [];
let isOver = false;

// Runs before those of the file, which may still give an engine back.
afterAll(async () => {
  isOver = true;
  await Promise.all(idle.splice(0).map(({ close }) => close()));
});

/** Row by row: to truncate a table makes files anew for it and each index, which takes a hundred times as long as a few rows. */
const EMPTY_TABLES = `do $$ declare name text; begin
  set local session_replication_role = replica; -- in any order, whatever refers to what
  for name in select format('%I.%I', schemaname, tablename) from pg_tables
    where schemaname = 'bullmq' and tablename <> 'migration' or schemaname = 'zia' and tablename <> 'applied'
  loop execute 'delete from ' || name; end loop;
  insert into zia.gauge (pending) values (0);
end $$`;

async function reset({ engine, settings: { dataDir } }: TestEngine): Promise<void> {
  await engine.store.counts();
  const link = await openDatabaseLink({ directory: join(dataDir, 'pg'), hostAnswerMs: 20_000 }, quietLog);
  try {
    await link.query(EMPTY_TABLES);
  } finally {
    await link.close();
  }
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
