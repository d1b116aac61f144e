import { connect, createServer, type Socket } from 'node:net';

/** The socket of a host: it accepts from before the lock is taken until after it is given back. */
export interface HostListener {
  /** From now on `take` gets every connection, those that wait included. */
  serve(take: (socket: Socket) => void): void;
  /** Ends new connections at once; still listens, so that others see a host that lives. */
  refuse(): void;
  /** Stops listening. Safe to call twice. */
  close(): Promise<void>;
}

/** Rejects when something listens at `path` already. */
export async function listen(path: string): Promise<HostListener> {
  const early: Socket[] = [];
  let take = (socket: Socket): void => {
    early.push(socket);
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    take(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  const serve = (next: (socket: Socket) => void): void => {
    take = next;
    for (const socket of early.splice(0)) take(socket);
  };
  const refuse = () => serve((socket) => socket.destroy());
  let closed: Promise<void> | undefined;
  return {
    serve,
    refuse,
    close: () => {
      refuse();
      closed ??= new Promise((resolve) => server.close(() => resolve()));
      return closed;
    },
  };
}

/** What a socket says whose process is dead, or that is not there. */
const DEAD = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR']);

/**
 * Whether a process listens at `path`, also one of another process namespace, and also a frozen one: the system accepts for
 * it. Whatever is not a clear no is a yes.
 */
export async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    return await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', (error) => resolve(!('code' in error && DEAD.has(String(error.code)))));
    });
  } finally {
    socket.destroy();
  }
}
