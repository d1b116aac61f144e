import { type Command, InvalidArgumentError } from 'commander';
import { type BudgetFigures, readBudget, setBudget } from '../lib/store/set-budget.js';
import { budgetLine } from './allowance-line.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { engineFlag, example, jsonFlag, wholeNumber } from './options.js';
import { SEE_STATUS, type Session, withSession } from './session.js';
import { printResult } from './terminal.js';

interface Flags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `budget`: how many more rows the fleet may submit before it stops by itself. */
export function define(command: Command): Run {
  let wanted: number | null | undefined;
  command
    .argument('[rows]', 'from now on, so many more rows; off removes the budget', (text) => {
      wanted = rowsOrOff(text);
      return text;
    })
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm run budget', 'npm run budget 2000', 'npm run budget off');
  return () =>
    withSession({ engine: command.opts<Flags>().engine, kind: 'question', interrupted: SEE_STATUS }, (session) =>
      show(session, wanted, command.opts()),
    );
}

function rowsOrOff(text: string): number | null {
  if (text === 'off') return null;
  try {
    return wholeNumber(0)(text);
  } catch {
    throw new InvalidArgumentError('Expected a whole number of rows, or off.');
  }
}

/** `wanted`: undefined only shows it. */
async function show({ engine }: Session, wanted: number | null | undefined, { json = false }: Flags): Promise<number> {
  const { store } = engine;
  const { budget, control } = wanted === undefined ? await readBudget(store) : await setBudget(store, wanted);
  const stop = control.mode === 'stopped' ? (control.stop?.code ?? null) : null;
  printResult(json, { budget, stop }, () => text(budget, stop));
  return EXIT.done;
}

function text(budget: BudgetFigures | null, stop: string | null): string {
  const none = 'Budget: none; rows are submitted until the allowance is spent.';
  const stillStopped = stop === null ? [] : [`The queue is stopped (${stop}); \`npm run resume\` goes on.`];
  return [budget === null ? none : budgetLine(budget), ...stillStopped].join('\n');
}
