import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { INITIAL_CONTROL } from '../../src/lib/core/control.js';
import { createReadinessTracker, type Readiness, readinessOf, type WorkerHealth } from '../../src/workers/readiness.js';
import { timingFor } from '../../src/workers/timing.js';

const well: WorkerHealth = {
  phase: 'running',
  heartbeatAgoMs: 900,
  heartbeatFailure: null,
  fetchAgoMs: 4_000,
  refusal: null,
  shouldFetch: true,
  rowEndedAgoMs: 30_000,
  late: { heartbeatLateMs: 4_000, fetchLateMs: 15_000, rowsLateMs: 60_000 },
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
  [{ fetchAgoMs: 600_000, shouldFetch: false, rowEndedAgoMs: 60_100 }, ['ROWS_STUCK']],
  [{ shouldFetch: false, rowEndedAgoMs: null }, []],
  [{ refusal: 'Redis is full.', heartbeatAgoMs: 60_000, fetchAgoMs: 60_000 }, ['ENGINE_AWAY']],
] as const)('a worker with %j is not ready because of %j', (signs, codes) => {
  const readiness = readinessOf({ ...well, ...signs });
  expect(readiness.ready ? [] : readiness.reasons.map(({ code }) => code)).toEqual(codes);
});

test.each([
  [{ refusal: 'Redis is full.' }, 'Redis is full.'],
  [{ heartbeatAgoMs: 4_100, heartbeatFailure: 'Redis is full.' }, 'Redis is full.'],
  [{ heartbeatAgoMs: 4_100 }, 'The engine does not answer; the worker goes on when it is back.'],
])('with %j the engine’s own words are told, where it has some', (signs, message) => {
  expect(readinessOf({ ...well, ...signs })).toEqual({ ready: false, reasons: [{ code: 'ENGINE_AWAY', message }] });
});

describe('the signs of a worker', () => {
  const control = { current: INITIAL_CONTROL };
  const heartbeat = {
    looking: false,
    mayFetch: true,
    workers: ['a', 'b'],
    answeredAgoMs: () => 10,
    failure: null,
  };
  const ONE_ROW = { concurrency: 1, ratePerSecond: 1, timing: timingFor(30_000) };
  const codes = (readiness: Readiness) => (readiness.ready ? [] : readiness.reasons.map(({ code }) => code));
  let nowMs = 0;
  beforeEach(() => {
    nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('are of one that starts, works and ends', () => {
    const signs = createReadinessTracker(control, heartbeat, ONE_ROW);
    expect(codes(signs.readiness())).toEqual(['STARTING']);
    signs.enter('running');
    expect(codes(signs.readiness())).toEqual([]);
    signs.enter('ending');
    expect(codes(signs.readiness())).toEqual(['ENDING']);
  });

  test('say that it is stuck once its loop has not come round for a while, until it does', () => {
    const signs = createReadinessTracker(control, heartbeat, ONE_ROW);
    signs.enter('running');
    nowMs = 15_001;
    expect(codes(signs.readiness())).toEqual(['FETCH_LOOP_STUCK']);
    signs.fetched();
    expect(codes(signs.readiness())).toEqual([]);
  });

  test('ask nothing of the loop while every place has a row, and some time again once one is free', async () => {
    const signs = createReadinessTracker(control, heartbeat, ONE_ROW);
    signs.enter('running');
    let finish = (): void => undefined;
    const row = signs.during(() => new Promise<void>((resolve) => (finish = resolve)));
    nowMs = 60_000;
    expect(codes(signs.readiness())).toEqual([]);
    finish();
    await row;
    expect(codes(signs.readiness())).toEqual([]);
    nowMs += 15_001;
    expect(codes(signs.readiness())).toEqual(['FETCH_LOOP_STUCK']);
  });

  test('say that its rows are stuck when none has ended for longer than a call and the wait for a slot may take', async () => {
    const signs = createReadinessTracker(control, heartbeat, ONE_ROW);
    signs.enter('running');
    nowMs = 300_000;
    let finish = (): void => undefined;
    const row = signs.during(() => new Promise<void>((resolve) => (finish = resolve)));
    nowMs += 62_000;
    expect(codes(signs.readiness())).toEqual([]);
    nowMs += 1;
    expect(signs.readiness()).toMatchObject({
      reasons: [{ code: 'ROWS_STUCK', message: expect.stringContaining('finished none for 62 s') }],
    });
    // A fleet that stood still meanwhile owes nothing.
    signs.moved();
    expect(codes(signs.readiness())).toEqual([]);
    nowMs += 62_001;
    finish();
    await row;
    expect(codes(signs.readiness())).toEqual([]);
  });

  test('keep what the engine said until it gives a row again', () => {
    const signs = createReadinessTracker(control, heartbeat, ONE_ROW);
    signs.enter('running');
    signs.fetched(new Error('Redis is full.'));
    signs.moved();
    expect(signs.readiness()).toMatchObject({ reasons: [{ code: 'ENGINE_AWAY', message: 'Redis is full.' }] });
    signs.fetched();
    expect(codes(signs.readiness())).toEqual([]);
  });
});

test('a stop is told with its reason', () => {
  expect(readinessOf({ ...well, stop: STOP })).toMatchObject({
    reasons: [{ code: 'STOPPED', message: 'The quota is spent.', stop: STOP }],
  });
});
