// Bare enqueue: csv-parse piped into addBulk. No validation, no hashing, no look at what is there already.
// Usage: bare-enqueue <file>; REDIS_URL says where.
import { createReadStream } from 'node:fs';
import { Queue } from 'bullmq';
import { parse } from 'csv-parse';

const CHUNK = 1_000;

type Job = Parameters<Queue['addBulk']>[0][number];
type Company = Readonly<Record<string, string>>;

const queue = new Queue('bare', { connection: { url: process.env.REDIS_URL ?? '' } });
let jobs: Job[] = [];
const records: AsyncIterable<Company> = createReadStream(process.argv[2] ?? '').pipe(parse({ columns: true }));
for await (const company of records) {
  // A company's email is the id at hand that is the same whenever the file is read.
  jobs.push({ name: 'enrich', data: company, opts: { jobId: company.Email ?? '', attempts: 5 } });
  if (jobs.length < CHUNK) continue;
  await queue.addBulk(jobs);
  jobs = [];
}
if (jobs.length > 0) await queue.addBulk(jobs);
await queue.close();
