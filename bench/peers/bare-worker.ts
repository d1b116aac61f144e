// Bare BullMQ: a worker with got. No ledger, no limiter, no stop.
// Usage: bare-worker <rows> <calls in flight>; REDIS_URL says where bare-enqueue put them. Ends after that many rows.
import { Worker } from 'bullmq';
import { type Company, createBareCall } from './bare-call.js';

const [, , rows = '0', inFlight = '20'] = process.argv;
const call = await createBareCall();
const worker = new Worker<Company>('bare', async (job) => call(job.data), {
  connection: { url: process.env.REDIS_URL ?? '', maxRetriesPerRequest: null },
  concurrency: Number(inFlight),
});
let completed = 0;
await new Promise<void>((resolve) => {
  worker.on('completed', () => {
    completed += 1;
    if (completed === Number(rows)) resolve();
  });
});
await worker.close();
