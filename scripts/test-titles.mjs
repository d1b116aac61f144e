// Lists every test by its full title, sorted, one a line, without running any: `node scripts/test-titles.mjs > after.txt`.
// Two such lists show what a change of the suites dropped: `diff before.txt after.txt`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NO_TEST = 'no test has this title';

const folder = mkdtempSync(join(tmpdir(), 'zia-titles-'));
try {
  const outputFile = join(folder, 'results.json');
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const words = [
    '--json',
    `--outputFile=${outputFile}`,
    '--testNamePattern',
    NO_TEST,
    '--silent',
    ...process.argv.slice(2),
  ];
  spawnSync(process.execPath, [...jest, ...words], { stdio: 'ignore' });
  const { testResults } = JSON.parse(readFileSync(outputFile, 'utf8'));
  const unread = testResults.filter(({ assertionResults }) => assertionResults.length === 0).map(({ name }) => name);
  if (unread.length > 0) throw new Error(`These files could not be read:\n${unread.join('\n')}`);
  const titles = testResults.flatMap(({ assertionResults }) => assertionResults.map(({ fullName }) => fullName));
  process.stdout.write(`${titles.sort().join('\n')}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
