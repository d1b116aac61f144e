import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface TokenAnswerBody {
  readonly status?: number;
  /** A string is sent as it is. */
  readonly body: unknown;
  /** Never answered when true. */
  readonly silent?: boolean;
}

export interface TokenServer {
  readonly url: string;
  /** Requests so far, with what their bodies said. */
  readonly requests: readonly {
    readonly path: string;
    readonly headers: IncomingMessage['headers'];
    readonly form: Record<string, string>;
  }[];
  /** What the n-th request (from 1) is answered. */
  answer: (number: number) => TokenAnswerBody | Promise<TokenAnswerBody>;
  close(): Promise<void>;
}

/** An accounts server that counts; by default each request gets a token of its own, good for an hour. */
export async function openTokenServer(): Promise<TokenServer> {
  const requests: TokenServer['requests'][number][] = [];
  const server = createServer(async (request, response) => {
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    requests.push({ path: request.url ?? '', headers: request.headers, form });
    const { status = 200, body, silent = false } = await opened.answer(requests.length);
    if (silent) return;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const opened: TokenServer = {
    url: `http://127.0.0.1:${port}`,
    requests,
    answer: (number) => ({ body: tokenBody(`token-${number}`) }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return opened;
}

export function tokenBody(accessToken: string, lifeSeconds = 3_600): Record<string, unknown> {
  return {
    access_token: accessToken,
    api_domain: 'https://www.zohoapis.com',
    token_type: 'Bearer',
    expires_in: lifeSeconds,
  };
}
