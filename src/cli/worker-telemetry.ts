import { type CallMetrics, createCallMetrics } from '../lib/metrics/call-metrics.js';
import type { NotReady } from '../lib/metrics/monitoring.js';
import type { Readiness } from '../workers/readiness.js';

/** What a process with a worker in it tells of that worker, in `/metrics` and `/readyz`. */
export interface WorkerTelemetry {
  readonly calls: CallMetrics;
  readonly obstacles: () => readonly NotReady[];
}

/** Told from now on, also before the worker is there; `onReadiness` is for the worker. */
export function createWorkerTelemetry(): WorkerTelemetry & {
  readonly onReadiness: (readiness: () => Readiness) => void;
} {
  let readiness: () => Readiness = () => STARTING;
  return {
    calls: createCallMetrics(),
    obstacles: () => obstaclesOf(readiness()),
    onReadiness: (told) => {
      readiness = told;
    },
  };
}

const STARTING: Readiness = { ready: false, reasons: [{ code: 'STARTING', message: 'The worker is starting.' }] };

function obstaclesOf(readiness: Readiness): readonly NotReady[] {
  return readiness.ready ? [] : readiness.reasons.map(({ code, message }) => ({ code, message }));
}
