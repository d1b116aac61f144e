import { setTimeout as sleep } from 'node:timers/promises';
import type { NoticeEvent } from './core/notices.js';
import { type Transport, within } from './zoho/transport.js';

/** A message for people: `text` is what chat programs show; the rest is for programs. No row content, no secret. */
export interface Notice {
  readonly text: string;
  readonly event: NoticeEvent | 'test';
  /** Why the fleet stopped; null for other events. */
  readonly code: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly profile: string | null;
  /** ISO 8601. */
  readonly at: string;
}

export type Delivery = { readonly kind: 'delivered' } | { readonly kind: 'failed'; readonly code: string };

export interface Notifier {
  /** Posts the message: three tries within 10 s, no redirect followed, nothing thrown. */
  deliver(notice: Notice, signal?: AbortSignal): Promise<Delivery>;
}

const TRIES = 3;
const TRY_TIMEOUT_MS = 3_000;
const BETWEEN_TRIES_MS = 400;
/** The longest that `deliver` takes: what another process has to wait before it takes the sender for dead. */
export const DELIVERY_MS = 12_000;
/** Hosts that refuse a message with fields they do not know. */
const TEXT_ONLY_HOSTS = /(^|\.)chat\.googleapis\.com$/;

/** `url` is a secret: whoever has it may write into the channel, so it is in no message and no log. */
export function createNotifier(url: string, transport: Transport): Notifier {
  const target = new URL(url);
  const hasty = within(transport, TRY_TIMEOUT_MS);
  const body = (notice: Notice) =>
    JSON.stringify(TEXT_ONLY_HOSTS.test(target.hostname) ? { text: notice.text } : notice);

  async function post(notice: Notice): Promise<Delivery> {
    const answer = await hasty.send({
      method: 'POST',
      url: target,
      headers: { 'content-type': 'application/json' },
      body: body(notice),
    });
    if (answer.kind === 'no-response') return { kind: 'failed', code: answer.code };
    const taken = answer.status >= 200 && answer.status < 300;
    return taken ? { kind: 'delivered' } : { kind: 'failed', code: `HTTP_${answer.status}` };
  }

  return {
    deliver: async (notice, signal) => {
      let delivery = await post(notice);
      for (let tries = 1; tries < TRIES && delivery.kind === 'failed'; tries++) {
        await sleep(BETWEEN_TRIES_MS, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(
          () => undefined,
        );
        if (signal?.aborted) return delivery;
        delivery = await post(notice);
      }
      return delivery;
    },
  };
}
