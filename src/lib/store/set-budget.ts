import { budgetLeft, budgetSet } from '../core/budget.js';
import { type Control, INITIAL_CONTROL } from '../core/control.js';
import { changeControl } from './change-control.js';
import type { Spending, Store } from './store.js';

/** The fleet's budget at one moment. */
export interface BudgetFigures {
  /** Rows that may still be submitted. */
  readonly left: number;
  /** As it was set. */
  readonly rows: number;
}

export interface BudgetState {
  /** Null without one. */
  readonly budget: BudgetFigures | null;
  readonly control: Control;
  readonly storeNowMs: number;
}

type BudgetStore = Pick<Store, 'control' | 'spending'>;

/**
 * Sets how many more rows the fleet may submit from now on, in place of what was set before; null removes it. A stop stays as
 * it is. Rows that are under way are not part of it. Setting the same again begins anew.
 */
export async function setBudget(store: BudgetStore, rows: number | null): Promise<BudgetState> {
  const { spent } = await store.spending();
  const { control } = await changeControl(store.control, (before) => ({
    ...before,
    budget: budgetSet(before.budget, rows, spent),
  }));
  return stateOf(control, await store.spending());
}

export async function readBudget(store: BudgetStore): Promise<BudgetState> {
  const [{ value }, spending] = await Promise.all([store.control.read(), store.spending()]);
  return stateOf(value, spending);
}

function stateOf(value: Control | null, { spent, nowMs }: Spending): BudgetState {
  const control = value ?? INITIAL_CONTROL;
  return { budget: budgetFigures(control, spent), control, storeNowMs: nowMs };
}

/** Null without a budget. */
export function budgetFigures({ budget }: Pick<Control, 'budget'>, spent: number): BudgetFigures | null {
  const left = budgetLeft(budget, spent);
  return left === null ? null : { left, rows: budget?.rows ?? 0 };
}
