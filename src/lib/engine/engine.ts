import type { Processor, WorkerOptions } from 'bullmq';
import type { IdentityKey } from '../core/ids.js';
import type { EnrichPayload, EnrichQueue, EnrichReturn, EnrichWorker } from '../queues.js';
import type { Store } from '../store/store.js';

/** What BullMQ's own record of a job says; `absent` when there is none. */
export type JobStatus =
  | { readonly state: 'absent' }
  | { readonly state: 'waiting' | 'active' | 'delayed' | 'completed' }
  | { readonly state: 'failed'; readonly reason: string };

/** Something about the engine that an operator should change. */
export interface EngineWarning {
  readonly code: 'EVICTION' | 'NO_PERSISTENCE' | 'SNAPSHOTS_ONLY' | 'APPENDFSYNC' | 'NO_RUN_ID';
  /** One sentence: what is set, what it may cost, what to set. */
  readonly message: string;
}

export interface WithdrawOptions {
  /** Failed jobs, too. */
  readonly failed: boolean;
  /** Waiting jobs of rows that have a result, too: they were to be sent again for a newer one. */
  readonly refreshes?: boolean;
}

/** What the engine tells of its own settings. */
export interface EngineInspection {
  /** Whatever it acknowledged survives its restart, and nobody else can take its place. */
  readonly durable: boolean;
  readonly warnings: readonly EngineWarning[];
}

export interface QueueCounts {
  /** Includes prioritized and paused jobs. */
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  /** Jobs that are kept for a look at single ones: how many rows were submitted in all is the ledger's to tell. */
  readonly completed: number;
  readonly failed: number;
}

/** What a server does not tell is null. */
export type EngineFacts =
  | {
      readonly kind: 'redis';
      readonly version: string | null;
      /** Bytes; 0 is no limit. */
      readonly memoryLimit: number | null;
      readonly memoryUsed: number | null;
    }
  | {
      readonly kind: 'embedded';
      readonly directory: string;
      /** The process that hosts the database. */
      readonly hostPid: number | null;
    };

/**
 * Where the queue lives: BullMQ's connection and backend, and the store beside it.
 * `close` is idempotent and closes what the engine opened; queues and workers made from it are closed by their makers, first.
 */
export interface Engine {
  readonly kind: 'redis' | 'embedded';
  /** For people, on every command: where this is, without credentials. */
  readonly description: string;
  readonly queueName: string;
  /** A queue on this engine; the caller closes it before the engine. */
  openQueue(): EnrichQueue;
  /** Calls of `addBulk` that may be under way at once with their jobs still in order: Redis runs a connection's commands in turn. */
  readonly bulksAtOnce: number;
  /**
   * A worker on this engine, not yet running when `autorun` is false; the caller closes it before the engine. `onFetch` is
   * called each time its loop has asked the engine for a row, with one sentence for people where the engine refused.
   */
  openWorker(
    processor: Processor<EnrichPayload, EnrichReturn>,
    options: Omit<WorkerOptions, 'connection'>,
    onFetch?: (refusal?: Error) => void,
  ): EnrichWorker;
  /** Asks the engine about its settings; rejects with `StoreUnavailableError` when it is away. */
  inspect(): Promise<EngineInspection>;
  readonly store: Store;
  /** Fates of these jobs, in one round trip a chunk; every key is answered. */
  jobStatuses(keys: readonly IdentityKey[]): Promise<ReadonlyMap<IdentityKey, JobStatus>>;
  /** Those of these keys that have a job, in whatever state: several times as fast as their fates. */
  existingJobs(keys: readonly IdentityKey[]): Promise<ReadonlySet<IdentityKey>>;
  /**
   * Takes jobs off the queue that wait, and with `failed` those that failed, unless the ledger says that their rows were
   * sent; returns those removed. A job that a worker has stays. Each is removed in one step, so workers may be at work.
   */
  withdrawJobs(keys: readonly IdentityKey[], options: WithdrawOptions): Promise<ReadonlySet<IdentityKey>>;
  counts(): Promise<QueueCounts>;
  /** Jobs that workers have; no more than the fleet works on at once. */
  activeKeys(): Promise<readonly IdentityKey[]>;
  /** What the engine is and how full, for `doctor`. */
  facts(): Promise<EngineFacts>;
  close(): Promise<void>;
}
