import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { StoreUnavailableError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import { type DatabaseHost, startDatabaseHost } from './database-host.js';
import { type HostRecord, isSameNamespace, takeHostLock } from './host-lock.js';
import type { SocketAddress } from './socket-address.js';

export interface SessionSettings {
  /** Absolute, exists, mode 0700. */
  readonly directory: string;
  /** How long a host may take to answer before it is called unreachable. */
  readonly hostAnswerMs: number;
}

/** Connections to the process that serves the database, until that one ends. */
export interface Session {
  readonly pool: pg.Pool;
  /** Ends the database; null when another process hosts it. */
  readonly host: { close(): Promise<void> } | null;
}

/** Who serves the database of a directory: this process when nobody else does, else the one that does. */
export interface Sessions {
  /** The present session; a new one when the last was lost. Rejects with StoreUnavailableError. */
  current(): Promise<Session>;
  /** Forgets a session that broke. Does nothing when another took its place. */
  lose(broken: Session): Promise<void>;
  /** Ends the connections, and the database when this process hosts it. Safe to call twice. */
  close(): Promise<void>;
}

const POOL_SIZE = 20;
const QUERY_TIMEOUT_MS = 30_000;
const RETRY_MS = 50;

export function createSessions(settings: SessionSettings, log: Logger): Sessions {
  let session: Promise<Session> | undefined;
  let closed: Promise<void> | undefined;

  function current(): Promise<Session> {
    if (closed !== undefined) return Promise.reject(new StoreUnavailableError('The embedded engine is closed.'));
    if (session === undefined) {
      const opening = establish(settings, log, () => void opening.then(lose, () => undefined));
      session = opening;
      opening.catch(() => {
        if (session === opening) session = undefined;
      });
    }
    return session;
  }

  async function lose(broken: Session): Promise<void> {
    const latest = await session?.catch(() => undefined);
    if (latest !== broken) return;
    session = undefined;
    void broken.pool.end().catch(() => undefined);
    await broken.host?.close();
  }

  async function end(): Promise<void> {
    const last = await session?.catch(() => undefined);
    session = undefined;
    await last?.pool.end();
    await last?.host?.close();
  }

  return { current, lose, close: () => (closed ??= end()) };
}

/** `onBroken` is called when this process hosts and its database stopped working. */
async function establish(settings: SessionSettings, log: Logger, onBroken: () => void): Promise<Session> {
  const deadline = performance.now() + settings.hostAnswerMs;
  for (;;) {
    const lock = await takeHostLock(settings.directory);
    if (lock.kind === 'owned') return host(settings, lock, log, onBroken);
    const attached = await attach(lock.address, Math.max(1, deadline - performance.now()), log);
    if (attached !== undefined) return attached;
    if (performance.now() >= deadline) throw hostSilent(settings.directory, lock.owner);
    await sleep(RETRY_MS);
  }
}

type OwnedLock = Extract<Awaited<ReturnType<typeof takeHostLock>>, { kind: 'owned' }>;

async function host(settings: SessionSettings, lock: OwnedLock, log: Logger, onBroken: () => void): Promise<Session> {
  let opened: DatabaseHost | undefined;
  const close = async () => {
    await opened?.close();
    await lock.release();
  };
  try {
    opened = await startDatabaseHost(settings.directory, lock.listener, log, onBroken);
    const pool = createPool(lock.address, settings.hostAnswerMs, log);
    await pool.query('select 1');
    log.debug('engine.hosting', { directory: settings.directory });
    return { pool, host: { close } };
  } catch (error) {
    await close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreUnavailableError(
      `The embedded database in ${settings.directory} cannot be opened (${reason}); check the directory and its disk space.`,
      { cause: error },
    );
  }
}

/** Undefined when the host is opening, ending, frozen or dead: the lock will tell. */
async function attach(address: SocketAddress, timeoutMs: number, log: Logger): Promise<Session | undefined> {
  const pool = createPool(address, timeoutMs, log);
  try {
    await pool.query({ text: 'select 1', query_timeout: timeoutMs } as pg.QueryConfig);
    return { pool, host: null };
  } catch {
    void pool.end();
    return undefined;
  }
}

function createPool({ host: folder, port }: SocketAddress, timeoutMs: number, log: Logger): pg.Pool {
  const pool = new pg.Pool({
    host: folder,
    port,
    user: 'postgres',
    database: 'postgres',
    password: '',
    ssl: false,
    max: POOL_SIZE,
    connectionTimeoutMillis: Math.ceil(timeoutMs),
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // Nobody may listen to a lent client when its connection breaks, and an unheard error ends the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => log.debug('engine.connection_lost', { message: error.message }));
  return pool;
}

function hostSilent(directory: string, owner: HostRecord): StoreUnavailableError {
  const known = isSameNamespace(owner);
  const who = known ? `Process ${owner.pid}` : `Process ${owner.pid} of another container`;
  const goOn = known ? `let it go on (kill -CONT ${owner.pid})` : 'let it go on';
  return new StoreUnavailableError(
    `${who} hosts the database in ${directory} and does not answer; ${goOn} or end it, then try again.`,
  );
}
