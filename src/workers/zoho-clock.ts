import type { Answer } from '../lib/core/answer.js';
import type { ZohoClient } from '../lib/zoho/client.js';

/** Zoho's clock, as its answers tell it: the one clock that is sure to go forward. */
export interface ZohoClock {
  /** Epoch milliseconds, never ahead of Zoho's own clock; null before the first answer. */
  nowMs(): number | null;
  /** The same client, its answers listened to. */
  listen(client: ZohoClient): ZohoClient;
}

export function createZohoClock(): ZohoClock {
  let heard: { readonly dateMs: number; readonly at: number } | null = null;

  async function hear(answering: Promise<Answer>): Promise<Answer> {
    const answer = await answering;
    const dateMs = answer.kind === 'response' ? answer.headers.dateMs : null;
    if (dateMs !== null) heard = { dateMs, at: performance.now() };
    return answer;
  }

  return {
    nowMs: () => (heard === null ? null : Math.floor(heard.dateMs + performance.now() - heard.at)),
    listen: (client) => ({
      createEnrichment: (...args) => hear(client.createEnrichment(...args)),
      listEnrichments: (...args) => hear(client.listEnrichments(...args)),
      getEnrichment: (...args) => hear(client.getEnrichment(...args)),
    }),
  };
}
