import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterAnswer, type FleetCall, type FleetEvent, type FleetPolicy } from '../../src/lib/core/after-answer.js';
import { canaryTaken } from '../../src/lib/core/canary.js';
import {
  type Control,
  decisionsKept,
  fieldsChosen,
  INITIAL_CONTROL,
  mayWork,
  resumed,
  stopped,
} from '../../src/lib/core/control.js';

const POLICY: FleetPolicy = { maxInFlight: 8, backoff: { baseMs: 1_000, capMs: 60_000 } };
const NOW = 1_000_000;
const LEASE_MS = 10_000;

const call = (over: Partial<FleetCall> = {}): FleetCall => ({
  epoch: 0,
  callId: 'w.1',
  key: 'r1a',
  line: 7,
  sentAtMs: NOW,
  ...over,
});

const after = (control: Control, event: FleetEvent, over: Partial<FleetCall> = {}, nowMs = NOW): Control =>
  afterAnswer(control, event, call({ epoch: control.epoch, ...over }), POLICY, nowMs, 0.5);

const QUOTA: FleetEvent = { kind: 'stop', code: 'LIMIT_EXCEEDED', message: 'spent' };
const OUTAGE: FleetEvent = { kind: 'outage', code: 'ECONNREFUSED' };
const ACCEPTED: FleetEvent = { kind: 'accepted' };
const THROTTLED: FleetEvent = { kind: 'throttled', code: 'TOO_MANY_REQUESTS', retryAfterMs: null };

const stoppedByQuota = after(INITIAL_CONTROL, QUOTA);
const canary = resumed(stoppedByQuota);
const probed = canaryTaken(canary, canary, { key: 'r1a', callId: 'w.1' }, NOW, LEASE_MS);

describe('fields that the fleet goes without', () => {
  const withoutEmail = fieldsChosen(INITIAL_CONTROL, { without: ['email'], with: [] });

  test('are chosen for good, in a new epoch, and survive stops and resumes', () => {
    expect(withoutEmail).toMatchObject({ without: ['email'], epoch: 1 });
    expect(resumed(after(withoutEmail, QUOTA))).toMatchObject({ without: ['email'], epoch: 3 });
    expect(fieldsChosen(withoutEmail, { without: ['name'], with: [] }).without).toEqual(['name', 'email']);
    expect(fieldsChosen(withoutEmail, { without: [], with: ['email'] })).toMatchObject({ without: [], epoch: 2 });
  });

  test('are left as they are by a choice that changes nothing', () => {
    expect(fieldsChosen(withoutEmail, { without: ['email'], with: ['name'] })).toBe(withoutEmail);
    expect(fieldsChosen(INITIAL_CONTROL, { without: [], with: [] })).toBe(INITIAL_CONTROL);
  });
});

describe('a store that went back in time', () => {
  test('is told of a stop, which only a person lifts, and of the fields to go without', () => {
    expect(decisionsKept(INITIAL_CONTROL, stoppedByQuota)).toBe(stoppedByQuota);
    const chosen = fieldsChosen(INITIAL_CONTROL, { without: ['email'], with: [] });
    expect(decisionsKept(INITIAL_CONTROL, chosen)).toMatchObject({ mode: 'running', epoch: 1, without: ['email'] });
  });

  test('is believed in everything else', () => {
    expect(decisionsKept(INITIAL_CONTROL, canary)).toBe(INITIAL_CONTROL);
    expect(decisionsKept(canary, stoppedByQuota)).toBe(canary);
  });
});

describe('refused record ids', () => {
  const REFUSED: FleetEvent = { kind: 'row-refused', isRecordId: true, code: 'INVALID_DATA' };
  const often = (times: number, from = INITIAL_CONTROL) =>
    Array.from({ length: times }).reduce<Control>((control) => after(control, REFUSED), from);

  test('stop the fleet when there are ten in a row', () => {
    expect(often(9).mode).toBe('running');
    expect(often(10)).toMatchObject({ mode: 'stopped', stop: { code: 'RECORD_IDS_REFUSED', key: 'r1a' } });
  });

  test('are counted anew after a success, and not by other refusals', () => {
    expect(often(9, after(often(9), ACCEPTED)).mode).toBe('running');
    const other = after(often(9), { kind: 'row-refused', isRecordId: false, code: 'INVALID_DATA' });
    expect(other.mode).toBe('running');
    expect(often(1, other).mode).toBe('stopped');
  });
});

describe('the stop', () => {
  test('halts the fleet with code, row, line and time, in a new epoch', () => {
    expect(stoppedByQuota).toMatchObject({
      mode: 'stopped',
      epoch: 1,
      stop: { code: 'LIMIT_EXCEEDED', message: 'spent', key: 'r1a', line: 7, sinceMs: NOW },
    });
    expect(mayWork(stoppedByQuota, NOW)).toBe(false);
  });

  test('keeps its first reason when more answers of the same kind arrive', () => {
    expect(after(stoppedByQuota, { kind: 'stop', code: 'NO_PERMISSION', message: 'x' }, { epoch: 1 })).toBe(
      stoppedByQuota,
    );
    expect(stopped(stoppedByQuota, { code: 'PAUSED', message: '', sinceMs: NOW, key: null, line: null })).toBe(
      stoppedByQuota,
    );
  });

  test.each([QUOTA, OUTAGE, ACCEPTED, THROTTLED])('ignores a late answer of an older epoch: $kind', (event) => {
    expect(after(probed, event, { epoch: 0 })).toBe(probed);
  });

  test('is not lifted by a row that Zoho accepted just before it', () => {
    expect(after(stoppedByQuota, ACCEPTED, { epoch: 1 })).toBe(stoppedByQuota);
  });
});

describe('the canary after a resume', () => {
  test('opens in a new epoch and lets nobody else work once it is taken', () => {
    expect(canary).toMatchObject({ mode: 'canary', epoch: 2, canary: { cause: 'resume', key: null, passes: 0 } });
    expect(mayWork(canary, NOW)).toBe(true);
    expect(mayWork(probed, NOW)).toBe(false);
  });

  test('goes to one worker only when two saw it open', () => {
    expect(canaryTaken(probed, canary, { key: 'r1b', callId: 'v.1' }, NOW, LEASE_MS)).toBe(probed);
  });

  test('releases the fleet when Zoho accepts its row', () => {
    expect(after(probed, ACCEPTED)).toMatchObject({ mode: 'running', epoch: 2, stop: null, canary: null });
  });

  test('stops the fleet again when the quota is still spent', () => {
    expect(after(probed, QUOTA)).toMatchObject({ mode: 'stopped', epoch: 3, stop: { code: 'LIMIT_EXCEEDED' } });
  });

  test.each<FleetEvent>([
    { kind: 'row-refused', isRecordId: false, code: 'INVALID_DATA' },
    OUTAGE,
    { kind: 'unreadable', code: 'UNREADABLE' },
    { kind: 'unknown', code: 'ODD' },
  ])('is passed on at most five times, then the fleet stops again: $kind', (event) => {
    let control = canary;
    for (let pass = 1; pass <= 5; pass++) {
      control = canaryTaken(control, control, { key: `r1${pass}`, callId: `w.${pass}` }, NOW, LEASE_MS);
      control = after(control, event, { callId: `w.${pass}` });
      if (control.mode === 'stopped') break;
      expect(control).toMatchObject({ mode: 'canary', canary: { key: null, passes: pass } });
    }
    control = canaryTaken(control, control, { key: 'r16', callId: 'w.6' }, NOW, LEASE_MS);
    control = after(control, event, { callId: 'w.6' });
    expect(control.mode).toBe('stopped');
  });

  test('is handed back uncounted when nothing was sent', () => {
    expect(after(probed, { kind: 'unsent' })).toMatchObject({ mode: 'canary', canary: { key: null, passes: 0 } });
  });

  test('is handed on and counted when its worker died', () => {
    const next = canaryTaken(probed, probed, { key: 'r1b', callId: 'v.1' }, NOW, LEASE_MS);
    expect(next.canary).toMatchObject({ key: 'r1b', callId: 'v.1', passes: 1 });
  });

  test('may be asked about again when its lease to be admitted is over', () => {
    expect(mayWork(probed, NOW + 60_000)).toBe(true);
  });
});

describe('the outage breaker', () => {
  const open = [1, 2, 3].reduce((control) => after(control, OUTAGE), INITIAL_CONTROL);

  test('opens after three outages in a row and holds the whole fleet', () => {
    expect(open).toMatchObject({ mode: 'canary', backoffReason: 'outage', canary: { cause: 'outage', key: null } });
    expect(open.backoffUntilMs).toBeGreaterThan(NOW);
    expect(mayWork(open, NOW)).toBe(false);
    expect(mayWork(open, open.backoffUntilMs)).toBe(true);
  });

  test('stays closed when an accepted row lies between', () => {
    const two = [1, 2].reduce((control) => after(control, OUTAGE), INITIAL_CONTROL);
    expect(after(after(two, ACCEPTED), OUTAGE)).toMatchObject({ mode: 'running', streaks: { outage: 1 } });
  });

  test('ignores the other calls that were under way when it opened', () => {
    expect(after(open, OUTAGE, { callId: 'other' })).toBe(open);
  });

  test('waits longer after each failed canary, never beyond the cap, and never stops the fleet', () => {
    let control = open;
    let wait = control.backoffUntilMs - NOW;
    for (let round = 0; round < 50; round++) {
      const now = control.backoffUntilMs;
      control = canaryTaken(control, control, { key: 'k', callId: `p${round}` }, now, LEASE_MS);
      control = after(control, OUTAGE, { callId: `p${round}`, sentAtMs: now }, now);
      const next = control.backoffUntilMs - now;
      expect(control.mode).toBe('canary');
      expect(next).toBeGreaterThanOrEqual(Math.min(wait, POLICY.backoff.capMs / 2));
      expect(next).toBeLessThanOrEqual(POLICY.backoff.capMs);
      wait = next;
    }
  });

  test.each<FleetEvent>([ACCEPTED, { kind: 'row-refused', isRecordId: false, code: 'INVALID_DATA' }])(
    'closes when Zoho answers at all: $kind',
    (event) => {
      const taken = canaryTaken(open, open, { key: 'k', callId: 'p' }, NOW, LEASE_MS);
      expect(after(taken, event, { callId: 'p' })).toMatchObject({
        mode: 'running',
        canary: null,
        backoffUntilMs: 0,
        streaks: { outage: 0 },
      });
    },
  );
});

describe('throttling', () => {
  test('holds the fleet, halves its calls in flight, and counts one throttle once', () => {
    const held = after(INITIAL_CONTROL, THROTTLED, { sentAtMs: NOW - 10 });
    expect(held).toMatchObject({
      mode: 'running',
      backoffReason: 'throttled',
      maxInFlight: 4,
      streaks: { throttled: 1 },
    });
    expect(after(held, THROTTLED, { sentAtMs: NOW - 5 }, NOW + 1)).toBe(held);
  });

  test('respects a longer Retry-After, also one that comes with a later answer', () => {
    const held = after(INITIAL_CONTROL, { ...THROTTLED, retryAfterMs: 30_000 }, { sentAtMs: NOW - 10 });
    expect(held.backoffUntilMs).toBe(NOW + 30_000);
    expect(after(held, { ...THROTTLED, retryAfterMs: 60_000 }, { sentAtMs: NOW - 5 }).backoffUntilMs).toBe(
      NOW + 60_000,
    );
  });

  test('is not lifted by the yes to a call that left before it', () => {
    const held = after(INITIAL_CONTROL, THROTTLED, { sentAtMs: NOW - 10 });
    expect(after(held, ACCEPTED, { sentAtMs: NOW - 5 })).toBe(held);
  });

  test('is neither lifted nor counted again by a call that was admitted while it was being written down', () => {
    const held = after(INITIAL_CONTROL, { ...THROTTLED, retryAfterMs: 2_000 }, { sentAtMs: NOW - 10 });
    const between = { sentAtMs: NOW + 20 };
    expect(after(held, ACCEPTED, between, NOW + 50)).toBe(held);
    expect(after(held, THROTTLED, between, NOW + 50)).toBe(held);
    expect(after(held, ACCEPTED, { sentAtMs: held.backoffUntilMs }, held.backoffUntilMs + 10).backoffReason).toBeNull();
  });

  test('gives no call in flight back for the time in which nobody sent', () => {
    const held = after(INITIAL_CONTROL, { ...THROTTLED, retryAfterMs: 60_000 });
    const at = held.backoffUntilMs + 10;
    expect(after(held, ACCEPTED, { sentAtMs: at }, at)).toMatchObject({ maxInFlight: 4, backoffReason: null });
  });

  test('gives one call in flight back at a time until the configured number is reached', () => {
    let control = after(INITIAL_CONTROL, THROTTLED);
    const seen: (number | null)[] = [];
    for (let now = control.backoffUntilMs; control.maxInFlight !== null; now += 500) {
      control = after(control, ACCEPTED, { sentAtMs: now }, now);
      if (seen.at(-1) !== control.maxInFlight) seen.push(control.maxInFlight);
    }
    expect(seen).toEqual([4, 5, 6, 7, null]);
  });
});

describe('answers nobody knows', () => {
  test('three unknown 4xx in a row stop the fleet, an accepted row between does not', () => {
    const odd: FleetEvent = { kind: 'unknown', code: 'ODD' };
    const two = after(after(INITIAL_CONTROL, odd), odd);
    expect(after(two, odd)).toMatchObject({ mode: 'stopped', stop: { code: 'UNKNOWN_ANSWERS' } });
    expect(after(after(two, ACCEPTED), odd).mode).toBe('running');
  });

  test('two unreadable 2xx in a row stop the fleet', () => {
    const odd: FleetEvent = { kind: 'unreadable', code: 'UNREADABLE' };
    expect(after(after(INITIAL_CONTROL, odd), odd)).toMatchObject({
      mode: 'stopped',
      stop: { code: 'UNREADABLE_ANSWERS' },
    });
  });
});

test('whatever answers come, a stop is left only by a resume and the epoch never goes back', () => {
  const event = fc.constantFrom<FleetEvent>(
    QUOTA,
    OUTAGE,
    ACCEPTED,
    THROTTLED,
    { kind: 'unsent' },
    { kind: 'row-refused', isRecordId: false, code: 'X' },
    { kind: 'unknown', code: 'X' },
    { kind: 'unreadable', code: 'X' },
  );
  const step = fc.record({ event, age: fc.nat(2), canary: fc.boolean(), resume: fc.boolean(), take: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let control = INITIAL_CONTROL;
      for (const [index, { event, age, canary, resume, take }] of steps.entries()) {
        const before = control;
        if (take) control = canaryTaken(control, control, { key: `k${index}`, callId: `c${index}` }, NOW, LEASE_MS);
        control = after(control, event, {
          epoch: control.epoch - age,
          callId: canary ? (control.canary?.callId ?? '-') : '-',
        });
        expect(control.epoch).toBeGreaterThanOrEqual(before.epoch);
        if (before.mode === 'stopped') expect(control).toBe(before);
        expect(control.mode === 'stopped').toBe(control.stop !== null && control.canary === null);
        expect(control.mode === 'canary').toBe(control.canary !== null);
        if (resume) control = resumed(control);
      }
    }),
    { seed: 1 },
  );
});
