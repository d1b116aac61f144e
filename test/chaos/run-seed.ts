import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../support/wait.js';
import { type ChaosEngine, type FleetUnderTest, openFleet } from './fleet-under-test.js';
import { isClean, judge, type Verdict } from './judge.js';
import { mishapsOf } from './mishaps.js';
import { createDice } from './random.js';
import type { TopologyKind } from './topologies.js';

export interface SeedOptions {
  readonly engine: ChaosEngine;
  readonly seed: number;
  readonly rows: number;
  /** How long things go wrong, in milliseconds. */
  readonly troubleMs: number;
  /** How long the fleet may take afterwards to finish. */
  readonly healMs: number;
  /** As many rows may be submitted until the fleet stops by itself; then the budget is removed, and the rest follows. */
  readonly budget?: number;
  /** The store loses writes, too: older copies, and everything at once. */
  readonly losing?: boolean;
  /** Default: one Redis. */
  readonly topology?: TopologyKind | undefined;
  /** Only mishaps whose names hold this text. Default: all. */
  readonly only?: string;
  readonly onMishap?: (name: string) => void;
}

export interface SeedResult extends Verdict {
  readonly engine: ChaosEngine;
  readonly seed: number;
  readonly rows: number;
  readonly seconds: number;
  readonly mishaps: Readonly<Record<string, number>>;
}

const WORKERS = 3;
/** At most this many things go wrong at the same time. */
const AT_ONCE = 3;

/** One run: start everything, let the seed's mishaps happen, heal, wait for the end, and judge by the stand-in's own log. */
export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { engine, seed, rows, losing = false, topology } = options;
  const startedAt = performance.now();
  const callsPerSecond = Math.max(20, Math.round(rows / (options.troubleMs / 1_000)));
  const fleet = await openFleet({ engine, rows, workers: WORKERS, seed, callsPerSecond, losing, topology });
  let clean = false;
  try {
    if (options.budget !== undefined) await fleet.command(['budget', String(options.budget)]);
    for (const member of [fleet.producer, ...fleet.workers]) member.start();
    if (losing) await saveOnce(fleet);
    const mishaps = await makeTrouble(fleet, options);
    await heal(fleet);
    const overBudget = await spendBudget(fleet, options);
    const pace = paceAgain(fleet, rows, callsPerSecond);
    await finish(fleet, options.healMs);
    const verdict = { ...(await judge(fleet, rows)), pace: await pace, overBudget };
    await Promise.all(fleet.workers.map((worker) => worker.end()));
    clean = isClean(verdict);
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    return { engine, seed, rows, seconds, mishaps, ...verdict };
  } finally {
    await fleet.close(!clean);
  }
}

/**
 * The copy that a restart comes back on, whatever else was lost: with none it would come back empty, and a store emptied
 * while no worker lives is beyond what is promised.
 */
async function saveOnce({ redis, workers }: FleetUnderTest): Promise<void> {
  await waitFor(() => workers.some((worker) => worker.stderr().includes('worker.started')), { what: 'a worker' });
  await redis?.snapshot();
}

async function makeTrouble(
  fleet: FleetUnderTest,
  { seed, troubleMs, losing = false, only = '', onMishap }: SeedOptions,
): Promise<Record<string, number>> {
  const dice = createDice(seed);
  const mishaps = mishapsOf(fleet, losing).filter(({ name }) => name.includes(only));
  const happened: Record<string, number> = {};
  const underWay = new Set<Promise<void>>();
  const until = performance.now() + troubleMs;
  while (performance.now() < until) {
    await sleep(dice.between(150, 900));
    if (underWay.size >= AT_ONCE) await Promise.race(underWay);
    const mishap = dice.pick(mishaps);
    if (mishap.alone) await Promise.all(underWay);
    happened[mishap.name] = (happened[mishap.name] ?? 0) + 1;
    onMishap?.(mishap.name);
    const happening = mishap.happen(fleet, dice).finally(() => underWay.delete(happening));
    underWay.add(happening);
    if (mishap.alone) await happening;
  }
  await Promise.all(underWay);
  return happened;
}

/** Everything that can be put right by an operator is put right; what the program has to mend itself is left to it. */
async function heal(fleet: FleetUnderTest): Promise<void> {
  fleet.sandbox.configure({ faults: [], quota: null, echo: 'sent' });
  await fleet.redis?.start();
  await fleet.redis?.takeWrites(true);
  await fleet.toRedis?.setMode('pass');
  await fleet.toZoho.setMode('pass');
  for (const worker of fleet.workers) {
    if (worker.isFrozen()) worker.thaw();
    worker.start();
  }
  // The producer may have been told that the store is away: it is simply started again.
  await waitFor(
    async () => {
      const { code } = await fleet.command(['enqueue', 'accounts.csv', '--json']);
      return code === 0;
    },
    { what: 'the producer to finish' },
  );
}

/** Waits until the budget is spent, and lifts it; returns how many rows were accepted beyond it. */
async function spendBudget(fleet: FleetUnderTest, { budget, rows, healMs }: SeedOptions): Promise<number> {
  if (budget === undefined) return 0;
  await waitFor(
    async () => {
      const status = await readStatus(fleet);
      if (status?.stop?.code === 'BUDGET_SPENT') return true;
      if (status?.stop) await fleet.command(['resume']);
      await sleep(ASKED_EVERY_MS);
      return false;
    },
    { timeoutMs: healMs, what: 'the budget to be spent' },
  );
  const overBudget = fleet.sandbox.enrichments().length - Math.min(budget, rows);
  await fleet.command(['budget', 'off']);
  await fleet.command(['resume']);
  return overBudget;
}

/** A command takes a second of the machine that the fleet needs. */
const ASKED_EVERY_MS = 3_000;

/** Rows whose answer was lost are looked for a minute, and a fleet that has three of them risks no other until then. */
const PACE_BACK_WITHIN_MS = 80_000;
const PACE_MEASURED_MS = 5_000;

/**
 * The best share of its pace that the fleet reaches over five seconds after the trouble; 1 when it is through before one can
 * tell. Workers that hang, or have lost permits, show here.
 */
async function paceAgain(fleet: FleetUnderTest, rows: number, callsPerSecond: number): Promise<number> {
  const until = performance.now() + PACE_BACK_WITHIN_MS;
  let best = 0;
  while (performance.now() < until && best < 1) {
    const before = fleet.sandbox.enrichments().length;
    await sleep(PACE_MEASURED_MS);
    const sent = fleet.sandbox.enrichments().length;
    if (sent >= rows) return 1;
    best = Math.max(best, (sent - before) / ((callsPerSecond * PACE_MEASURED_MS) / 1_000));
  }
  return Math.round(100 * best) / 100;
}

async function finish(fleet: FleetUnderTest, healMs: number): Promise<void> {
  await waitFor(
    async () => {
      const status = await readStatus(fleet);
      if (status === null) return false;
      if (status.stop !== null) await fleet.command(['resume']);
      const { waiting, active, delayed } = status.queue;
      if (waiting + active + delayed === 0) return true;
      await sleep(ASKED_EVERY_MS);
      return false;
    },
    { timeoutMs: healMs, what: 'the fleet to finish' },
  );
}

interface Status {
  readonly stop: { readonly code: string } | null;
  readonly queue: { readonly waiting: number; readonly active: number; readonly delayed: number };
}

async function readStatus(fleet: FleetUnderTest): Promise<Status | null> {
  const { code, stdout } = await fleet.command(['status', '--json']);
  return code === 0 ? (JSON.parse(stdout) as Status) : null;
}
