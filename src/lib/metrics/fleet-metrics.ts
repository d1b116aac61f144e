import { Gauge, Registry } from 'prom-client';
import { budgetLeft, reserveLeft } from '../core/budget.js';
import type { CollectorState } from '../core/collecting.js';
import { INITIAL_CONTROL } from '../core/control.js';
import type { Engine } from '../engine/engine.js';
import type { RememberedAllowance } from '../zoho/allowance.js';

/** What the store says about the whole fleet, read anew for each text. Every process tells the same. */
export interface FleetMetrics {
  /** Prometheus text. A few small reads, whatever the size of queue and ledger. Rejects when the engine is away. */
  text(): Promise<string>;
}

const MODES = ['running', 'canary', 'stopped'] as const;

export function createFleetMetrics({ store }: Engine): FleetMetrics {
  const registry = new Registry();
  const gauges = createGauges(registry);

  async function read(): Promise<void> {
    const [control, counts, { spent }, fleetStats, oldest, collector, remembered] = await Promise.all([
      store.control.read(),
      store.counts(),
      store.spending(),
      store.fleetStats(),
      store.pending({ limit: 1 }),
      store.document<CollectorState>('collector').read(),
      store.document<RememberedAllowance>('allowance').read(),
    ]);
    const { value, nowMs } = control;
    const now = value ?? INITIAL_CONTROL;
    for (const name of MODES) gauges.mode.set({ mode: name }, now.mode === name ? 1 : 0);
    gauges.stop.reset();
    if (now.mode === 'stopped' && now.stop !== null) gauges.stop.set({ code: now.stop.code }, now.stop.sinceMs / 1_000);
    gauges.workers.set(fleetStats.workers);
    gauges.inFlight.set(fleetStats.inFlight);
    const holdSeconds = Math.max(0, now.backoffUntilMs - nowMs) / 1_000;
    for (const reason of ['throttled', 'outage'])
      gauges.hold.set({ reason }, now.backoffReason === reason ? holdSeconds : 0);
    for (const state of ['scheduled', 'sending', 'uncertain', 'held'] as const)
      gauges.ledger.set({ state }, counts[state]);
    gauges.pending.set(counts.pending);
    gauges.failed.set(counts.failed);
    const [entry] = oldest.values();
    const oldestMs = entry?.scheduledAtMs ?? entry?.sentAtMs ?? nowMs;
    gauges.lag.set(Math.max(0, nowMs - oldestMs) / 1_000);
    gauges.looked.set((collector.value?.lookedAtMs ?? 0) / 1_000);
    setAllowance(remembered.value, nowMs);
    setOrAbsent(gauges.budget, budgetLeft(now.budget, spent));
    setOrAbsent(gauges.unspent, now.reserve ? reserveLeft(now.reserve, 0, spent) : null);
  }

  function setAllowance(remembered: RememberedAllowance | null, nowMs: number): void {
    gauges.allowance.reset();
    gauges.allowanceAge.remove();
    if (remembered === null || remembered.allowance === null) return;
    const { source, ...numbers } = remembered.allowance;
    for (const [kind, count] of Object.entries(numbers)) gauges.allowance.set({ kind, source }, count);
    gauges.allowanceAge.set(Math.max(0, nowMs - remembered.atMs) / 1_000);
  }

  return {
    text: async () => {
      await read();
      return registry.metrics();
    },
  };
}

function setOrAbsent(one: Gauge, value: number | null): void {
  one.remove();
  if (value !== null) one.set(value);
}

function createGauges(registry: Registry) {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const mode = gauge('zia_fleet_mode', 'What the fleet does: 1 for the mode it is in.', ['mode']);
  const stop = gauge('zia_stop_since_timestamp_seconds', 'When the fleet was stopped; absent while it is not.', [
    'code',
  ]);
  const workers = gauge('zia_workers', 'Workers alive.');
  const inFlight = gauge('zia_fleet_calls_in_flight', 'Calls to Zoho that take a permit, of all workers.');
  const hold = gauge('zia_hold_seconds', 'How long nothing will be sent yet, and why.', ['reason']);
  const ledger = gauge('zia_ledger_rows', 'Rows in the ledger by state.', ['state']);
  const pending = gauge('zia_results_pending', 'Submitted rows whose result is neither collected nor given up.');
  const failed = gauge('zia_results_failed', 'Submitted rows that Zoho accepted and then failed to enrich.');
  const lag = gauge('zia_collector_lag_seconds', 'Age of the oldest submission that still lacks its result.');
  const looked = gauge('zia_collector_last_walk_timestamp_seconds', 'When results were last looked for; 0 for never.');
  const allowance = gauge('zia_allowance', 'Enrichments of the org: total, used and left; absent when unknown.', [
    'kind',
    'source',
  ]);
  const budget = gauge('zia_budget_left', 'Rows that may still be submitted; absent without a budget.');
  const unspent = gauge(
    'zia_allowance_unspent',
    'What Zoho said was left when some of it is kept back, less what was submitted since; absent when it has not told.',
  );
  const allowanceAge = gauge('zia_allowance_age_seconds', 'How old the latest answer about the allowance is.');
  return {
    mode,
    stop,
    workers,
    inFlight,
    hold,
    ledger,
    pending,
    failed,
    lag,
    looked,
    allowance,
    budget,
    unspent,
    allowanceAge,
  };
}
