import type { CallMetrics } from '../lib/metrics/call-metrics.js';
import { createNotifier, type Notifier } from '../lib/notify.js';
import { type RunWorkerOptions, runWorker } from '../workers/run-worker.js';
import type { WorkerReport } from '../workers/watch-queue.js';
import { openReserve, runPreflight } from './ask-account.js';
import { openZohoWith } from './command-zoho.js';
import type { Session } from './session.js';
import { version } from './version.js';

/** Whom this configuration tells of what; nothing without a webhook. */
function noticesOf({ notify, profile, zoho }: Session['config']): Pick<RunWorkerOptions, 'notices'> {
  if (notify.url === undefined) return {};
  return { notices: { notifier: openNotifier(notify.url, zoho), events: notify.events, profile: profile ?? null } };
}

export function openNotifier(url: string, { proxy }: Session['config']['zoho']): Notifier {
  return createNotifier(url, { userAgent: `zia-bulk-enrich/${version()}`, ...(proxy === undefined ? {} : { proxy }) });
}

/** Runs one worker of this session until `options` or a signal end it. */
export async function startWorker(
  { engine, config, log, shutdown, account }: Session,
  options: Pick<RunWorkerOptions, 'untilIdle' | 'waitForResults' | 'patienceMs' | 'onProgress' | 'onReadiness'>,
  metrics?: CallMetrics,
): Promise<WorkerReport> {
  if (account === null) throw new Error('A worker needs an account.');
  const { zoho, tokens, close } = openZohoWith(account, engine.store, config.work.requestTimeoutMs, log);
  shutdown.onClose('zoho', close);
  const asking = { engine, config, log, shutdown, account };
  await runPreflight(asking);
  return runWorker({
    reserve: await openReserve(asking),
    engine: metrics === undefined ? engine : { ...engine, store: metrics.store(engine.store) },
    zoho: metrics === undefined ? zoho : metrics.zoho(zoho),
    tokens,
    settings: config.work,
    log,
    stopSignal: shutdown.signal,
    ...noticesOf(config),
    ...options,
  });
}
