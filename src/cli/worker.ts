import type { Command } from 'commander';
import { formatRows } from '../lib/core/format.js';
import { createMonitoring } from '../lib/metrics/monitoring.js';
import { serveMonitoring } from '../lib/metrics/serve-monitoring.js';
import { signalExitCode } from '../lib/shutdown.js';
import type { WorkerReport } from '../workers/watch-queue.js';
import { watchAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example, jsonFlag } from './options.js';
import { type Session, withSession } from './session.js';
import { startWorker } from './start-worker.js';
import { note, printResult } from './terminal.js';
import { createWorkerTelemetry, type WorkerTelemetry } from './worker-telemetry.js';

interface Flags {
  readonly untilIdle?: boolean;
  /** Wait for the results of what was sent; default true. */
  readonly wait?: boolean;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `worker`: submits queued rows until told to end, or until idle. */
export function define(command: Command): Run {
  command
    .option('--until-idle', 'end when nothing is left to do (exit 0; 3 if rows failed or are held) or when stopped (4)')
    .option('--no-wait', 'with --until-idle: end once everything is sent, and leave the results to others')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm run worker', 'npm run worker -- --until-idle');
  return () =>
    withSession({ engine: command.opts<Flags>().engine, kind: 'service', needsAccount: true }, (session) =>
      run(session, command.opts()),
    );
}

async function run(session: Session, { untilIdle = false, wait = true, json = false }: Flags): Promise<number> {
  const { onReadiness, ...told } = createWorkerTelemetry();
  await serveMetrics(session, told);
  // One that ends by itself leaves no metrics to look at.
  if (!untilIdle) void watchAllowance(session);
  const report = await startWorker(session, { untilIdle, waitForResults: wait, onReadiness }, told.calls);
  printResult(json, report, () => workSummary(report));
  const { received } = session.shutdown;
  // A service that is told to end has done its work; one that was to go on until idle has not.
  if (report.ended === 'signal') return untilIdle && received !== null ? signalExitCode(received) : EXIT.done;
  return exitCodeOf(report);
}

/** Metrics and health checks for as long as the session lasts. */
async function serveMetrics({ engine, config, log, shutdown }: Session, told: WorkerTelemetry): Promise<void> {
  const queue = engine.openQueue();
  shutdown.onClose('metrics queue', () => queue.close());
  const { host, port: wanted } = config.metrics;
  const server = await serveMonitoring(createMonitoring({ engine, queue, ...told }), host, wanted);
  shutdown.onClose('metrics', () => server.close());
  const isOther = wanted !== 0 && server.port !== wanted;
  note(`metrics: ${server.url}/metrics${isOther ? ` (port ${wanted} is taken)` : ''}`);
  log.info('metrics.started', { url: server.url });
}

/** The exit code of work that ended by itself. */
export function exitCodeOf(report: WorkerReport): number {
  if (report.ended === 'stopped') return EXIT.stopped;
  return report.failed + report.held > 0 ? EXIT.rowsLeftOut : EXIT.done;
}

export function workSummary({ submitted, failed, held, uncertain, stop }: WorkerReport): string {
  const parts = [`${formatRows(submitted)} sent`];
  if (failed > 0) parts.push(`${formatRows(failed)} failed`);
  if (held > 0) parts.push(`${formatRows(held)} held`);
  if (uncertain > 0) parts.push(`${formatRows(uncertain)} uncertain`);
  const summary = `${parts.join(', ')}.`;
  if (stop === null) return summary;
  return `${summary}\nSTOPPED (${stop.code}): ${stop.message}\nSending is stopped. After fixing the cause: \`npm run resume\`.`;
}
