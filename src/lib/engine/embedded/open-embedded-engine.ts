import { join, resolve } from 'node:path';
import { createPostgresBackend, Queue, type WorkerOptions } from 'bullmq';
import type { IdentityKey } from '../../core/ids.js';
import { AppError, StoreUnavailableError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { EnrichQueue, EnrichWorker } from '../../queues.js';
import { createStore } from '../../store/create-store.js';
import { createPostgresOperations } from '../../store/postgres/postgres-operations.js';
import type { Engine, JobStatus, WithdrawOptions } from '../engine.js';
import { logEngineErrors } from '../log-engine-errors.js';
import { queueCounts } from '../queue-counts.js';
import { WatchedWorker } from '../watched-worker.js';
import { type DatabaseLink, openDatabaseLink } from './database-link.js';
import { currentHost } from './host-lock.js';
import { makePrivate } from './socket-address.js';

export interface EmbeddedEngineSettings {
  readonly dataDir: string;
  readonly queueName: string;
  readonly hostAnswerMs: number;
}

/** NOTIFY does not cross the database's socket, so an idle worker looks again after this time, in BullMQ's seconds. */
const DRAIN_DELAY_SECONDS = 0.25;
const CHUNK = 1_000;
const TRIM_EVERY = 100;
/** BullMQ's word for no limit. */
const KEEP_ALL = -1;

/** Hosts or joins the database in `dataDir`. Rejects with StoreUnavailableError, one sentence for people. */
export async function openEmbeddedEngine(settings: EmbeddedEngineSettings, log: Logger): Promise<Engine> {
  const { queueName } = settings;
  const dataDir = resolve(settings.dataDir);
  const directory = join(dataDir, 'pg');
  makePrivate(directory);
  const explain = (error: unknown) => embeddedUnavailable(error, dataDir);
  const link = await openDatabaseLink({ directory, hostAnswerMs: settings.hostAnswerMs }, log).catch(
    (error: unknown) => {
      throw explain(error);
    },
  );
  let counting: EnrichQueue | undefined;

  function openQueue(): EnrichQueue {
    // One class for both engines; only the type of its connection options differs.
    const queue = new Queue(queueName, { connection: link }, createPostgresBackend) as unknown as EnrichQueue;
    return logEngineErrors(queue, log, explain);
  }

  return {
    kind: 'embedded',
    description: `embedded in ${dataDir}`,
    queueName,
    store: createStore(createPostgresOperations({ query: link.query }, explain), queueName),
    openQueue,
    bulksAtOnce: 1,
    // Its host writes every commit to the disk before it answers.
    inspect: async () => ({ durable: true, warnings: [] }),
    openWorker: (processor, options, onFetch) => {
      const worker = new WatchedWorker(
        queueName,
        processor,
        // The type knows Redis only; the backend is what matters.
        { drainDelay: DRAIN_DELAY_SECONDS, ...options, connection: link } as unknown as WorkerOptions,
        quietBackend(link, queueName) as never,
      );
      worker.onFetch = (refusal) => onFetch?.(refusal && explain(refusal));
      return logEngineErrors<EnrichWorker>(worker, log, explain);
    },
    jobStatuses: (keys) =>
      jobStatuses(link, queueName, keys).catch((error: unknown) => {
        throw explain(error);
      }),
    existingJobs: (keys) =>
      existingJobs(link, queueName, keys).catch((error: unknown) => {
        throw explain(error);
      }),
    withdrawJobs: (keys, options) =>
      withdrawJobs(link, queueName, keys, options).catch((error: unknown) => {
        throw explain(error);
      }),
    counts: async () => {
      counting ??= openQueue();
      return queueCounts(counting).catch((error: unknown) => {
        throw explain(error);
      });
    },
    activeKeys: async () => {
      const { rows } = await link
        .query("select id from bullmq.job where queue = $1 and state = 'active'", [queueName])
        .catch((error: unknown) => {
          throw explain(error);
        });
      return (rows as { id: IdentityKey }[]).map(({ id }) => id);
    },
    facts: async () => ({ kind: 'embedded', directory: dataDir, hostPid: currentHost(directory)?.pid ?? null }),
    close: async () => {
      await counting?.close().catch(() => undefined);
      await link.close();
    },
  };
}

async function jobStatuses(
  link: DatabaseLink,
  queueName: string,
  keys: readonly IdentityKey[],
): Promise<ReadonlyMap<IdentityKey, JobStatus>> {
  const fates = new Map<IdentityKey, JobStatus>(keys.map((key) => [key, { state: 'absent' }]));
  for (let at = 0; at < keys.length; at += CHUNK) {
    const { rows } = await link.query(
      'select id, state, failed_reason as reason from bullmq.job where queue = $1 and id = any ($2::text[])',
      [queueName, keys.slice(at, at + CHUNK)],
    );
    for (const { id, state, reason } of rows as {
      id: IdentityKey;
      state: JobStatus['state'];
      reason: string | null;
    }[]) {
      fates.set(id, state === 'failed' ? { state, reason: reason ?? '' } : { state });
    }
  }
  return fates;
}

async function existingJobs(
  link: DatabaseLink,
  queueName: string,
  keys: readonly IdentityKey[],
): Promise<ReadonlySet<IdentityKey>> {
  const found = new Set<IdentityKey>();
  for (let at = 0; at < keys.length; at += CHUNK) {
    const { rows } = await link.query('select id from bullmq.job where queue = $1 and id = any ($2::text[])', [
      queueName,
      keys.slice(at, at + CHUNK),
    ]);
    for (const { id } of rows as { id: IdentityKey }[]) found.add(id);
  }
  return found;
}

async function withdrawJobs(
  link: DatabaseLink,
  queueName: string,
  keys: readonly IdentityKey[],
  { failed, refreshes = false }: WithdrawOptions,
): Promise<ReadonlySet<IdentityKey>> {
  const removed = new Set<IdentityKey>();
  const states = failed ? ['waiting', 'delayed', 'failed'] : ['waiting', 'delayed'];
  for (let at = 0; at < keys.length; at += CHUNK) {
    const { rows } = await link.query(
      `delete from bullmq.job where queue = $1 and id = any ($2::text[]) and state::text = any ($3::text[])
         and not exists (select from zia.ledger where ledger.key = job.id and ledger.state <> all ($4::text[])) returning id`,
      [queueName, keys.slice(at, at + CHUNK), states, refreshes ? ['cleared', 'scheduled'] : ['cleared']],
    );
    for (const { id } of rows as { id: IdentityKey }[]) removed.add(id);
  }
  return removed;
}

/**
 * BullMQ's backend with two of its habits changed: it looks for jobs of dead workers only while a job is active, for each look
 * writes to the disk, all the time that a worker is idle; and it drops the completed jobs that are too many at every
 * `TRIM_EVERY`th completion, for at each one it reads all that are kept.
 */
function quietBackend(link: DatabaseLink, queueName: string): typeof createPostgresBackend {
  return (...args) => {
    const backend = createPostgresBackend(...args);
    const look = backend.moveStalledJobsToWait.bind(backend);
    backend.moveStalledJobsToWait = async () => {
      const { rows } = await link.query(
        "select exists (select from bullmq.job where queue = $1 and state = 'active') as found",
        [queueName],
      );
      return (rows[0] as { found: boolean }).found ? look() : [];
    };
    const complete = backend.moveToCompleted.bind(backend);
    let completed = 0;
    backend.moveToCompleted = (job, value, keep, ...rest) =>
      complete(job, value, completed++ % TRIM_EVERY === 0 ? keep : KEEP_ALL, ...rest);
    return backend;
  };
}

function embeddedUnavailable(error: unknown, dataDir: string): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreUnavailableError(`The embedded database in ${dataDir} does not work (${reason}); try again.`, {
    cause: error,
  });
}
