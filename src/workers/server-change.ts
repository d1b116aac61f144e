import { setTimeout as sleep } from 'node:timers/promises';
import { INITIAL_CONTROL, stopped } from '../lib/core/control.js';
import { changeLed, changeOver, lookableAtMs, type ServerState, serverMet } from '../lib/core/server-state.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import type { ServerSeen } from '../lib/store/store.js';
import type { LookAtZoho } from './look-at-zoho.js';
import { keepStrays, placeStrays } from './stray-rows.js';
import type { Timing } from './timing.js';

export interface ServerChangeDeps {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly look: LookAtZoho;
  readonly workerId: string;
  readonly timing: Timing;
  /** What the latest heartbeat saw; null before the first. */
  readonly seen: () => ServerSeen | null;
  readonly log: Logger;
}

const FIRST_RETRY_MS = 2_000;
const CLAIMS_AT_ONCE = 100_000;
/** Zoho's times have whole seconds and the clocks may differ a little. */
const BEFORE_LAST_SIGN_MS = 10_000;
/** Codes of an account that may not read; every other refusal passes when a person has put it right. */
const MAY_NOT_READ = new Set(['OAUTH_SCOPE_MISMATCH', 'NO_PERMISSION']);

/** A change of server that somebody else looks into by now. */
class TakenOver extends Error {}

export interface ServerWatch {
  /** Makes the server of a store that knows none the remembered one. */
  meet(): Promise<void>;
  /** Runs until `signal` is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Keeps the store's memory of its server. Every worker runs it. When another process serves the
 * store, `admit` claims nothing until one worker has looked through Zoho's list back to before the last sign of life, given
 * what was sent there to the rows that the store forgot, and made the new server the remembered one.
 */
export function createServerWatch(deps: ServerChangeDeps): ServerWatch {
  const { engine, queue, look, workerId, timing, seen, log } = deps;
  const { claimLostAfterMs } = timing;
  const { store } = engine;
  const cell = store.cell<ServerState>('server');
  /** The server this worker knew, for a store that comes back empty. */
  let known: { readonly runId: string; readonly aliveMs: number } | null = null;
  let toldOf = '';
  let retryMs = FIRST_RETRY_MS;

  return {
    meet: async () => {
      if (seen()?.state === 'new') await step();
    },
    run: async (signal) => {
      let waitMs = timing.serverEveryMs;
      while (!signal.aborted) {
        await sleep(waitMs, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        try {
          waitMs = await step();
        } catch (error) {
          if (!(error instanceof TakenOver)) log.warn('server.watch-failed', { message: messageOf(error) });
          waitMs = FIRST_RETRY_MS;
        }
      }
    },
  };

  async function step(): Promise<number> {
    const now = seen();
    if (now === null || now.runId === null) return timing.serverEveryMs;
    switch (now.state) {
      case 'new':
        await remember(now.runId, now.nowMs);
        return timing.serverEveryMs;
      case 'same':
        known = { runId: now.runId, aliveMs: now.nowMs };
        return timing.serverEveryMs;
      case 'changed':
        return lookInto(now.runId);
    }
  }

  async function remember(runId: string, nowMs: number): Promise<void> {
    const met =
      known === null ? serverMet(runId, nowMs, await isDurable()) : serverMet(known.runId, known.aliveMs, false);
    await cell.change((state) => (state === null ? met : undefined));
  }

  async function lookInto(runId: string): Promise<number> {
    const { value: state, nowMs } = await lead(runId);
    if (state === null) return timing.serverEveryMs;
    const waitMs = lookableAtMs(state, claimLostAfterMs) - nowMs;
    if (toldOf !== runId) log.warn('server.changed', { runId, lastSignMs: state.aliveMs, waitMs: Math.max(0, waitMs) });
    toldOf = runId;
    if (waitMs > 0) return Math.min(waitMs, timing.serverEveryMs);
    await store.expireClaims(claimLostAfterMs, CLAIMS_AT_ONCE);
    const looked = await look.since(state.aliveMs - BEFORE_LAST_SIGN_MS, store);
    if (looked.kind === 'look') {
      const strays = looked.look.orphans.filter(
        ({ createdAtMs }) => createdAtMs >= state.aliveMs - BEFORE_LAST_SIGN_MS,
      );
      const placed = await placeStrays(strays, { store, queue, log, stillOurs: () => stillOurs(runId) });
      await keepStrays(store, placed.kept);
      await over();
      log.info('server.remembered', { runId, adopted: placed.adopted, held: placed.held, kept: placed.kept.length });
      return timing.serverEveryMs;
    }
    if (looked.kind === 'forbidden' && MAY_NOT_READ.has(looked.code)) {
      if (state.durable) log.warn('server.not-looked', { code: looked.code });
      else await stopForAPerson(state);
      await over();
      return timing.serverEveryMs;
    }
    log.warn('server.lookup-unavailable', { code: looked.code, retryMs });
    retryMs = Math.min(retryMs * 2, timing.longestPauseMs);
    return retryMs;
  }

  /** The state when this worker looks into the change, null when another one does. */
  async function lead(runId: string): Promise<{ readonly value: ServerState | null; readonly nowMs: number }> {
    const { value, nowMs } = await cell.change((state, now) =>
      state === null ? undefined : changeLed(state, runId, workerId, now, timing.leaderLeaseMs),
    );
    const ours = value?.change?.runId === runId && value.change.leader.holder === workerId;
    return { value: ours ? value : null, nowMs };
  }

  async function stillOurs(runId: string): Promise<void> {
    if ((await lead(runId)).value === null) throw new TakenOver();
  }

  async function over(): Promise<void> {
    const durable = await isDurable();
    await cell.change((state, nowMs) => changeOver(state, workerId, nowMs, durable));
    retryMs = FIRST_RETRY_MS;
  }

  async function isDurable(): Promise<boolean> {
    return (await engine.inspect()).durable;
  }

  /** Nobody can look up what Zoho has: the rows at risk are not sent again before a person says so. */
  async function stopForAPerson({ aliveMs }: ServerState): Promise<void> {
    const since = new Date(aliveMs).toISOString();
    const message = `Redis restarted or failed over and may have lost its last writes, and without the READ scope nobody can look up which rows Zoho got since ${since}; compare with Zoho's list of enrichments, then resume.`;
    await store.control.change((control, nowMs) => {
      const before = control ?? INITIAL_CONTROL;
      const next = stopped(before, { code: 'SERVER_CHANGED', message, sinceMs: nowMs, key: null, line: null });
      return next === before ? undefined : next;
    });
    log.error('server.not-looked', { code: 'SERVER_CHANGED', message });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
