import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpTapOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Sees what the client sends; the bytes go on when `pass` is called. Passed on at once when absent. */
  readonly onRequestBytes?: (bytes: Buffer, pass: () => void) => void;
  /** The same for what the server answers. */
  readonly onAnswerBytes?: (bytes: Buffer, pass: () => void) => void;
}

export interface TcpTap {
  readonly port: number;
  close(): Promise<void>;
}

type Look = (bytes: Buffer, pass: () => void) => void;
const passOn: Look = (_bytes, pass) => pass();

/** A TCP proxy that shows the bytes before they go on, so that a test can act at an exact point of an exchange. */
export async function openTcpTap(options: TcpTapOptions): Promise<TcpTap> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ ...options.target, noDelay: true });
    client.setNoDelay(true);
    couple(client, upstream, options.onRequestBytes ?? passOn);
    couple(upstream, client, options.onAnswerBytes ?? passOn);
  });

  function couple(from: Socket, to: Socket, look: Look): void {
    sockets.add(from);
    from.on('data', (bytes: Buffer) => look(bytes, () => to.writable && to.write(bytes)));
    from.on('error', () => from.destroy());
    from.on('end', () => to.end());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port, // a TCP server's address
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
