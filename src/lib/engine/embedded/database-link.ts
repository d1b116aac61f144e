import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PgPool, PgPoolClient, PgQueryResult } from 'bullmq';
import pLimit from 'p-limit';
import pg from 'pg';
import { StoreUnavailableError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import { isConnectionLoss } from './connection-loss.js';
import { type DatabaseHost, startDatabaseHost } from './database-host.js';
import { type HostRecord, takeHostLock } from './host-lock.js';
import { type SocketAddress, socketAddress } from './socket-address.js';

export interface LinkSettings {
  /** Absolute, exists, mode 0700. */
  readonly directory: string;
  /** How long a host may take to answer before it is called unreachable. */
  readonly hostAnswerMs: number;
}

/**
 * The way of one process to the database of a directory, in the shape of a `pg.Pool` as BullMQ uses it. Hosts the
 * database when nobody does, else attaches to the host; when the host ends, one of those attached takes its place.
 */
export interface DatabaseLink extends PgPool {
  /** Whether this process hosts now. */
  readonly hosting: boolean;
  /** Sent again while the database changes hands, so for statements that may run twice. `query` is never sent again. */
  repeatable(text: string, values: readonly unknown[]): Promise<PgQueryResult<unknown>>;
  /** For BullMQ, which does not own the link: does nothing. */
  end(): Promise<void>;
  /** Ends the connections, and the database when this process hosts it. Safe to call twice. */
  close(): Promise<void>;
}

interface Session {
  readonly pool: pg.Pool;
  readonly host: { close(): Promise<void> } | null;
}

const POOL_SIZE = 20;
/** Statements at once; the rest of the pool is for borrowers. Waiting for a turn is no sign of a silent host, so it has no timeout. */
const STATEMENTS_AT_ONCE = 10;
const QUERY_TIMEOUT_MS = 30_000;
const HANDOVER_MS = 15_000;
const RETRY_MS = 50;
const PATIENT_RETRY_MS = 1_000;

/** Rejects with StoreUnavailableError when the host lives but does not answer, or the database cannot be opened. */
export async function openDatabaseLink(settings: LinkSettings, log: Logger): Promise<DatabaseLink> {
  const events = new EventEmitter();
  const turns = pLimit(STATEMENTS_AT_ONCE);
  let session: Promise<Session> | undefined;
  let hosting = false;
  let closed: Promise<void> | undefined;

  function current(): Promise<Session> {
    if (closed !== undefined) return Promise.reject(new StoreUnavailableError('The embedded engine is closed.'));
    if (session === undefined) {
      const opening = establish();
      session = opening;
      opening.catch(() => {
        if (session === opening) session = undefined;
      });
    }
    return session;
  }

  async function establish(): Promise<Session> {
    const deadline = performance.now() + settings.hostAnswerMs;
    for (;;) {
      const lock = takeHostLock(settings.directory);
      const address = socketAddress(settings.directory, lock.number);
      if (lock.kind === 'owned') return host(address, lock.release);
      const attached = await attach(address, Math.max(1, deadline - performance.now()));
      if (attached !== undefined) return attached;
      if (performance.now() >= deadline) throw hostSilent(settings.directory, lock.owner);
      await sleep(RETRY_MS);
    }
  }

  async function host(address: SocketAddress, release: () => void): Promise<Session> {
    let opened: DatabaseHost | undefined;
    try {
      opened = await startDatabaseHost(settings.directory, address, log, () => {
        void current().then(lose, () => undefined);
      });
      const pool = createPool(address);
      await pool.query('select 1');
      log.debug('engine.hosting', { directory: settings.directory });
      hosting = true;
      return { pool, host: { close: () => closeHost(opened, release) } };
    } catch (error) {
      await closeHost(opened, release);
      throw new StoreUnavailableError(
        `The embedded database in ${settings.directory} cannot be opened (${messageOf(error)}); check the directory and its disk space.`,
        { cause: error },
      );
    }
  }

  async function attach(address: SocketAddress, timeoutMs: number): Promise<Session | undefined> {
    const pool = createPool(address, timeoutMs);
    try {
      await pool.query({ text: 'select 1', query_timeout: timeoutMs } as pg.QueryConfig);
      hosting = false;
      return { pool, host: null };
    } catch {
      // The host is opening, ending, frozen or dead: the lock will tell.
      void pool.end();
      return undefined;
    }
  }

  function createPool({ host: folder, port }: SocketAddress, timeoutMs = settings.hostAnswerMs): pg.Pool {
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

  /** Forgets a session that broke; the next statement makes a new one. */
  async function lose(broken: Session): Promise<void> {
    const latest = await session?.catch(() => undefined);
    if (latest !== broken) return;
    session = undefined;
    hosting = false;
    void broken.pool.end().catch(() => undefined);
    await broken.host?.close();
  }

  async function lend(deadline: number): Promise<{ client: pg.PoolClient; from: Session }> {
    for (;;) {
      const from = await current();
      try {
        return { client: await from.pool.connect(), from };
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        await lose(from);
        if (performance.now() > deadline) throw error;
      }
    }
  }

  async function send<R>(text: string, values?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const { client, from } = await lend(performance.now() + HANDOVER_MS);
    try {
      const result = await sendOn<R>(client, text, values);
      client.release();
      return result;
    } catch (error) {
      const lost = isAbsence(error);
      client.release(lost);
      if (lost) await lose(from);
      throw error;
    }
  }

  async function sendRepeatedly(text: string, values: readonly unknown[]): Promise<PgQueryResult<unknown>> {
    const deadline = performance.now() + HANDOVER_MS;
    for (;;) {
      try {
        return await send(text, values);
      } catch (error) {
        if (!isConnectionLoss(error) || performance.now() > deadline) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  /** For as long as this process lives: BullMQ does not ask twice. */
  async function sendPatiently(text: string, values: readonly unknown[]): Promise<PgQueryResult<unknown>> {
    for (;;) {
      try {
        return await link.repeatable(text, values);
      } catch (error) {
        if (closed !== undefined || !isAbsence(error)) throw error;
        await sleep(PATIENT_RETRY_MS);
      }
    }
  }

  const link: DatabaseLink = {
    get hosting() {
      return hosting;
    },
    query: (text, values) => turns(() => send(text, values)),
    repeatable: (text, values) => turns(() => sendRepeatedly(text, values)),
    connect: async () => borrowedClient(sendPatiently),
    end: async () => undefined,
    on: (event: string, listener: (value: never) => void) => {
      events.on(event, listener as () => void);
      return link;
    },
    removeAllListeners: (event?: string) => {
      events.removeAllListeners(event);
      return link;
    },
    close: () => {
      closed ??= (async () => {
        const last = await session?.catch(() => undefined);
        session = undefined;
        hosting = false;
        await last?.pool.end();
        await last?.host?.close();
      })();
      return closed;
    },
  };
  await current();
  return link;
}

/** The host is away or does not answer, as opposed to a statement it refuses. */
function isAbsence(error: unknown): boolean {
  return (
    isConnectionLoss(error) || error instanceof StoreUnavailableError || /Query read timeout/.test(messageOf(error))
  );
}

/** Whoever writes the statement names its row type. */
async function sendOn<R>(client: pg.PoolClient, text: string, values?: readonly unknown[]): Promise<PgQueryResult<R>> {
  const { rows, rowCount } = await client.query(text, values === undefined ? undefined : [...values]);
  return { rows: rows as R[], rowCount };
}

/**
 * What BullMQ borrows to look at the schema once and to LISTEN. There is nothing to hear (NOTIFY does not cross the socket,
 * workers poll), and BullMQ remembers a failed first look for good: so nothing is lent, and its statements, which all may
 * run twice, wait for a host.
 */
function borrowedClient(send: DatabaseLink['repeatable']): PgPoolClient {
  const client: PgPoolClient = {
    // Whoever writes the statement names its row type.
    query: <R>(text: string, values: readonly unknown[] = []) => send(text, values) as Promise<PgQueryResult<R>>,
    on: () => client,
    removeListener: () => client,
    removeAllListeners: () => client,
    release: () => undefined,
  };
  return client;
}

async function closeHost(host: DatabaseHost | undefined, release: () => void): Promise<void> {
  await host?.close();
  release();
}

function hostSilent(directory: string, owner: HostRecord): StoreUnavailableError {
  return new StoreUnavailableError(
    `Process ${owner.pid} hosts the database in ${directory} and does not answer; let it go on (kill -CONT ${owner.pid}) or end it, then try again.`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
