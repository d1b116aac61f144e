import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { LATEST_SCHEMA_VERSION, runMigrations } from 'bullmq';
import type { Logger } from '../../logger.js';
import { readSchema } from '../../store/postgres/schema.js';
import { copyTemplate } from './database-template.js';
import type { HostListener } from './host-listener.js';
import { serveDatabase } from './socket-server.js';

export interface DatabaseHost {
  /** Ends serving and the database. Safe to call twice. */
  close(): Promise<void>;
}

/** Postgres' own page cache in place of 160 MB: the system caches the same files, and no command is slower. */
const MEMORY_PARAMS = ['-c', 'shared_buffers=16MB'];

/**
 * Opens the database in `directory` and serves it to those who connect. The caller holds the host lock and ends the
 * listener afterwards. `onBroken` is called once when the database stopped working; close the host then.
 */
export async function startDatabaseHost(
  directory: string,
  listener: HostListener,
  log: Logger,
  onBroken: () => void,
): Promise<DatabaseHost> {
  const dataDir = join(directory, 'data');
  copyTemplate(dataDir);
  const db = await PGlite.create({ dataDir, startParams: [...PGlite.defaultStartParams, ...MEMORY_PARAMS] });
  const closers: (() => unknown)[] = [() => db.close()];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= runClosers(closers, log);
    return closing;
  };
  try {
    await prepare(db);
    const server = serveDatabase(db, listener, (error) => {
      log.error('engine.broken', { message: error instanceof Error ? error.message : String(error) });
      onBroken();
    });
    closers.push(() => server.stop());
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Brings tables and functions up to date. Where a start before this one did, nothing is run: that would take half a second. */
async function prepare(db: PGlite): Promise<void> {
  const schema = readSchema();
  const wanted = createHash('sha256').update(`${LATEST_SCHEMA_VERSION}\n${schema}`).digest('hex');
  if ((await appliedSchema(db)) !== wanted) {
    await migrateQueue(db);
    await db.transaction(async (tx) => {
      await tx.exec(schema);
      await tx.query('insert into zia.applied values (true, $1) on conflict (one) do update set hash = excluded.hash', [
        wanted,
      ]);
    });
  }
  // The database has a single session, so this holds for everybody.
  await db.exec('set search_path to bullmq, zia, public');
}

async function appliedSchema(db: PGlite): Promise<string | null> {
  const { rows: tables } = await db.query("select to_regclass('zia.applied') is not null as there");
  if (!(tables[0] as { there: boolean }).there) return null;
  const { rows } = await db.query('select hash from zia.applied');
  return (rows[0] as { hash: string } | undefined)?.hash ?? null;
}

async function migrateQueue(db: PGlite): Promise<void> {
  await runMigrations({
    query: async <R>(text: string, values?: readonly unknown[]) => {
      const result = values === undefined ? (await db.exec(text)).at(-1) : await db.query(text, [...values]);
      // BullMQ names the row type of its own statement.
      return { rows: (result?.rows ?? []) as R[] };
    },
  });
}

async function runClosers(closers: (() => unknown)[], log: Logger): Promise<void> {
  for (const closer of closers.splice(0).reverse()) {
    try {
      await closer();
    } catch (error) {
      log.warn('engine.close_failed', { message: error instanceof Error ? error.message : String(error) });
    }
  }
}
