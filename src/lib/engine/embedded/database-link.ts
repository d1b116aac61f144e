import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'node:util';
import type { PgPool, PgPoolClient, PgQueryResult } from 'bullmq';
import pLimit from 'p-limit';
import type pg from 'pg';
import { StoreUnavailableError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import { createSessions, type Session, type SessionSettings } from './database-session.js';

/**
 * The way of one process to the database of a directory, in the shape of a `pg.Pool` as BullMQ uses it. Hosts the
 * database when nobody does, else attaches to the host; when the host ends, one of those attached takes its place.
 *
 * `query` sends a statement again when the connection was lost while the database changed hands. A host that ends in good
 * order answers what it ran, so then nothing runs twice. When it is killed the last statements may: the store's operations
 * and the adding of jobs by id may be repeated, and BullMQ asks again anyway where it did not hear an answer.
 */
export interface DatabaseLink extends PgPool {
  /** For BullMQ, which does not own the link: does nothing. */
  end(): Promise<void>;
  /** Ends the connections, and the database when this process hosts it. Safe to call twice. */
  close(): Promise<void>;
}

/** Statements at once; the rest of the pool is for borrowers. Waiting for a turn is no sign of a silent host, so it has no timeout. */
const STATEMENTS_AT_ONCE = 10;
const HANDOVER_MS = 15_000;
const RETRY_MS = 50;
const PATIENT_RETRY_MS = 1_000;

/** Rejects with StoreUnavailableError when the host lives but does not answer, or the database cannot be opened. */
export async function openDatabaseLink(settings: SessionSettings, log: Logger): Promise<DatabaseLink> {
  const sessions = createSessions(settings, log);
  const turns = pLimit(STATEMENTS_AT_ONCE);
  let closed = false;

  async function lend(deadline: number): Promise<{ client: pg.PoolClient; from: Session }> {
    for (;;) {
      const from = await sessions.current();
      try {
        return { client: await from.pool.connect(), from };
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        await sessions.lose(from);
        if (performance.now() > deadline) throw error;
      }
    }
  }

  async function sendOnce<R>(text: string, values?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const { client, from } = await lend(performance.now() + HANDOVER_MS);
    try {
      const result = await sendOn<R>(client, text, values);
      client.release();
      return result;
    } catch (error) {
      const lost = isAbsence(error);
      client.release(lost);
      if (lost) await sessions.lose(from);
      throw error;
    }
  }

  async function send<R>(text: string, values?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const deadline = performance.now() + HANDOVER_MS;
    for (;;) {
      try {
        return await sendOnce(text, values);
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        if (performance.now() > deadline) throw hostLost(settings.directory, error);
        await sleep(RETRY_MS);
      }
    }
  }

  /** For as long as this process lives: BullMQ does not ask twice. */
  async function sendPatiently<R>(text: string, values?: readonly unknown[]): Promise<PgQueryResult<R>> {
    for (;;) {
      try {
        return await link.query(text, values);
      } catch (error) {
        if (closed || !isAbsence(error)) throw error;
        await sleep(PATIENT_RETRY_MS);
      }
    }
  }

  const link: DatabaseLink = {
    query: (text, values) => turns(() => send(text, values)),
    connect: async () => borrowedClient(sendPatiently),
    end: async () => undefined,
    // Lost connections are nobody's concern but ours.
    on: () => link,
    removeAllListeners: () => link,
    close: () => {
      closed = true;
      return sessions.close();
    },
  };
  await sessions.current();
  return link;
}

const LOST = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ENOTCONN']);

/** The host of the database went away, as opposed to a statement that is wrong. */
function isConnectionLoss(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if ('code' in error && typeof error.code === 'string' && LOST.has(error.code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|not queryable|Cannot use a pool/.test(
    error.message,
  );
}

/** The host is away or does not answer, as opposed to a statement it refuses. */
function isAbsence(error: unknown): boolean {
  return (
    isConnectionLoss(error) ||
    error instanceof StoreUnavailableError ||
    (types.isNativeError(error) && /Query read timeout/.test(error.message))
  );
}

function hostLost(directory: string, error: unknown): StoreUnavailableError {
  return new StoreUnavailableError(
    `The process that hosted the database in ${directory} ended, and for ${HANDOVER_MS / 1_000} s no other could take its place; try again.`,
    { cause: error },
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
function borrowedClient(query: PgPoolClient['query']): PgPoolClient {
  const client: PgPoolClient = {
    query,
    on: () => client,
    removeListener: () => client,
    removeAllListeners: () => client,
    release: () => undefined,
  };
  return client;
}
