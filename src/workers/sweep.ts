import { setTimeout as sleep } from 'node:timers/promises';
import { leaseTaken } from '../lib/core/lease.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import { Collector, type CollectSettings } from './collect.js';
import { createResultKeeper } from './keep-results.js';
import { EnrichmentList } from './list-enrichments.js';
import { LostHistory } from './lost-history.js';
import { Reconciler } from './reconcile.js';
import type { SweepSettings, SweepState } from './sweep-state.js';
import type { Timing } from './timing.js';
import type { ZohoReads } from './zoho-reads.js';

export interface SweepDeps {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly reads: ZohoReads;
  readonly settings: SweepSettings & CollectSettings;
  readonly log: Logger;
  /** The store may have lost writes: until Zoho's list was read, nothing else is decided. */
  readonly looking: () => boolean;
  /** Ids of the workers alive. */
  readonly workers: () => readonly string[];
}

const EXPIRED_CLAIMS_AT_ONCE = 1_000;

const UNKNOWN_ECHO: SweepState = { leader: null, echo: 'unknown' };

/**
 * Settles uncertain rows and collects results until `signal` is aborted. Every worker runs it; one at a time leads, by a
 * lease in the store, and looks at Zoho for all of them: a thousand uncertain rows cost one look.
 */
export async function runSweep(deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { engine, settings, log } = deps;
  const { timing } = settings;
  const document = engine.store.document<SweepState>('sweep');
  const look = new EnrichmentList(deps.reads, engine.store);
  const reconciler = new Reconciler({ ...deps, document, look });
  const lostHistory = new LostHistory({ ...deps, store: engine.store, look, document, timing, goOn: stillLeads });
  const collector = new Collector({ ...deps, signal });
  const keeper = createResultKeeper({ store: engine.store, keepMs: settings.keepResultsMs ?? 0, log });
  const lookUps = createPauses(timing);
  const results = createPauses(timing);
  let waitMs = timing.sweepEveryMs;
  let ledAt = 0;
  while (!signal.aborted) {
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    try {
      waitMs = await step();
    } catch (error) {
      log.warn('sweep.failed', { message: error instanceof Error ? error.message : String(error) });
      waitMs = Math.min(timing.longestPauseMs, Math.max(timing.sweepEveryMs, waitMs * 2));
    }
  }
  if (ledAt > 0) await giveUpLead().catch(() => undefined);

  async function step(): Promise<number> {
    if (deps.looking()) {
      if (!lookUps.areOver() || !(await leads())) return timing.serverEveryMs;
      if ((await lostHistory.step()) === 'unavailable') lookUps.pauseLonger();
      else lookUps.reset();
      return timing.serverEveryMs;
    }
    await engine.store.expireClaims(timing.claimLostAfterMs, EXPIRED_CLAIMS_AT_ONCE);
    if (keeper.isDue() && (await leads())) await keeper.step();
    const ledger = await engine.store.counts();
    if (ledger.uncertain + ledger.pending === 0) return timing.sweepEveryMs;
    if (!(await leads())) {
      collector.forget();
      return timing.sweepEveryMs;
    }
    if (ledger.uncertain > 0 && lookUps.areOver()) {
      if ((await reconciler.pass()) === 'looked') lookUps.pause();
      else lookUps.pauseLonger();
    }
    if (!results.areOver()) return timing.sweepEveryMs;
    const collected = await collector.step(ledger);
    if (collected === 'unavailable') results.pauseLonger();
    else results.reset();
    return collected === 'more' ? 0 : timing.sweepEveryMs;
  }

  /** Renews the lead in time during a long look, and not at each of its calls. */
  async function stillLeads(): Promise<boolean> {
    if (signal.aborted) return false;
    return performance.now() - ledAt < timing.leaderLeaseMs / 3 || leads();
  }

  async function leads(): Promise<boolean> {
    const { value } = await document.change((state, nowMs) => {
      const leader = leaseTaken(state?.leader ?? null, settings.workerId, nowMs, timing.leaderLeaseMs);
      return leader && { ...(state ?? UNKNOWN_ECHO), leader };
    });
    ledAt = performance.now();
    return value?.leader?.holder === settings.workerId;
  }

  /** The next leader need not wait for the end of the lease. */
  async function giveUpLead(): Promise<void> {
    await document.change((state) =>
      state?.leader?.holder === settings.workerId ? { ...state, leader: null } : undefined,
    );
  }
}

/** The time between two looks at Zoho, which grows while Zoho cannot be asked. */
function createPauses(timing: Timing) {
  let lengthMs = 0;
  let untilMs = 0;
  const pauseFor = (ms: number) => {
    lengthMs = ms;
    untilMs = performance.now() + ms;
  };
  return {
    areOver: () => performance.now() >= untilMs,
    pause: () => pauseFor(timing.betweenLooksMs),
    pauseLonger: () => pauseFor(Math.min(timing.longestPauseMs, Math.max(timing.betweenLooksMs, lengthMs * 2))),
    reset: () => {
      lengthMs = 0;
    },
  };
}
