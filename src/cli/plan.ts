import type { Command } from 'commander';
import { checkText } from '../producers/check-text.js';
import { planFile } from '../producers/plan-file.js';
import { type Plan, planLine, planWithin, recordIdLine } from '../producers/plan-within.js';
import { allowanceLine, budgetLine } from './allowance-line.js';
import { currentAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, readingOf, stdinOf, typedPath } from './input.js';
import {
  addInputFlags,
  addNewRowFlags,
  engineFlag,
  example,
  jsonFlag,
  type NewRowFlags,
  wholeNumber,
} from './options.js';
import { createProgress } from './progress.js';
import { NOTHING_CHANGED, type Session, withSession } from './session.js';
import { printResult, table } from './terminal.js';

export interface PlanFlags extends InputFlags, NewRowFlags {
  readonly limit?: number;
}

interface Flags extends PlanFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `plan`: what enqueueing a file would do and cost. Queues and spends nothing. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'a CSV file with a header row; - reads stdin')
    .option('--limit <n>', 'take only the first n new rows', wholeNumber(1));
  addNewRowFlags(command).addOption(jsonFlag()).addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run plan accounts.csv', 'npm run -s plan accounts.csv -- --json');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    return withSession({ engine: flags.engine, kind: 'batch', file, interrupted: NOTHING_CHANGED }, async (session) => {
      const plan = await makePlan(session, typedPath(file), flags);
      printResult(flags.json ?? false, plan, () => planText(plan, session));
      return EXIT.done;
    });
  };
}

/** Reads the file with the progress on the terminal, and asks Zoho for the allowance. */
export async function makePlan(session: Session, path: string, flags: PlanFlags): Promise<Plan> {
  const allowance = await currentAllowance(session);
  const progress = createProgress('plan');
  try {
    return await planWithin(session.engine, session.config.work, allowance, (covers) =>
      planFile({
        path,
        stdin: stdinOf(path, session.shutdown),
        ...readingOf(flags),
        engine: session.engine,
        module: session.config.work.module,
        covers,
        limit: flags.limit,
        again: flags.again,
        refreshAfterMs: flags.refreshAfter,
        onePer: flags.onePer,
        signal: session.shutdown.signal,
        onProgress: ({ rows: done, total }) => progress.update(done, total),
      }),
    );
  } finally {
    progress.stop();
  }
}

function planText(plan: Plan, session: Session): string {
  return [
    plan.file,
    checkText(plan, session.config.work.module),
    table([
      ...Object.entries(plan.rejects).map(([code, records]) => [`  rejected: ${code}`, records] as const),
      ['  unusable values left out', plan.fieldsLeftOut],
      ['  with a record id', plan.withRecordId],
      ['  ahead in the queue', plan.ahead],
    ]),
    plan.allowance === null ? `Allowance: not known${whyNot(session)}.` : allowanceLine(plan.allowance),
    ...(plan.budget === null ? [] : [budgetLine(plan.budget)]),
    ...(plan.withRecordId > 0 ? [recordIdLine(plan)] : []),
    planLine(plan),
  ].join('\n');
}

function whyNot({ account }: Session): string {
  return account === null ? ', for there are no credentials' : '; `npm run doctor` may say why';
}
