// `npm test`: what has to hold before a change is merged, in minutes. `npm run test:long` (here `--long`): the rest.
// With words of jest's (`npm test -- test/core`) jest runs once with those words, whichever suite they lead to; after
// `--short`, only with what `npm test` has of them; after `--long`, the whole long suite with them.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { LONG } from '../test/support/run/suites.mjs';

/** The embedded database is opened hundreds of times for a moment each: optimizing its code takes longer than it saves. */
const DO_NOT_OPTIMIZE_WASM = '--wasm-tiering-budget=100000000';
const JEST = [DO_NOT_OPTIMIZE_WASM, '--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];

function suite(words) {
  if (words[0] === '--long') return { name: 'long', selection: [LONG, ...filesInBoth(), ...words.slice(1)] };
  if (words[0] === '--short') return { name: 'short', selection: words.slice(1) };
  if (words.length === 0) return { name: 'short', selection: ['--testPathIgnorePatterns', LONG] };
  return { name: '', selection: words };
}

/** Files that have something for the long suite too; see test/support/suite.ts. */
function filesInBoth() {
  return readdirSync('test', { recursive: true })
    .filter((name) => name.endsWith('.test.ts') && !`test/${name}`.startsWith(LONG))
    .map((name) => `test/${name}`)
    .filter((path) => /\b(bySuite|fuzz|testIn|testOn|ENGINES_IN_TURN)\b/.test(readFileSync(path, 'utf8')));
}

const { name, selection } = suite(process.argv.slice(2));
const env = { ...process.env, TEST_SUITE: name };
// Tests talk to nobody outside, and every Node that they start would read these certificates: twice the time of its start.
delete env.NODE_EXTRA_CA_CERTS;
const jest = spawn(process.execPath, [...JEST, ...selection], { stdio: 'inherit', env });
// Jest takes with it what it started; ended alone, this process would leave it running.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => jest.kill(signal));
jest.on('close', (status) => {
  process.exitCode = status ?? 1;
});
