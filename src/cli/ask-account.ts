import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountReads, createAccountReads } from '../lib/zoho/account-reads.js';
import {
  type Allowance,
  allowanceNow,
  askAllowance,
  type RememberedAllowance,
  readAllowance,
  recentAllowance,
} from '../lib/zoho/allowance.js';
import { keepAllowance } from '../workers/keep-allowance.js';
import type { ReserveSettings } from '../workers/keep-reserve.js';
import { preflight } from '../workers/preflight.js';
import type { Session } from './session.js';

/** A command that somebody waits for does not ask for longer than this. */
const PATIENCE_MS = 10_000;
const QUICK_MS = 1_500;
const QUICK_IN_ALL_MS = 4_000;

/** The allowance of the session's account as Zoho tells it now; null without credentials, or when Zoho does not tell. */
export async function currentAllowance(session: Session): Promise<Allowance | null> {
  const reads = await openReads(session, PATIENCE_MS);
  if (reads === null) return null;
  return allowanceNow(remembered(session), () => ask(session, reads));
}

/**
 * Tells the allowance as anybody asked for it in the last minute, else quickly asks for it. Null without credentials and
 * whenever Zoho does not tell at once; never rejects, takes 4 s at most.
 */
export function quickAllowance(session: Session): () => Promise<Allowance | null> {
  const opening = openReads(session, QUICK_MS);
  return async () => {
    const reads = await opening;
    if (reads === null) return null;
    const asked = spentSince(session)
      .then((sinceMs) => recentAllowance(remembered(session), () => ask(session, reads), sinceMs))
      .catch(() => null);
    return Promise.race([asked, sleep(QUICK_IN_ALL_MS, null, { ref: false })]);
  };
}

/** An answer from before the allowance was spent is none any more. */
async function spentSince({ engine }: Session): Promise<number> {
  const { value } = await engine.store.control.read();
  return value?.stop?.code === 'LIMIT_EXCEEDED' ? value.stop.sinceMs : 0;
}

/** What a worker of this session says before it starts. Never rejects, and ends when the session is to end. */
export async function runPreflight(session: Session): Promise<void> {
  const reads = await openReads(session, PATIENCE_MS);
  if (reads === null) return;
  const { engine, config, log, shutdown } = session;
  const look = preflight({ reads, store: engine.store, module: config.work.module, log });
  if (!shutdown.signal.aborted) await Promise.race([look, once(shutdown.signal, 'abort')]);
}

/** In a crowded fleet a permit for the question is a matter of luck. */
const RESERVE_PATIENCE_MS = 60_000;

/** How a worker of this session keeps some of the allowance back; undefined when it keeps nothing. */
export async function openReserve(session: Session): Promise<ReserveSettings | undefined> {
  const { keepAllowance: keep } = session.config.work;
  if (keep === 0) return undefined;
  const reads = await openReads(session, PATIENCE_MS, RESERVE_PATIENCE_MS);
  return reads === null ? undefined : { keep, ask: () => askAllowance(reads) };
}

/** Asks for the allowance now and then, for as long as a worker of this session runs. Never rejects. */
export async function watchAllowance(session: Session): Promise<void> {
  const reads = await openReads(session, PATIENCE_MS);
  const { engine, log, shutdown } = session;
  if (reads !== null) await keepAllowance({ store: engine.store, reads, log }, shutdown.signal);
}

/** Tells the name of the account's org once Zoho has told it; asks once, in the background. */
export function askOrgName(session: Session): () => string | null {
  let name: string | null = null;
  const asked = async () => {
    const reads = await openReads(session, PATIENCE_MS);
    const org = await reads?.org();
    if (org?.kind === 'read') name = org.value.name;
  };
  // Without a name the pages say so.
  asked().catch(() => undefined);
  return () => name;
}

async function ask({ engine }: Session, reads: AccountReads): Promise<Allowance | null> {
  const { scheduled } = await engine.store.counts();
  return readAllowance(reads, scheduled);
}

function remembered({ engine }: Session) {
  return engine.store.document<RememberedAllowance>('allowance');
}

/** Null without an account. `patienceMs`: as of `PacedCalls`, by default the time for one answer. */
async function openReads(session: Session, mostMs: number, patienceMs?: number): Promise<AccountReads | null> {
  if (session.account === null) return null;
  const { engine, config } = session;
  const timeoutMs = Math.min(mostMs, config.work.requestTimeoutMs);
  // Like `Session.zoho`, loaded only for those who ask.
  const { commandLimits } = await import('./command-zoho.js');
  return createAccountReads({
    zoho: (await session.zoho()).within(timeoutMs),
    store: engine.store,
    limits: commandLimits(config.work),
    callerId: `ask-${randomUUID().slice(0, 13)}`,
    patienceMs: patienceMs ?? timeoutMs,
  });
}
