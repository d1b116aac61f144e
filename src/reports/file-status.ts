import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createTally, type FileCounts } from './file-counts.js';

/** A file's rows by outcome. A repeated row counts with the outcome of its first. Two round trips per batch of rows, flat memory. */
export async function fileStatus(input: Input): Promise<FileCounts> {
  const tally = createTally();
  for await (const { outcomes } of withOutcomes(input)) {
    for (const { status } of outcomes) tally.add(status);
  }
  return tally.counts();
}
