import { type Benchmark, figureOf } from '../figure.js';

/** The first command of the README, after the install. */
export const quickstart: Benchmark = {
  name: 'quickstart',
  summary: 'seconds of the quickstart',
  async run({ runs }, scene) {
    const seconds: number[] = [];
    for (let run = 0; run < runs; run++) {
      seconds.push(await scene.plain('program', ['quickstart'], { REDIS_URL: '' }));
    }
    return {
      figures: [
        figureOf({
          what: 'quickstart, after the install',
          unit: 's',
          kind: 'time',
          limit: { atMost: 15 },
          values: seconds,
        }),
      ],
    };
  },
};
