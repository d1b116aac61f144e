import type { CallMetrics } from '../lib/metrics/call-metrics.js';
import { createNotifier } from '../lib/notify.js';
import type { Transport } from '../lib/zoho/transport.js';
import { type RunWorkerOptions, runWorker } from '../workers/run-worker.js';
import type { WorkerReport } from '../workers/watch-queue.js';
import { openReserve, runPreflight } from './ask-account.js';
import type { Session } from './session.js';

/** Whom this configuration tells of what; nothing without a webhook. */
function noticesOf({ notify, profile }: Session['config'], transport: Transport): Pick<RunWorkerOptions, 'notices'> {
  if (notify.url === undefined) return {};
  const notifier = createNotifier(notify.url, transport);
  return { notices: { notifier, events: notify.events, profile: profile ?? null } };
}

/** Runs one worker of this session until `options` or a signal end it. */
export async function startWorker(
  session: Session,
  options: Pick<RunWorkerOptions, 'untilIdle' | 'waitForResults' | 'patienceMs' | 'onProgress' | 'onReadiness'>,
  metrics?: CallMetrics,
): Promise<WorkerReport> {
  const { engine, config, log, shutdown } = session;
  const { zoho, tokens, transport } = await session.zoho();
  await runPreflight(session);
  return runWorker({
    reserve: await openReserve(session),
    engine: metrics === undefined ? engine : { ...engine, store: metrics.store(engine.store) },
    zoho: metrics === undefined ? zoho : metrics.zoho(zoho),
    tokens,
    settings: config.work,
    log,
    stopSignal: shutdown.signal,
    ...noticesOf(config, transport),
    ...options,
  });
}
