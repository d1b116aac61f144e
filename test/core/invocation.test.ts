import { describe, expect, test } from '@jest/globals';
import { asStarted, movedByNpm, startedByNpm } from '../../src/lib/invocation.js';

const CWD = '/home/me/zia';
const script = (name: string, script: string) => ({
  npm_lifecycle_event: name,
  npm_lifecycle_script: script,
  npm_package_json: `${CWD}/package.json`,
});

const NPM = script('status', 'node dist/cli/main.js status');
const NPX = script('npx', 'zia-enrich');
const OTHERS = script('enrich', 'zia-enrich run leads.csv');

describe('a command that a text names', () => {
  test.each([
    ['`npm run resume` goes on.', '`zia-enrich resume` goes on.'],
    ['then run: npm run retry -- --uncertain', 'then run: zia-enrich retry --uncertain'],
    ['npm start -- a.csv --limit 5', 'zia-enrich run a.csv --limit 5'],
    ['npm run -s status -- --json', 'zia-enrich status --json'],
    [
      'npm run enqueue a.csv -- --limit 5, then npm start -- a.csv',
      'zia-enrich enqueue a.csv --limit 5, then zia-enrich run a.csv',
    ],
    ['make one (npm run login), then resume', 'make one (zia-enrich login), then resume'],
    ['npm kept flags; nothing is named', 'npm kept flags; nothing is named'],
  ])('%j becomes %j without npm', (text, expected) => {
    expect(asStarted(text, {}, CWD)).toBe(expected);
    expect(asStarted(text, OTHERS, CWD)).toBe(expected);
    expect(asStarted(text, NPX, CWD)).toBe(expected.replaceAll('zia-enrich', 'npx zia-enrich'));
    expect(asStarted(text, NPM, CWD)).toBe(text);
    expect(asStarted(text, NPM, '/elsewhere')).toBe(expected);
  });
});

test('only scripts of this package count as npm, and npx moves nowhere', () => {
  expect([NPM, NPX, OTHERS].map((env) => startedByNpm(env, CWD))).toEqual([true, false, false]);
  expect([NPM, NPX, OTHERS].map((env) => movedByNpm(env, CWD))).toEqual([true, false, true]);
});
