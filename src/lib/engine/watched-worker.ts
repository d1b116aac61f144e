import { setTimeout as sleep } from 'node:timers/promises';
import { isNotConnectionError, type Job, Worker } from 'bullmq';
import type { EnrichPayload, EnrichReturn } from '../queues.js';

type Data = Job<EnrichPayload, EnrichReturn>;

/** Seconds an idle worker waits for a row in one go: a connection that went silent is noticed this much later. */
const MAX_BLOCK_SECONDS = 4;

/** BullMQ itself asks again at once when the engine refuses, some hundred times a second. */
const AFTER_REFUSAL_MS = 1_000;

/** BullMQ's worker, telling each time the loop that fetches rows gets an answer from the engine, or a refusal. */
export class WatchedWorker extends Worker<EnrichPayload, EnrichReturn> {
  /** Set right after the construction; the loop starts later. */
  onFetch: (refusal?: Error) => void = () => undefined;

  override get maximumBlockTimeout(): number {
    return Math.min(super.maximumBlockTimeout, MAX_BLOCK_SECONDS);
  }

  /** A job whose data is no JSON fails as unreadable: BullMQ would throw each time it takes it, and leave it active. */
  protected override createJob(...[json, jobId]: Parameters<Worker['createJob']>): Data {
    try {
      return super.createJob(json, jobId);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const job = super.createJob({ ...json, data: 'null' }, jobId);
      // Whoever lists failed jobs would throw, too.
      job.updateData(null as never).catch(() => undefined);
      return job;
    }
  }

  protected override async moveToActive(token: string, name?: string): Promise<Data> {
    try {
      const job = await super.moveToActive(token, name);
      this.onFetch();
      return job;
    } catch (error) {
      if (error instanceof Error && isNotConnectionError(error)) {
        this.onFetch(error);
        await sleep(AFTER_REFUSAL_MS);
      }
      throw error;
    }
  }
}
