import { type Job, Worker } from 'bullmq';
import type { EnrichPayload, EnrichReturn } from '../queues.js';

type Data = Job<EnrichPayload, EnrichReturn>;

/** Seconds an idle worker waits for a row in one go: a connection that went silent is noticed this much later. */
const LONGEST_BLOCK_SECONDS = 4;

/** BullMQ's worker, telling each time the loop that fetches rows gets an answer from the engine. */
export class WatchedWorker extends Worker<EnrichPayload, EnrichReturn> {
  /** Set right after the construction; the loop starts later. */
  onFetch: () => void = () => undefined;

  override get maximumBlockTimeout(): number {
    return Math.min(super.maximumBlockTimeout, LONGEST_BLOCK_SECONDS);
  }

  protected override async moveToActive(token: string, name?: string): Promise<Data> {
    const job = await super.moveToActive(token, name);
    this.onFetch();
    return job;
  }
}
