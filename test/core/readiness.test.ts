import { expect, test } from '@jest/globals';
import { readinessOf, type WorkerSigns } from '../../src/workers/readiness.js';

const well: WorkerSigns = {
  phase: 'running',
  heartbeatAgoMs: 900,
  fetchAgoMs: 4_000,
  shouldFetch: true,
  serverChanged: false,
  stop: undefined,
};
const STOP = { code: 'LIMIT_EXCEEDED', message: 'The quota is spent.', sinceMs: 1, key: null, line: null };

test('a worker that fetches and is answered is ready', () => {
  expect(readinessOf(well)).toEqual({ ready: true });
});

test.each([
  [{ phase: 'starting', heartbeatAgoMs: null }, ['STARTING']],
  [{ phase: 'ending', heartbeatAgoMs: 60_000, fetchAgoMs: 60_000 }, ['ENDING']],
  [{ heartbeatAgoMs: 4_100 }, ['ENGINE_AWAY']],
  [{ heartbeatAgoMs: null }, ['ENGINE_AWAY']],
  [{ serverChanged: true, shouldFetch: false }, ['SERVER_CHANGED']],
  [{ stop: STOP, shouldFetch: false }, ['STOPPED']],
  [{ fetchAgoMs: 15_100 }, ['FETCH_LOOP_STUCK']],
  [{ fetchAgoMs: 15_100, heartbeatAgoMs: 15_100 }, ['ENGINE_AWAY', 'FETCH_LOOP_STUCK']],
  [{ fetchAgoMs: 600_000, shouldFetch: false }, []],
] as const)('a worker with %j is not ready because of %j', (signs, codes) => {
  const readiness = readinessOf({ ...well, ...signs });
  expect(readiness.ready ? [] : readiness.reasons.map(({ code }) => code)).toEqual(codes);
});

test('a stop is told with its reason', () => {
  expect(readinessOf({ ...well, stop: STOP })).toMatchObject({
    reasons: [{ code: 'STOPPED', message: 'The quota is spent.', stop: STOP }],
  });
});
