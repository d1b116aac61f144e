import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Report } from '../../bench/report.js';
import { paired, spreadOf } from '../../bench/statistics.js';
import { withScratch } from '../support/scratch.js';

function node(...words: readonly string[]) {
  const { status, stderr, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

describe('the figures of npm run bench that do not depend on the machine', () => {
  beforeAll(() => {
    const built = node('scripts/build.mjs', 'dev');
    if (built.status !== 0) throw new Error(built.output);
  }, 120_000);

  test(
    'bytes and commands per row and peak memory are within their limits',
    () =>
      withScratch(async (folder) => {
        const json = join(folder, 'bench.json');
        const sizes = ['--size', 'submitRows=8000', '--size', 'memoryRows=2000,20000'];
        const { status, output } = node(
          ...['dist-dev/bench/main.js', 'redis', 'enqueue-memory', '--quick', ...sizes, '--json', json],
        );
        const report: Report = JSON.parse(readFileSync(json, 'utf8'));
        const figures = Object.values(report.results).flatMap((result) => result.figures);
        expect(figures.filter(({ reached }) => reached === false).map(({ what }) => what)).toEqual([]);
        expect({ status, output }).toMatchObject({ status: 0 });
      }),
    300_000,
  );
});

describe('how a benchmark measures', () => {
  test('the median and the spread of an even and an odd number of runs', () => {
    expect(spreadOf([3, 1, 2])).toMatchObject({ median: 2, min: 1, max: 3 });
    expect(spreadOf([4, 1, 2, 3])).toMatchObject({ median: 2.5, min: 1, max: 4 });
    expect(() => spreadOf([])).toThrow('at least one run');
  });

  test('pairs take turns in going first', async () => {
    const order: string[] = [];
    const note = (name: string) => async () => order.push(name);
    const pairs = await paired(3, note('A'), note('B'));
    expect(order.join('')).toBe('ABBAAB');
    expect(pairs.map(({ ours, peer }) => [ours, peer])).toEqual([
      [1, 2],
      [4, 3],
      [5, 6],
    ]);
  });
});
