// `npm test`: all tests, two files at a time, then those that measure time or run a whole fleet, one at a time: beside
// others they would measure the others. `npm test -- <jest's own words>` runs jest once with those words.
import { spawnSync } from 'node:child_process';

const ALONE =
  'test/(browser/|integration/(chaos|dashboard-load|engine-processes|fencing|storms|store-pace|token-fleet|bench))';

function jest(...words) {
  const flags = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const { status } = spawnSync(process.execPath, [...flags, ...words], { stdio: 'inherit' });
  return status ?? 1;
}

const words = process.argv.slice(2);
process.exitCode =
  words.length > 0 ? jest(...words) : Math.max(jest('--testPathIgnorePatterns', ALONE), jest('--runInBand', ALONE));
