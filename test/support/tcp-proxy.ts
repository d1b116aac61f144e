import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What happens to connections: `pass` them on, `delay` every chunk, `black-hole` (accept, and hold back whatever is said) or
 * `refuse` (closed port). What a black hole held back goes on where both ends still live, as TCP sends again what was lost:
 * a stream with a hole in it is nothing that a network makes.
 */
export type ProxyMode = 'pass' | 'delay' | 'black-hole' | 'refuse';

/** A TCP proxy on loopback that misbehaves on command. */
export interface TcpProxy {
  readonly port: number;
  setMode(mode: ProxyMode): Promise<void>;
  /** New connections go to this port. */
  pointTo(port: number): void;
  /** Destroys every open connection; new ones are treated as the mode says. */
  cut(): void;
  connections(): number;
  close(): Promise<void>;
}

export async function openTcpProxy(given: { host: string; port: number }, delayMs = 300): Promise<TcpProxy> {
  let target = given;
  const sockets = new Set<Socket>();
  /** What is to go on after a black hole, in order. */
  const heldBack: (() => void)[] = [];
  let mode: ProxyMode = 'pass';
  let server: Server | undefined = await listen(0);
  const { port } = server.address() as AddressInfo;

  async function listen(onPort: number): Promise<Server> {
    const listening = createServer((client) => accept(client)).listen(onPort, '127.0.0.1');
    await once(listening, 'listening');
    return listening;
  }

  function accept(client: Socket): void {
    track(client);
    if (mode === 'black-hole') {
      client.pause();
      heldBack.push(() => join(client));
      return;
    }
    join(client);
  }

  function join(client: Socket): void {
    if (client.destroyed) return;
    const upstream = track(connect({ ...target, noDelay: true }));
    pass(client, upstream);
    pass(upstream, client);
  }

  function track(socket: Socket): Socket {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    return socket;
  }

  function pass(from: Socket, to: Socket): void {
    const goOn = (what: () => void): void => {
      if (mode === 'black-hole') heldBack.push(() => !from.destroyed && what());
      else if (mode === 'delay') setTimeout(what, delayMs);
      else what();
    };
    from.on('data', (chunk) => goOn(() => void (to.writable && to.write(chunk))));
    from.on('end', () => goOn(() => to.end()));
    from.on('close', () => to.destroy());
  }

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  async function stopListening(): Promise<void> {
    const closing = server;
    server = undefined;
    cut();
    if (closing) await new Promise((resolve) => closing.close(resolve));
  }

  return {
    port,
    setMode: async (next) => {
      mode = next;
      if (next !== 'black-hole') for (const goOn of heldBack.splice(0)) goOn();
      if (next === 'refuse') await stopListening();
      else server ??= await listen(port);
    },
    pointTo: (to) => {
      target = { ...target, port: to };
    },
    cut,
    connections: () => sockets.size,
    close: stopListening,
  };
}
