import type { JobType } from 'bullmq';
import type { EnrichQueue } from '../queues.js';
import type { QueueCounts } from './engine.js';

// The PostgreSQL backend counts the waiting jobs of a paused queue under this name, which the type leaves out.
const PAUSED = 'paused' as JobType;

/** How many jobs are where; a paused queue's jobs are waiting. */
export async function queueCounts(queue: EnrichQueue): Promise<QueueCounts> {
  const counts = await queue.getJobCounts('waiting', PAUSED, 'prioritized', 'active', 'delayed', 'completed', 'failed');
  const of = (state: string) => counts[state] ?? 0;
  return {
    waiting: of('waiting') + of('paused') + of('prioritized'),
    active: of('active'),
    delayed: of('delayed'),
    completed: of('completed'),
    failed: of('failed'),
  };
}
