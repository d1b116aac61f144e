import type { Command } from 'commander';
import { type Effort, effortOf } from '../lib/core/effort.js';
import { count, duration, rows } from '../lib/core/wording.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import { type FilePlan, planFile } from '../producers/plan-file.js';
import { allowanceLine } from './allowance-line.js';
import { currentAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, typedPath } from './input.js';
import { engineFlag, example, jsonFlag, mapFlag, wholeNumber } from './options.js';
import { createProgress } from './progress.js';
import { type Session, withSession } from './session.js';
import { printResult, table } from './terminal.js';

export interface PlanFlags extends InputFlags {
  readonly limit?: number;
}

interface Flags extends PlanFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** The `plan --json` document. */
export interface Plan extends FilePlan {
  /** Rows in the queue that are sent before those of the file. */
  readonly ahead: number;
  readonly allowance: Allowance | null;
  readonly calls: Pick<Effort, 'posts' | 'polls'>;
  readonly seconds: number;
}

/** `plan`: what enqueueing a file would do and cost. Queues and spends nothing. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'a CSV file with a header row; - reads stdin')
    .option('--limit <n>', 'take only the first n new rows', wholeNumber(1))
    .addOption(mapFlag())
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm run plan accounts.csv', 'npm run -s plan accounts.csv -- --json');
  return () => {
    const flags: Flags = command.opts();
    return withSession({ engine: flags.engine, kind: 'batch' }, async (session) => {
      const plan = await makePlan(session, typedPath(command.args[0] ?? '-'), flags);
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
    return await planWithin(session, allowance, (covers) =>
      planFile({
        path,
        mapFlags: flags.map ?? [],
        engine: session.engine,
        module: session.config.work.module,
        covers,
        limit: flags.limit,
        signal: session.shutdown.signal,
        onProgress: ({ rows: done, total }) => progress.update(done, total),
      }),
    );
  } finally {
    progress.stop();
  }
}

/** What enqueueing a file would do with this allowance; `plan` reads the file, told how many new rows are covered. */
export async function planWithin(
  { engine, config }: Pick<Session, 'engine' | 'config'>,
  allowance: Allowance | null,
  plan: (covers: number | null) => Promise<FilePlan>,
): Promise<Plan> {
  const { waiting, active, delayed } = await engine.counts();
  const ahead = waiting + active + delayed;
  const covers = allowance === null ? null : Math.max(0, allowance.left - ahead);
  const { rows: read, ...file } = await plan(covers);
  const { seconds, ...calls } = effortOf(file.enqueued, config.work.ratePerSecond);
  return { ...file, rows: read, ahead, allowance, calls, seconds };
}

function planText(plan: Plan, session: Session): string {
  return [
    plan.file,
    table([
      ['  rows', plan.rows],
      ['  new', plan.enqueued],
      ['  repeated in the file', plan.duplicates],
      ['  known already', plan.known],
      ['  rejected', plan.rejected],
      ...Object.entries(plan.rejects).map(([code, records]) => [`    ${code}`, records] as const),
      ['  unusable values left out', plan.fieldsLeftOut],
      ['  with a record id', plan.withRecordId],
      ['  ahead in the queue', plan.ahead],
    ]),
    plan.allowance === null ? `Allowance: not known${whyNot(session)}.` : allowanceLine(plan.allowance),
    ...(plan.withRecordId > 0 ? [recordIdLine(plan)] : []),
    planLine(plan, session),
  ].join('\n');
}

/** What record ids in a file mean. */
export function recordIdLine({ withRecordId }: Plan): string {
  return `${rows(withRecordId)} with a record id: Zoho may write what it finds to those records.`;
}

function whyNot({ account }: Session): string {
  return account === null ? ', for there are no credentials' : '; `npm run doctor` may say why';
}

/** The plan in one line: calls, time, and how far the allowance reaches. */
export function planLine(plan: Plan, { config }: Pick<Session, 'config'>): string {
  const { enqueued, calls, seconds } = plan;
  if (enqueued === 0) return 'No new rows: nothing would be queued.';
  const pace = `about ${duration(seconds)} at ${config.work.ratePerSecond} calls a second`;
  const effort = `${count(calls.posts)} submissions and at most ${count(calls.polls)} calls for results, ${pace}`;
  return `${count(enqueued)} new ${enqueued === 1 ? 'row' : 'rows'}: ${effort}; ${coverage(plan)}.`;
}

function coverage({ enqueued, ahead, covered, endsAtLine, allowance }: Plan): string {
  if (covered === null || allowance === null) return 'the allowance is not known';
  const which = allowance.source === 'zoho' ? 'the allowance' : 'the estimated allowance';
  const before = ahead === 0 ? '' : `, after ${rows(ahead)} ahead in the queue,`;
  if (endsAtLine === null) return `${which}${before} covers ${enqueued === 1 ? 'it' : 'all of them'}`;
  return `${which}${before} covers ${count(covered)} of them and ends before line ${endsAtLine}`;
}
