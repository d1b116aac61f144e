// `npm test`: what has to hold before a change is merged, in minutes. `npm run test:long` (here `--long`): the rest.
// With words of jest's (`npm test -- test/core`) jest runs once with those words, whichever suite they lead to.
import { spawnSync } from 'node:child_process';
import { LONG } from '../test/support/run/suites.mjs';

const JEST = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];

function selection(words) {
  if (words[0] !== '--long') return words.length > 0 ? words : ['--testPathIgnorePatterns', LONG];
  return words.length > 1 ? words.slice(1) : [LONG];
}

const { status } = spawnSync(process.execPath, [...JEST, ...selection(process.argv.slice(2))], { stdio: 'inherit' });
process.exitCode = status ?? 1;
