import { setTimeout as sleep } from 'node:timers/promises';
import { leaseTaken } from '../lib/core/lease.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import { type CollectSettings, createCollector } from './collect.js';
import { createLookAtZoho } from './look-at-zoho.js';
import { createReconciler } from './reconcile.js';
import type { SweepSettings, SweepState } from './sweep-state.js';
import type { ZohoReads } from './zoho-reads.js';

export interface SweepDeps {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly reads: ZohoReads;
  readonly settings: SweepSettings & CollectSettings;
  readonly log: Logger;
  /** The store may have lost writes and its rows are being looked up: until then nobody else decides about them. */
  readonly suspended?: () => boolean;
}

const LOOK_EVERY_MS = 1_000;
const LEADER_LEASE_MS = 15_000;
/** At least this long between two looks at Zoho. */
const BETWEEN_LOOKS_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;
const EXPIRED_CLAIMS_AT_ONCE = 1_000;

const UNKNOWN_ECHO: SweepState = { leader: null, echo: 'unknown' };

/**
 * Settles uncertain rows and collects results until `signal` is aborted. Every worker runs it; one at a time leads, by a
 * lease in the store, and looks at Zoho for all of them: a thousand uncertain rows cost one look.
 */
export async function runSweep(deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { engine, settings, log } = deps;
  const cell = engine.store.cell<SweepState>('sweep');
  const reconciler = createReconciler({ ...deps, cell, look: createLookAtZoho(deps.reads) });
  const collector = createCollector({ ...deps, signal });
  const lookUps = createPauses();
  const results = createPauses();
  let waitMs = LOOK_EVERY_MS;
  while (!signal.aborted) {
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      waitMs = await step();
    } catch (error) {
      log.warn('sweep.failed', { message: error instanceof Error ? error.message : String(error) });
      waitMs = Math.min(LONGEST_WAIT_MS, Math.max(LOOK_EVERY_MS, waitMs * 2));
    }
  }

  async function step(): Promise<number> {
    if (deps.suspended?.() === true) return LOOK_EVERY_MS;
    await engine.store.expireClaims(settings.claimLostAfterMs, EXPIRED_CLAIMS_AT_ONCE);
    const ledger = await engine.store.counts();
    if (ledger.uncertain + ledger.pending === 0) return LOOK_EVERY_MS;
    if (!(await leads())) {
      collector.forget();
      return LOOK_EVERY_MS;
    }
    if (ledger.uncertain > 0 && lookUps.areOver()) {
      if ((await reconciler.pass()) === 'looked') lookUps.pause();
      else lookUps.pauseLonger();
    }
    if (!results.areOver()) return LOOK_EVERY_MS;
    const collected = await collector.step(ledger);
    if (collected === 'unavailable') results.pauseLonger();
    else results.reset();
    return collected === 'more' ? 0 : LOOK_EVERY_MS;
  }

  async function leads(): Promise<boolean> {
    const { value } = await cell.change((state, nowMs) => {
      const leader = leaseTaken(state?.leader ?? null, settings.workerId, nowMs, LEADER_LEASE_MS);
      return leader && { ...(state ?? UNKNOWN_ECHO), leader };
    });
    return value?.leader?.holder === settings.workerId;
  }
}

/** The time between two looks at Zoho, which grows while Zoho cannot be asked. */
function createPauses() {
  let lengthMs = 0;
  let untilMs = 0;
  const pauseFor = (ms: number) => {
    lengthMs = ms;
    untilMs = performance.now() + ms;
  };
  return {
    areOver: () => performance.now() >= untilMs,
    pause: () => pauseFor(BETWEEN_LOOKS_MS),
    pauseLonger: () => pauseFor(Math.min(LONGEST_WAIT_MS, Math.max(BETWEEN_LOOKS_MS, lengthMs * 2))),
    reset: () => {
      lengthMs = 0;
    },
  };
}
