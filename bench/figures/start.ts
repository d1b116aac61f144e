import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, type Figure, figureOf } from '../figure.js';
import { EMBEDDED } from '../scene.js';
import { paired, repeated, spreadOf } from '../statistics.js';

/** Processes this short vary most, and cost least to repeat. */
const TIMES_MORE = 3;

/** What it takes to start the program. */
export const start: Benchmark = {
  name: 'start',
  summary: 'whole processes: --help, and an enqueue of 10 rows, against node -e 0',
  async run({ runs }, scene) {
    const file = join(scene.dir, 'ten.csv');
    await writeCompanies(file, 10);
    const nothing = () => scene.plain('node', ['-e', '0']);
    const against = async (
      what: string,
      atMost: number,
      ours: () => Promise<number>,
      onEmbedded?: () => Promise<number>,
    ): Promise<Figure> => {
      await ours();
      const pairs = await paired(runs * TIMES_MORE, ours, nothing);
      const node = spreadOf(pairs.map(({ peer }) => peer)).median;
      const embedded = onEmbedded && (await repeated(runs, onEmbedded)).map((seconds) => seconds / node);
      return figureOf({
        what: `${what}, times as long as node -e 0`,
        unit: '',
        kind: 'time',
        limit: { atMost },
        values: pairs.map(({ ours: seconds, peer }) => seconds / peer),
        ...(embedded && { embedded }),
        from: {
          ms: pairs.map(({ ours: seconds }) => seconds * 1_000),
          'node -e 0 ms': pairs.map(({ peer }) => peer * 1_000),
        },
      });
    };
    return {
      figures: [
        await against('zia-enrich --help', 4, () => scene.plain('program', ['--help'])),
        await against(
          'enqueue of 10 rows',
          5,
          async () => {
            await scene.redis.flushall('SYNC');
            return scene.plain('program', ['enqueue', file]);
          },
          async () => {
            await scene.empty();
            return scene.plain('program', ['enqueue', file], EMBEDDED);
          },
        ),
      ],
    };
  },
};
