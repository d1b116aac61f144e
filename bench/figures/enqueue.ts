import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf } from '../figure.js';
import { EMBEDDED } from '../scene.js';
import { paired, repeated, spreadOf } from '../statistics.js';

/** How fast rows become jobs, the first time and when all are known. */
export const enqueue: Benchmark = {
  name: 'enqueue',
  summary: 'rows per second of enqueue against csv-parse piped into addBulk, and of enqueueing the same file again',
  async run({ runs, rows, embeddedRows }, scene) {
    const file = join(scene.dir, 'companies.csv');
    await writeCompanies(file, rows);
    const pairs = await paired(
      runs,
      async () => {
        await scene.empty();
        const first = await scene.program(['enqueue', file]);
        return { first, again: await scene.program(['enqueue', file]) };
      },
      async () => {
        await scene.empty();
        return scene.peer('bare-enqueue', [file]);
      },
    );
    const first = pairs.map(({ ours }) => ours.first);
    const again = pairs.map(({ ours }) => ours.again);
    const bare = pairs.map(({ peer }) => peer);
    const ratios = (of: 'seconds' | 'cpuSeconds') => pairs.map(({ ours, peer }) => peer[of] / ours.first[of]);
    const perSecond = (timed: readonly { readonly seconds: number }[]) => timed.map(({ seconds }) => rows / seconds);
    const short = join(scene.dir, 'short.csv');
    await writeCompanies(short, embeddedRows);
    const embedded = await repeated(runs, async () => {
      await scene.empty();
      return {
        first: await scene.program(['enqueue', short], EMBEDDED),
        again: await scene.program(['enqueue', short], EMBEDDED),
      };
    });
    /** A bare row's share of an embedded row's time. */
    const embeddedRatios = (of: 'seconds' | 'cpuSeconds') => {
      const bareRow = spreadOf(bare.map((timed) => timed[of])).median / rows;
      return embedded.map((timed) => (bareRow * embeddedRows) / timed.first[of]);
    };
    return {
      figures: [
        figureOf({
          what: `enqueue ${rows.toLocaleString('en')} rows, rows per second against bare enqueue`,
          unit: '',
          kind: 'time',
          limit: { atLeast: 0.9 },
          values: ratios('seconds'),
          embedded: embeddedRatios('seconds'),
          from: { 'rows/s': perSecond(first), 'bare rows/s': perSecond(bare) },
        }),
        figureOf({
          what: 'the same, by processor time of the process alone',
          unit: '',
          kind: 'time',
          limit: null,
          values: ratios('cpuSeconds'),
          embedded: embeddedRatios('cpuSeconds'),
          from: { s: first.map(({ cpuSeconds }) => cpuSeconds), 'bare s': bare.map(({ cpuSeconds }) => cpuSeconds) },
        }),
        figureOf({
          what: 'enqueue the same rows again, times as fast as the first time',
          unit: '',
          kind: 'time',
          limit: { atLeast: 2 },
          values: pairs.map(({ ours }) => ours.first.seconds / ours.again.seconds),
          embedded: embedded.map(({ first: one, again: other }) => one.seconds / other.seconds),
          from: { 'rows/s': perSecond(again) },
        }),
      ],
    };
  },
};
