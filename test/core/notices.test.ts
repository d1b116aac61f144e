import { describe, expect, test } from '@jest/globals';
import { INITIAL_CONTROL, paused, resumed, stopped } from '../../src/lib/core/control.js';
import { nextTryMs } from '../../src/lib/core/next-try.js';
import { afterNotice, dueEvent, type FleetSnapshot, firstNotices, type Notices } from '../../src/lib/core/notices.js';

const LIMIT = { code: 'LIMIT_EXCEEDED', message: 'The allowance is used up.', sinceMs: 1_000, key: 'r1', line: 7 };
const RUNNING: FleetSnapshot = { control: INITIAL_CONTROL, rowsToSend: 5, rowsToFinish: 0, held: 0, through: 0 };
const STOPPED = stopped(INITIAL_CONTROL, LIMIT);
const IDLE = { ...RUNNING, rowsToSend: 0, through: 5 };

/** The events told on the way through these pictures, one look each. */
function told(pictures: readonly FleetSnapshot[], start: Notices = firstNotices(RUNNING)) {
  const events: (string | null)[] = [];
  let notices = start;
  for (const picture of pictures) {
    const event = dueEvent(notices, picture);
    events.push(event);
    notices = afterNotice(notices, picture, event);
  }
  return events;
}

describe('an event is told once', () => {
  const at = (control: FleetSnapshot['control']) => ({ ...RUNNING, control });

  test('a stop, its resume and the end of all work', () => {
    const canary = resumed(STOPPED);
    const pictures = [
      RUNNING,
      at(STOPPED),
      at(STOPPED),
      at(canary),
      { ...RUNNING, control: { ...INITIAL_CONTROL, epoch: 2 } },
      IDLE,
      IDLE,
    ];
    expect(told(pictures)).toEqual([null, 'stopped', null, null, 'resumed', 'idle', null]);
  });

  test('a stop that comes back after a person resumed is a new event', () => {
    expect(told([at(STOPPED), at(resumed(STOPPED)), at(stopped(resumed(STOPPED), LIMIT))])).toEqual([
      'stopped',
      null,
      'stopped',
    ]);
  });

  test('a stop that its own try only renews is none, however often', () => {
    let notices = firstNotices(RUNNING);
    let control = STOPPED;
    const events: (string | null)[] = [];
    for (let tries = 0; tries < 4; tries++) {
      const event = dueEvent(notices, at(control));
      events.push(event);
      notices = { ...afterNotice(notices, at(control), event), renewingEpoch: control.epoch + 2 };
      control = stopped(resumed(control), { ...LIMIT, sinceMs: LIMIT.sinceMs + tries });
    }
    expect(events).toEqual(['stopped', null, null, null]);
    const other = stopped(resumed(control), { ...LIMIT, code: 'NO_PERMISSION' });
    expect(dueEvent({ ...notices, renewingEpoch: other.epoch }, at(other))).toBe('stopped');
  });

  test('held rows when they become more, work when it ends anew', () => {
    expect(
      told([
        { ...RUNNING, held: 2 },
        { ...RUNNING, held: 2 },
        { ...RUNNING, held: 1 },
        { ...RUNNING, held: 2 },
      ]),
    ).toEqual(['held', null, null, 'held']);
    const again = { ...RUNNING, through: 5 };
    expect(told([IDLE, again, IDLE, { ...IDLE, through: 6 }])).toEqual(['idle', null, null, 'idle']);
    // Two rows are erased, and one more goes through.
    const fewer = { ...RUNNING, through: 3 };
    expect(told([IDLE, fewer, { ...IDLE, through: 4 }])).toEqual(['idle', null, 'idle']);
    expect(told([{ ...IDLE, rowsToFinish: 1 }])).toEqual([null]);
  });
});

test('a pause takes the place of any stop, keeps its reason, and is tried by nobody', () => {
  const pausedNow = paused(STOPPED, 'Paused by hand.', 9_000);
  expect(pausedNow).toMatchObject({ mode: 'stopped', epoch: STOPPED.epoch + 1, stop: { code: 'PAUSED' } });
  expect(pausedNow.stop?.message).toContain('LIMIT_EXCEEDED');
  expect(paused(pausedNow, 'Again.', 10_000)).toBe(pausedNow);
  expect(nextTryMs(STOPPED, 3_600)).toBe(LIMIT.sinceMs + 3_600);
  expect(nextTryMs(STOPPED, 0)).toBeNull();
  expect(nextTryMs(pausedNow, 3_600)).toBeNull();
  expect(nextTryMs(resumed(STOPPED), 3_600)).toBeNull();
});
