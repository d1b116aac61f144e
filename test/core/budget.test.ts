import { expect, test } from '@jest/globals';
import { budgetLeft, budgetSet, reserveAfter, reserveLeft } from '../../src/lib/core/budget.js';
import { type Control, decisionsKept, INITIAL_CONTROL, isOlder, resumed, stopped } from '../../src/lib/core/control.js';
import { nextTryMs } from '../../src/lib/core/next-try.js';
import { reserveForgotten, reserveTold, spentOut } from '../../src/lib/core/spent-out.js';

const budget = budgetSet(undefined, 10, 100);
const reserve = reserveAfter(50, { spent: 100, open: 3, held: 2 }, 1_000);
const control: Control = { ...INITIAL_CONTROL, epoch: 4, budget, reserve };
const STOP = { code: 'RESERVE_REACHED', message: '', sinceMs: 500, key: null, line: null };

test('a budget counts from where it is set, and none is no limit', () => {
  expect(budget).toEqual({ revision: 1, rows: 10, ceiling: 110 });
  expect([100, 109, 110, 111].map((spent) => budgetLeft(budget, spent))).toEqual([10, 1, 0, 0]);
  expect(budgetLeft(budgetSet(budget, null, 100), 100)).toBeNull();
  expect(budgetLeft(undefined, 100)).toBeNull();
});

test('rows whose answer was not known when Zoho was asked are taken off what it says is left', () => {
  expect(reserve).toEqual({ ceiling: 145, spent: 100, quiet: false, askedAtMs: 1_000 });
  expect(reserveLeft(reserve, 40, 100)).toBe(5);
  expect(reserveLeft(reserve, 60, 100)).toBe(0);
  expect(reserveAfter(50, { spent: 100, open: 0, held: 2 }, 1_000).quiet).toBe(true);
});

test('a row that found nothing left stops the fleet, unless somebody has given more since', () => {
  const out = spentOut(control, control, 'budget', 0, 9_000);
  expect(out).toMatchObject({ mode: 'stopped', epoch: 5, budget, reserve, stop: { code: 'BUDGET_SPENT' } });
  expect(out.stop?.message).toContain('10 rows');
  const raised = { ...control, budget: budgetSet(budget, 5, 110) };
  expect(spentOut(raised, control, 'budget', 0, 9_000)).toBe(raised);
  const told = { ...control, reserve: { ...reserve, askedAtMs: 2_000 } };
  expect(spentOut(told, control, 'reserve', 500, 9_000)).toBe(told);
  expect(spentOut(control, control, 'reserve', 500, 9_000).stop).toMatchObject({
    code: 'RESERVE_REACHED',
    message: expect.stringContaining('ZIA_KEEP_ALLOWANCE=500'),
  });
  expect(spentOut({ ...control, epoch: 5 }, control, 'budget', 0, 9_000)).toMatchObject({ mode: 'running' });
});

test('an answer that is older than the one known changes nothing, unless the clock was set back', () => {
  const older = { ...reserve, askedAtMs: 900 };
  expect(reserveTold(control, older, 2_000)).toBe(control);
  expect(reserveTold(control, older, 950).reserve).toBe(older);
});

test('a resume forgets what Zoho said of the allowance, and keeps the budget', () => {
  const lifted = resumed(stopped(control, STOP));
  expect(lifted).toMatchObject({ mode: 'canary', budget });
  expect(lifted.reserve).toBeUndefined();
  expect(reserveForgotten(lifted)).toBe(lifted);
});

test('a store that has lost the budget gets it back from who knows it, and an older one with it', () => {
  expect(isOlder(INITIAL_CONTROL, { ...INITIAL_CONTROL, budget })).toBe(true);
  expect(isOlder(control, control)).toBe(false);
  expect(decisionsKept(INITIAL_CONTROL, control)).toMatchObject({ mode: 'running', budget });
  const removed = { ...control, budget: budgetSet(budget, null, 0) };
  expect(decisionsKept(removed, control)).toBe(removed);
  const paused = stopped(control, { ...STOP, code: 'PAUSED' });
  expect(decisionsKept({ ...INITIAL_CONTROL, budget: removed.budget }, paused)).toMatchObject({
    mode: 'stopped',
    budget: removed.budget,
  });
});

test('after RESERVE_REACHED Zoho is asked again so long after its latest answer', () => {
  expect(nextTryMs(stopped(control, STOP), 100)).toBe(1_100);
  expect(nextTryMs({ ...stopped(control, STOP), reserve: { ...reserve, askedAtMs: 200 } }, 100)).toBe(600);
  expect(nextTryMs(stopped(control, { ...STOP, code: 'BUDGET_SPENT' }), 100)).toBeNull();
});
