import { setTimeout as sleep } from 'node:timers/promises';
import { INITIAL_CONTROL } from '../lib/core/control.js';
import { formatCount } from '../lib/core/format.js';
import {
  afterNotice,
  dueEvent,
  type FleetSnapshot,
  firstNotices,
  type NoticeEvent,
  type Notices,
} from '../lib/core/notices.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import { DELIVERY_MS, type Notice, type Notifier } from '../lib/notify.js';

export interface NoticeSettings {
  readonly notifier: Notifier;
  readonly events: readonly NoticeEvent[];
  readonly profile: string | null;
}

export interface SendNoticesDeps extends NoticeSettings {
  readonly engine: Engine;
  readonly workerId: string;
  readonly everyMs: number;
  readonly log: Logger;
  /** A sender that has not noted its message after so long is dead; default: the longest that a delivery takes. */
  readonly senderLostAfterMs?: number;
}

/**
 * Tells people of the fleet's events until `signal` is aborted, each once for the whole fleet: whoever claims the event in the
 * store sends it. When the sender dies between sending and noting, another one repeats it. Never rejects; a message that
 * cannot be delivered is logged and changes nothing else.
 */
export async function sendNotices(deps: SendNoticesDeps, signal: AbortSignal): Promise<void> {
  const { everyMs, log } = deps;
  while (!signal.aborted) {
    try {
      await tellWhatIsDue(deps, signal);
    } catch (error) {
      log.debug('notice.not-looked', { message: error instanceof Error ? error.message : String(error) });
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** A last look when a worker ends, within the time that one message takes. Never rejects. */
export async function tellLast(deps: SendNoticesDeps): Promise<void> {
  await tellWhatIsDue(deps, AbortSignal.timeout(DELIVERY_MS)).catch(() => undefined);
}

/** One look at the fleet, and the messages that are due. */
async function tellWhatIsDue(deps: SendNoticesDeps, signal: AbortSignal): Promise<void> {
  for (;;) {
    const seen = await snapshotOf(deps.engine);
    const event = await claim(deps, seen);
    if (event === null) return;
    if (deps.events.includes(event)) await send(deps, event, seen, signal);
    await cellOf(deps.engine).change((notices) =>
      notices?.sending?.by === deps.workerId ? afterNotice(notices, seen, event) : undefined,
    );
  }
}

/** The event that this worker is to tell; null when none is due or another one tells it. */
async function claim(
  { engine, workerId, senderLostAfterMs = DELIVERY_MS }: SendNoticesDeps,
  seen: FleetSnapshot,
): Promise<NoticeEvent | null> {
  let event: NoticeEvent | null = null;
  await cellOf(engine).change((before, nowMs) => {
    const notices = before ?? firstNotices(seen);
    event = null;
    const left = (notices.sending?.untilMs ?? 0) - nowMs;
    // More than a delivery takes is a clock that was set back.
    if (left > 0 && left <= senderLostAfterMs) {
      return undefined;
    }
    event = dueEvent(notices, seen);
    if (event !== null) return { ...notices, sending: { event, by: workerId, untilMs: nowMs + senderLostAfterMs } };
    const after = afterNotice({ ...notices, sending: null }, seen, null);
    return before !== null && notices.sending === null && isSame(after, before) ? undefined : after;
  });
  return event;
}

function isSame(one: Notices, other: Notices): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function cellOf({ store }: Engine) {
  return store.document<Notices>('notices');
}

async function snapshotOf(engine: Engine): Promise<FleetSnapshot> {
  const [queue, ledger, control] = await Promise.all([
    engine.counts(),
    engine.store.counts(),
    engine.store.control.read(),
  ]);
  return {
    control: control.value ?? INITIAL_CONTROL,
    rowsToSend: queue.waiting + queue.active + queue.delayed + ledger.uncertain,
    rowsToFinish: ledger.pending,
    held: ledger.held,
    through: ledger.scheduled + queue.failed,
  };
}

async function send(
  { notifier, profile, log }: SendNoticesDeps,
  event: NoticeEvent,
  seen: FleetSnapshot,
  signal: AbortSignal,
): Promise<void> {
  const delivery = await notifier.deliver(noticeOf(event, seen, profile), signal);
  if (delivery.kind === 'delivered') {
    log.info('notice.sent', { event });
    return;
  }
  log.warn('notice.failed', { event, code: delivery.code });
}

/** The message of an event. */
export function noticeOf(event: NoticeEvent, seen: FleetSnapshot, profile: string | null): Notice {
  const { control, rowsToSend, rowsToFinish, held, through } = seen;
  const who = profile === null ? 'zia-bulk-enrich' : `zia-bulk-enrich (${profile})`;
  return {
    text: `${who}: ${sentenceOf(event, seen)}`,
    event,
    code: event === 'stopped' ? (control.stop?.code ?? null) : null,
    counts: { toSend: rowsToSend, awaitingResult: rowsToFinish, held, through },
    profile,
    at: new Date().toISOString(),
  };
}

function sentenceOf(event: NoticeEvent, { control, rowsToSend, held, through }: FleetSnapshot): string {
  switch (event) {
    case 'stopped':
      return `stopped (${control.stop?.code}). ${control.stop?.message} ${formatCount(rowsToSend)} rows wait; none was lost.`;
    case 'resumed':
      return `sending again. ${formatCount(rowsToSend)} rows to go.`;
    case 'idle':
      return `all rows are through and their results are in (${formatCount(through)} in all).`;
    case 'held':
      return `${formatCount(held)} rows need a decision: Zoho may or may not have them. See them with status.`;
  }
}
