// `npm test`: all tests, two files at a time, then those that measure time or run a whole fleet, one at a time: beside
// others they would measure the others. A file that failed is run once more, alone, on a machine that may have been busy;
// it is named either way, because a test that needs the second try is a bug to be found.
// `npm test -- <jest's own words>` runs jest once with those words.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ALONE =
  'test/(browser/|integration/(chaos|collect|dashboard-load|engine-processes|fencing|storms|store-pace|token-fleet|bench))';

const scratch = mkdtempSync(join(tmpdir(), 'zia-npm-test-'));

function jest(...words) {
  const flags = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const { status } = spawnSync(process.execPath, [...flags, ...words], { stdio: 'inherit' });
  return status ?? 1;
}

/** The files that failed; null when jest itself did. */
function failedFiles(...words) {
  const outputFile = join(scratch, 'results.json');
  if (jest('--json', `--outputFile=${outputFile}`, ...words) === 0) return [];
  try {
    const { testResults } = JSON.parse(readFileSync(outputFile, 'utf8'));
    return testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
  } catch {
    return null;
  } finally {
    rmSync(outputFile, { force: true });
  }
}

function testEverything() {
  const groups = [failedFiles('--testPathIgnorePatterns', ALONE), failedFiles('--runInBand', ALONE)];
  if (groups.includes(null)) return 1;
  const failed = groups.flat();
  if (failed.length === 0) return 0;
  console.error(`\nFailed, and run once more, alone:\n${failed.join('\n')}\n`);
  return jest('--runInBand', '--runTestsByPath', ...failed);
}

const words = process.argv.slice(2);
try {
  process.exitCode = words.length > 0 ? jest(...words) : testEverything();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
