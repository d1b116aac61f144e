import type { Socket } from 'node:net';
import type { PGlite } from '@electric-sql/pglite';
import type { HostListener } from './host-listener.js';
import { createFrameReader } from './message-frames.js';
import { createPreparer, type PreparedBatch } from './prepared-statements.js';

export interface SocketServer {
  /** Answers the batch that runs, then ends all connections: what was not answered was not run. Takes no new ones. */
  stop(): Promise<void>;
}

interface Client {
  readonly socket: Socket;
  readonly waiting: (readonly Buffer[])[];
  gone: boolean;
}

/** A client that sits on a transaction (frozen, say) while others wait loses it after this time. */
const TRANSACTION_PATIENCE_MS = 10_000;
/** A client that does not read its last answer (frozen, say) does not keep the host from ending. */
const LAST_ANSWER_MS = 500;

/**
 * Serves PGlite's one session to many clients over a socket: one batch at a time, and nobody else's while a client is
 * inside a transaction. pglite-socket 0.2.17 will not do: it lets other clients in between the parse and the bind of a
 * statement that arrives in pieces, which then binds to the other's statement, and it stops for good when PGlite throws
 * (electric-sql/pglite#1046).
 * `onBroken` is called when PGlite throws, which a wrong statement does not make it do.
 */
export function serveDatabase(db: PGlite, listener: HostListener, onBroken: (error: unknown) => void): SocketServer {
  const clients = new Set<Client>();
  const prepare = createPreparer();
  let turn: Client[] = [];
  let holder: Client | undefined;
  let patience: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  function nextClient(): Client | undefined {
    const at = holder === undefined ? 0 : turn.indexOf(holder);
    return at < 0 ? undefined : turn.splice(at, 1)[0];
  }

  function wake(): void {
    running ??= work().finally(() => {
      running = undefined;
    });
  }

  async function work(): Promise<void> {
    try {
      for (let client = nextClient(); client !== undefined && !stopped; client = nextClient()) {
        const batch = client.waiting.shift();
        if (batch !== undefined && !client.gone) await run(db, client, prepare(batch));
        await keepOrEndTransaction(client);
      }
    } catch (error) {
      stopped = true;
      if (!db.closed) onBroken(error);
    }
  }

  async function keepOrEndTransaction(client: Client): Promise<void> {
    clearTimeout(patience);
    holder = undefined;
    if (db.closed || !db.isInTransaction()) return;
    if (client.gone) {
      await db.exec('rollback');
      return;
    }
    holder = client;
    patience = setTimeout(() => client.socket.destroy(), TRANSACTION_PATIENCE_MS).unref();
  }

  function leave(client: Client): void {
    client.gone = true;
    clients.delete(client);
    turn = turn.filter((waiting) => waiting !== client);
    if (holder !== client || stopped) return;
    // One more turn, without a batch, to end its transaction.
    turn.push(client);
    wake();
  }

  listener.serve((socket) => {
    const client: Client = { socket, waiting: [], gone: false };
    clients.add(client);
    socket.on('close', () => leave(client));
    listen(client, (batches) => {
      client.waiting.push(...batches);
      turn.push(...batches.map(() => client));
      wake();
    });
  });

  return {
    stop: async () => {
      stopped = true;
      clearTimeout(patience);
      listener.refuse();
      await running;
      await Promise.all([...clients].map(({ socket }) => endOf(socket)));
    },
  };
}

/** Calls `onBatches` with the batches of statements that the client has sent in whole. */
function listen({ socket }: Client, onBatches: (batches: (readonly Buffer[])[]) => void): void {
  const read = createFrameReader();
  socket.on('data', (data) => {
    const batches: (readonly Buffer[])[] = [];
    for (const unit of read(data)) {
      if (unit.kind === 'end') socket.end();
      else if (unit.kind === 'no-encryption') socket.write('N');
      else batches.push(unit.messages);
    }
    onBatches(batches);
  });
}

async function run(db: PGlite, { socket }: Client, { message, before, onAnswer }: PreparedBatch): Promise<void> {
  const answer = (data: Uint8Array) => {
    if (socket.writable) socket.write(data);
  };
  await db.runExclusive(async () => {
    if (before !== null) answer(before);
    await db.execProtocolRawStream(message, {
      onRawData: (data) => {
        onAnswer(data);
        // A copy: the data lies in PGlite's memory.
        answer(Buffer.from(data));
      },
    });
  });
}

function endOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.end();
    setTimeout(() => socket.destroy(), LAST_ANSWER_MS).unref();
    if (socket.destroyed) resolve();
  });
}
