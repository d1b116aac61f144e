// Names the ten files that took longest, so that a suite does not become slow unseen.
const SHOWN = 10;

export default class SlowestFiles {
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length <= SHOWN) return;
    const files = testResults
      .map(({ testFilePath, perfStats }) => ({ path: testFilePath, seconds: perfStats.runtime / 1_000 }))
      .sort((a, b) => b.seconds - a.seconds)
      .slice(0, SHOWN);
    const root = `${process.cwd()}/`;
    const lines = files.map(({ path, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${path.replace(root, '')}`);
    console.error(`\nThe slowest files:\n${lines.join('\n')}`);
  }
}
