// Bare loop: csv-parse, p-limit and got, one POST per row. No queue, nothing that outlives it.
// Usage: bare-loop <file> <calls in flight>
import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import pLimit from 'p-limit';
import { type Company, createBareCall } from './bare-call.js';

const [, , file = '', inFlight = '20'] = process.argv;
const call = await createBareCall();
const limit = pLimit(Number(inFlight));
const calls: Promise<unknown>[] = [];
const records: AsyncIterable<Company> = createReadStream(file).pipe(parse({ columns: true }));
for await (const company of records) calls.push(limit(() => call(company)));
await Promise.all(calls);
