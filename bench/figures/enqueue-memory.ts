import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf } from '../figure.js';
import type { Scene } from '../scene.js';
import { spreadOf } from '../statistics.js';

const MEGABYTE = 1_000_000;
/** With fewer rows between two files, 16 bytes a row are less than what two runs of one file differ by: some 10 MB. */
const ENOUGH_ROWS = 500_000;

/** What one size of file took, run by run. */
interface Peaks {
  readonly rows: number;
  readonly bytes: readonly number[];
}

/** What enqueueing a large file takes in memory. */
export const enqueueMemory: Benchmark = {
  name: 'enqueue-memory',
  summary: 'peak memory of enqueue, and how it grows with the file',
  async run({ runs, memoryRows }, scene) {
    const peaks: Peaks[] = [];
    for (const rows of memoryRows) peaks.push(await peaksOf(scene, rows, runs));
    const [small, large] = peaks.slice(-2);
    if (small === undefined || large === undefined) throw new Error('Growth takes two sizes of file.');
    const added = large.rows - small.rows;
    return {
      figures: [
        figureOf({
          what: `enqueue ${large.rows.toLocaleString('en')} rows, peak memory of the process`,
          unit: 'MB',
          kind: 'memory',
          limit: { atMost: 250 },
          values: inMegabytes(large),
        }),
        figureOf({
          what: `bytes a row above the peak at ${small.rows.toLocaleString('en')} rows`,
          unit: 'bytes',
          kind: 'memory',
          limit: added < ENOUGH_ROWS ? null : { atMost: 16 },
          values: large.bytes.map((bytes, run) => (bytes - (small.bytes[run] ?? Number.NaN)) / added),
          from: { 'MB before': inMegabytes(small) },
        }),
      ],
      series: [
        {
          question: 'Does memory grow with the file?',
          x: 'rows of the file',
          y: 'peak MB of enqueue',
          lines: [{ label: 'enqueue', points: peaks.map((of) => [of.rows, spreadOf(inMegabytes(of)).median]) }],
        },
      ],
    };
  },
};

function inMegabytes({ bytes }: Peaks): readonly number[] {
  return bytes.map((each) => each / MEGABYTE);
}

async function peaksOf(scene: Scene, rows: number, runs: number): Promise<Peaks> {
  const file = join(scene.dir, `${rows}.csv`);
  await writeCompanies(file, rows);
  const bytes: number[] = [];
  for (let run = 0; run < runs; run++) {
    await scene.empty();
    bytes.push((await scene.program(['enqueue', file])).peakBytes);
  }
  return { rows, bytes };
}
