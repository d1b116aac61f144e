import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Control } from '../core/control.js';
import type { Engine } from '../engine/engine.js';
import { StoreUnavailableError } from '../errors.js';
import { processStart } from '../process-identity.js';
import type { EnrichQueue } from '../queues.js';
import type { CallMetrics } from './call-metrics.js';
import { createFleetMetrics } from './fleet-metrics.js';

/** Why a process is not ready, for people and for programs. */
export interface NotReady {
  /** `ENGINE_AWAY`, `STOPPED`, or what the process itself says, such as `FETCH_LOOP_STUCK`. */
  readonly code: string;
  readonly message: string;
}

export interface MonitoringOptions {
  readonly engine: Engine;
  /** For BullMQ's own metrics; the caller closes it. */
  readonly queue: EnrichQueue;
  /** What this process counted about its own calls: a worker has it. */
  readonly calls?: CallMetrics;
  /** What keeps this process from working that the store does not know; empty when nothing does. */
  readonly obstacles?: () => readonly NotReady[];
}

/** Longer than any answer of an engine that is well, shorter than a health check waits. */
const ENGINE_ANSWERS_WITHIN_MS = 2_000;

/**
 * An app with `/metrics` (Prometheus text), `/healthz` (the process answers) and `/readyz` (503 with reasons while the fleet
 * is stopped, the engine is away, or `obstacles` says so). To be mounted or served; keeps nothing open.
 */
export function createMonitoring({ engine, queue, calls, obstacles = () => [] }: MonitoringOptions): Hono {
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  const engineUp = new Gauge({ name: 'zia_engine_up', help: 'Whether the engine answers.', registers: [own] });
  const isReady = new Gauge({ name: 'zia_ready', help: 'Whether this process is ready.', registers: [own] });
  const notReady = new Gauge({
    name: 'zia_not_ready',
    help: 'Why this process is not ready; absent when it is.',
    labelNames: ['code'],
    registers: [own],
  });
  const fleet = createFleetMetrics(engine);
  const app = new Hono();

  async function reasonsNow(): Promise<readonly NotReady[]> {
    // The process may see the same thing; what the store says is newer.
    const byCode = new Map([...obstacles(), ...(await engineObstacles(engine))].map((reason) => [reason.code, reason]));
    return [...byCode.values()];
  }

  async function readShared(): Promise<readonly string[] | null> {
    return soon(Promise.all([fleet.text(), queue.exportPrometheusMetrics()])).catch(() => null);
  }

  // Its own health check tells it by this from a worker that took the next port.
  const identity = `${process.pid} ${processStart(process.pid)?.split('@')[0] ?? ''}`;
  app.get('/healthz', (c) => c.text('ok\n', 200, { 'x-zia-process': identity }));

  app.get('/readyz', async (c) => {
    const reasons = await reasonsNow();
    const ready = reasons.length === 0;
    return c.json({ ready, reasons }, ready ? 200 : 503);
  });

  app.get('/metrics', async (c) => {
    const [shared, reasons] = await Promise.all([readShared(), reasonsNow()]);
    engineUp.set(shared === null ? 0 : 1);
    isReady.set(reasons.length === 0 ? 1 : 0);
    notReady.reset();
    for (const { code } of reasons) notReady.set({ code }, 1);
    // Without the engine the process still tells about itself.
    const texts = [await own.metrics(), ...(calls ? [await calls.registry.metrics()] : []), ...(shared ?? [])];
    return c.text(`${texts.map((text) => text.trim()).join('\n')}\n`, 200, { 'content-type': own.contentType });
  });

  return app;
}

async function engineObstacles({ store }: Engine): Promise<readonly NotReady[]> {
  try {
    return stopObstacles((await soon(store.control.read())).value);
  } catch (error) {
    const message = error instanceof StoreUnavailableError ? error.message : 'The engine does not answer.';
    return [{ code: 'ENGINE_AWAY', message }];
  }
}

function stopObstacles(control: Control | null): readonly NotReady[] {
  if (control?.mode !== 'stopped') return [];
  const { code, message } = control.stop ?? { code: 'UNKNOWN', message: 'no reason is known' };
  return [{ code: 'STOPPED', message: `${code}: ${message}` }];
}

/** Rejects when `work` takes longer than an engine that is well. */
async function soon<T>(work: Promise<T>): Promise<T> {
  const answered = new AbortController();
  const late = sleep(ENGINE_ANSWERS_WITHIN_MS, undefined, { signal: answered.signal, ref: false }).then(() => {
    throw new Error('No answer in time.');
  });
  // It loses the race, or ends with it.
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    answered.abort();
  }
}
