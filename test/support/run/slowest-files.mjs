// Names the ten files that took longest, so that a suite does not become slow unseen, and the processor time of all.
import { readCosts } from './costs.mjs';

const SHOWN = 10;

export default class SlowestFiles {
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length <= SHOWN) return;
    const costs = readCosts();
    const files = testResults
      .map(({ testFilePath: path, perfStats }) => ({
        path,
        seconds: perfStats.runtime / 1_000,
        cost: costs.get(path) ?? 0,
      }))
      .sort((a, b) => b.seconds - a.seconds);
    const root = `${process.cwd()}/`;
    const lines = files
      .slice(0, SHOWN)
      .map(({ path, seconds, cost }) => `${column(seconds)} s ${column(cost)} s  ${path.replace(root, '')}`);
    const total = files.reduce((sum, { cost }) => sum + cost, 0);
    console.error(
      `\nThe slowest files, and their processor time (of all: ${total.toFixed(0)} s):\n${lines.join('\n')}`,
    );
  }
}

const column = (seconds) => seconds.toFixed(1).padStart(7);
