import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import { Hono } from 'hono';
import { pageHeaders } from './page-headers.js';

/** A body of which nothing arrives for so long does not come any more. */
const IDLE_BODY_MS = 60_000;

/**
 * A server for `app` that also sends the page headers with what is answered before the app sees it: requests that are
 * none. A body may take as long as it likes, but not stand still: however large a file is, slow lines can send it.
 */
export async function createHttpServer(app: Hono, idleBodyMs = IDLE_BODY_MS): Promise<Server> {
  const refusals = new Hono();
  refusals.use(pageHeaders());
  refusals.get('/bad', (c) => c.text('That is no request to a web server.\n', 400));
  refusals.get('/broken', (c) => c.text('That did not work.\n', 500));
  const refuse = (error: unknown) => refusals.request(error instanceof RequestError ? '/bad' : '/broken');
  const head = [...(await refusals.request('/bad')).headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const answer = getRequestListener(app.fetch, { errorHandler: refuse });
  const server = createServer(
    // Headers have a time limit of their own. Without a host node would answer itself.
    { requestTimeout: 0, requireHostHeader: false },
    (incoming, outgoing) => {
      endIdleBody(incoming, outgoing, idleBodyMs);
      void answer(incoming, outgoing);
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseRaw(error, socket, head));
  return server;
}

function endIdleBody(incoming: IncomingMessage, outgoing: ServerResponse, idleMs: number): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = incoming.headers;
  if (length === '0' && encoding === undefined) return;
  incoming.socket.setTimeout(idleMs);
  incoming.once('end', () => {
    // After the answer node counts the time to the next request.
    if (!outgoing.writableFinished) incoming.socket.setTimeout(0);
  });
}

const REFUSALS: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

function refuseRaw({ code = '' }: NodeJS.ErrnoException, socket: Socket, head: string): void {
  // What was written before may be half of an answer.
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const status = REFUSALS[code] ?? 400;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}connection: close\r\ncontent-length: 0\r\n\r\n`);
}
