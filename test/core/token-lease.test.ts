import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  planToken,
  type RefreshFailure,
  refreshFailed,
  type TokenState,
  tokenRefreshed,
  tokenRejected,
} from '../../src/lib/core/token-lease.js';

const CREDENTIALS = 'credentials';
const HOUR = 3_600_000;
const THROTTLED: RefreshFailure = { kind: 'throttled', code: 'OAUTH_THROTTLED', retryAfterMs: null };
const AWAY: RefreshFailure = { kind: 'outage', code: 'ECONNREFUSED', answered: false };
const WRONG: RefreshFailure = { kind: 'permanent', code: 'invalid_client', message: 'No.' };

const request = (holder: string, credentialsId = CREDENTIALS) => ({ credentialsId, holder, leaseMs: 35_000 });
const plan = (state: TokenState | null, holder: string, nowMs: number) => planToken(state, request(holder), nowMs);

function leased(state: TokenState | null, holder: string, nowMs: number): TokenState {
  const planned = plan(state, holder, nowMs);
  if (planned.kind !== 'refresh') throw new Error(`${holder} got no lease but ${planned.kind}`);
  return planned.next;
}

function granted(state: TokenState | null, askedAtMs: number, accessToken = 'token-1', lifeMs = HOUR): TokenState {
  const next = tokenRefreshed(state, CREDENTIALS, { accessToken, apiDomain: 'https://api', lifeMs }, askedAtMs);
  if (next === undefined) throw new Error('The token was not taken.');
  return next;
}

function failedBy(holder: string, state: TokenState, failure: RefreshFailure, nowMs: number, random = 0): TokenState {
  const next = refreshFailed(state, request(holder), failure, nowMs, random);
  if (next === undefined) throw new Error('The failure was not taken.');
  return next;
}

describe('who refreshes', () => {
  test('the first to ask takes the lease, the others wait for its end', () => {
    const state = leased(null, 'a', 1_000);
    expect(plan(state, 'b', 2_000)).toEqual({ kind: 'wait', waitMs: 34_000 });
  });

  test('a lease holds for as long as its own worker asked, also before one that asks for less', () => {
    const state = leased(null, 'a', 0);
    expect(planToken(state, { ...request('b'), leaseMs: 5_000 }, 1_000)).toEqual({ kind: 'wait', waitMs: 34_000 });
    expect(planToken(state, request('b'), -HOUR)).toMatchObject({ kind: 'refresh', next: { lease: { holder: 'b' } } });
  });

  test('the lease of a killed worker ends, and another takes it', () => {
    const state = leased(null, 'a', 0);
    expect(plan(state, 'b', 35_000)).toMatchObject({ kind: 'refresh', next: { lease: { holder: 'b' } } });
  });

  test('a good token is used until a minute before its end', () => {
    const state = granted(null, 0);
    expect(plan(state, 'a', 0)).toMatchObject({ kind: 'use', lookAgainMs: HOUR - 60_000 });
    expect(plan(state, 'a', HOUR - 60_001)).toMatchObject({ kind: 'use', lookAgainMs: 1 });
    expect(plan(state, 'a', HOUR - 60_000)).toMatchObject({ kind: 'refresh', usable: { accessToken: 'token-1' } });
  });

  test('a short-lived token is refreshed after 90% of its life', () => {
    const state = granted(null, 0, 'token-1', 10_000);
    expect(plan(state, 'a', 8_999).kind).toBe('use');
    expect(plan(state, 'a', 9_000).kind).toBe('refresh');
  });

  test('while one refreshes, the others go on with the old token until it ends', () => {
    const state = leased(granted(null, 0), 'a', HOUR - 30_000);
    expect(plan(state, 'b', HOUR - 29_000)).toMatchObject({ kind: 'use', lookAgainMs: 1_000 });
    expect(plan(state, 'b', HOUR - 400)).toMatchObject({ kind: 'use', lookAgainMs: 400 });
    expect(plan(state, 'b', HOUR).kind).toBe('wait');
  });

  test('after a refresh the lease is gone and the new token serves', () => {
    const state = granted(leased(granted(null, 0), 'a', HOUR), HOUR, 'token-2');
    expect(state.lease).toBeNull();
    expect(plan(state, 'b', HOUR + 1)).toMatchObject({ kind: 'use', token: { accessToken: 'token-2' } });
  });

  test('a late answer does not replace a newer token', () => {
    const state = granted(null, 2_000, 'token-2');
    expect(
      tokenRefreshed(state, CREDENTIALS, { accessToken: 'token-1', apiDomain: 'x', lifeMs: HOUR }, 1_000),
    ).toBeUndefined();
  });

  test('a token of other credentials counts as none, and neither does their failure', () => {
    const state = failedBy('a', leased(granted(null, 0), 'a', HOUR - 1), WRONG, HOUR - 1);
    expect(planToken(state, request('b', 'others'), HOUR - 1)).toMatchObject({ kind: 'refresh', usable: null });
  });
});

describe('failed refreshes', () => {
  test.each([0, 0.999])('throttled: nobody asks for at least ten minutes (random %d)', (random) => {
    const state = failedBy('a', leased(null, 'a', 0), THROTTLED, 0, random);
    expect(plan(state, 'b', 599_999)).toMatchObject({ kind: 'failed', failure: { kind: 'throttled' } });
    expect(plan(state, 'b', 721_000).kind).toBe('refresh');
  });

  test('throttled again: the wait doubles, up to an hour', () => {
    let state = leased(null, 'a', 0);
    const waits: number[] = [];
    for (let nowMs = 0; waits.length < 5; ) {
      state = failedBy('a', state, THROTTLED, nowMs);
      waits.push(state.notBeforeMs - nowMs);
      nowMs = state.notBeforeMs;
      state = leased(state, 'a', nowMs);
    }
    expect(waits).toEqual([600_000, 1_200_000, 2_400_000, HOUR, HOUR]);
  });

  test('a longer wait that the server asks for is respected', () => {
    const state = failedBy('a', leased(null, 'a', 0), { ...THROTTLED, retryAfterMs: 2 * HOUR }, 0);
    expect(state.notBeforeMs).toBe(2 * HOUR);
  });

  test('a token that is still good serves while refreshes are throttled', () => {
    const state = failedBy('a', leased(granted(null, 0), 'a', HOUR - 50_000), THROTTLED, HOUR - 50_000);
    expect(plan(state, 'b', HOUR - 1)).toMatchObject({ kind: 'use', lookAgainMs: 1 });
    expect(plan(state, 'b', HOUR)).toMatchObject({ kind: 'failed' });
  });

  test('an outage is asked about again within seconds, a permanent failure after ten', () => {
    const outage = failedBy('a', leased(null, 'a', 0), AWAY, 0);
    const permanent = failedBy('a', leased(null, 'a', 0), WRONG, 0);
    expect(outage.notBeforeMs).toBeLessThanOrEqual(5_000);
    expect(plan(permanent, 'b', 9_999)).toMatchObject({ kind: 'failed', failure: { code: 'invalid_client' } });
    expect(plan(permanent, 'b', 10_000).kind).toBe('refresh');
  });

  test('answers nobody can read are asked for ever less often', () => {
    let state = leased(null, 'a', 0);
    let nowMs = 0;
    for (let times = 0; times < 12; times++) {
      state = failedBy('a', state, { ...AWAY, answered: true }, nowMs, 0.999);
      nowMs = state.notBeforeMs;
      state = leased(state, 'a', nowMs);
    }
    expect(failedBy('a', state, { ...AWAY, answered: true }, nowMs, 0.999).notBeforeMs - nowMs).toBeGreaterThan(
      500_000,
    );
  });

  test('the failure of a lease that ended changes nothing', () => {
    const state = leased(leased(null, 'a', 0), 'b', 35_000);
    expect(refreshFailed(state, request('a'), WRONG, 36_000, 0)).toBeUndefined();
  });
});

describe('refused tokens', () => {
  test('only the current token is thrown away, and only once', () => {
    const state = granted(null, 0, 'token-2');
    expect(tokenRejected(state, 'token-1', 1)).toBeUndefined();
    const rejected = tokenRejected(state, 'token-2', 1);
    expect(rejected?.token).toBeNull();
    expect(tokenRejected(rejected ?? null, 'token-2', 2)).toBeUndefined();
  });

  test('the API domain outlives the token', () => {
    expect(tokenRejected(granted(null, 0), 'token-1', 1)?.apiDomain).toBe('https://api');
  });

  test('refusals of one token after the other do not use up the ten tokens of ten minutes', () => {
    let state = granted(null, 0, 'token-0');
    let tokens = 1;
    for (let nowMs = 0; nowMs < 600_000; nowMs += 1_000) {
      state = tokenRejected(state, state.token?.accessToken ?? '', nowMs) ?? state;
      const planned = plan(state, `worker-${nowMs}`, nowMs);
      if (planned.kind === 'refresh') state = granted(planned.next, nowMs, `token-${tokens++}`);
    }
    expect(tokens).toBeLessThan(10);
    expect(plan(state, 'a', 600_001).kind).toBe('refresh');
  });
});

test('whatever happens, at most one lease is alive and a throttled fleet is silent for ten minutes', () => {
  const step = fc.record({
    holder: fc.constantFrom('a', 'b', 'c'),
    act: fc.constantFrom('plan', 'grant', 'throttle', 'away', 'wrong', 'reject'),
    afterMs: fc.nat({ max: 120_000 }),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let state = null as TokenState | null;
      let nowMs = 0;
      let silentUntilMs = 0;
      for (const { holder, act, afterMs, random } of steps) {
        nowMs += afterMs;
        if (act === 'plan') {
          const before = state?.lease ?? null;
          const planned = plan(state, holder, nowMs);
          if (planned.kind === 'refresh') {
            expect(nowMs).toBeGreaterThanOrEqual(silentUntilMs);
            if (before !== null && before.holder !== holder) expect(before.untilMs).toBeLessThanOrEqual(nowMs);
            state = planned.next;
          }
        } else if (act === 'reject') {
          state = tokenRejected(state, state?.token?.accessToken ?? '', nowMs) ?? state;
        } else if (state?.lease?.holder === holder) {
          if (act === 'grant') {
            state = granted(state, nowMs, `token-${nowMs}`);
            silentUntilMs = 0;
          } else {
            const failure = act === 'throttle' ? THROTTLED : act === 'away' ? AWAY : WRONG;
            state = failedBy(holder, state, failure, nowMs, random);
            if (act === 'throttle') silentUntilMs = nowMs + 600_000;
          }
        }
      }
    }),
  );
});
