import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf } from '../figure.js';
import type { Scene } from '../scene.js';
import { spreadOf } from '../statistics.js';

const MEGABYTE = 1_000_000;

/** What enqueueing a large file takes in memory. */
export const enqueueMemory: Benchmark = {
  name: 'enqueue-memory',
  summary: 'peak memory of enqueue, and how it grows with the file',
  async run({ runs, memoryRows: [few, many] }, scene) {
    const small = await peaks(scene, few, runs);
    const large = await peaks(scene, many, runs);
    const growth = small.map((bytes, run) => ((large[run] ?? Number.NaN) - bytes) / (many - few));
    return {
      figures: [
        figureOf({
          what: `enqueue ${many.toLocaleString('en')} rows, peak memory of the process`,
          unit: 'MB',
          kind: 'memory',
          limit: { atMost: 250 },
          values: large.map((bytes) => bytes / MEGABYTE),
        }),
        figureOf({
          what: `bytes a row above the peak at ${few.toLocaleString('en')} rows`,
          unit: 'bytes',
          kind: 'memory',
          limit: { atMost: 16 },
          values: growth,
          from: { 'MB before': small.map((bytes) => bytes / MEGABYTE) },
        }),
      ],
      series: [
        {
          question: 'Does memory grow with the file?',
          x: 'rows of the file',
          y: 'peak MB of enqueue',
          lines: [
            {
              label: 'enqueue',
              points: [
                [few, spreadOf(small).median / MEGABYTE],
                [many, spreadOf(large).median / MEGABYTE],
              ],
            },
          ],
        },
      ],
    };
  },
};

async function peaks(scene: Scene, rows: number, runs: number): Promise<number[]> {
  const file = join(scene.dir, `${rows}.csv`);
  await writeCompanies(file, rows);
  const bytes: number[] = [];
  for (let run = 0; run < runs; run++) {
    await scene.empty();
    bytes.push((await scene.program(['enqueue', file])).peakBytes);
  }
  return bytes;
}
