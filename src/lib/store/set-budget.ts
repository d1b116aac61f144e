import { budgetLeft, budgetSet } from '../core/budget.js';
import { type Control, INITIAL_CONTROL } from '../core/control.js';
import type { Store } from './store.js';

/** The fleet's budget at one moment; both numbers are null without one. */
export interface BudgetState {
  /** As it was set. */
  readonly rows: number | null;
  /** Rows that may still be submitted. */
  readonly left: number | null;
  readonly control: Control;
}

type BudgetStore = Pick<Store, 'control' | 'spending'>;

/**
 * Sets how many more rows the fleet may submit from now on, in place of what was set before; null removes it. A stop stays as
 * it is. Rows that are under way are not part of it. Setting the same again begins anew.
 */
export async function setBudget(store: BudgetStore, rows: number | null): Promise<BudgetState> {
  const { spent } = await store.spending();
  const { value } = await store.control.change((control) => {
    const before = control ?? INITIAL_CONTROL;
    return { ...before, budget: budgetSet(before.budget, rows, spent) };
  });
  return stateOf(value ?? INITIAL_CONTROL, (await store.spending()).spent);
}

export async function readBudget(store: BudgetStore): Promise<BudgetState> {
  const [{ value }, { spent }] = await Promise.all([store.control.read(), store.spending()]);
  return stateOf(value ?? INITIAL_CONTROL, spent);
}

function stateOf(control: Control, spent: number): BudgetState {
  return { rows: control.budget?.rows ?? null, left: budgetLeft(control.budget, spent), control };
}
