import type { Command } from 'commander';
import { formatCount, formatRows } from '../lib/core/format.js';
import type { Priority } from '../lib/queues.js';
import { checkText } from '../producers/check-text.js';
import type { EnqueueReport } from '../producers/csv-producer.js';
import { enqueueFile } from '../producers/enqueue-file.js';
import type { Run } from './command.js';
import { confirmCost, type SpendingFlags } from './confirm-cost.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, readingOf, stdinOf, typedPath } from './input.js';
import {
  addInputFlags,
  addNewRowFlags,
  engineFlag,
  example,
  jsonFlag,
  type NewRowFlags,
  priorityFlag,
  wholeNumber,
  yesFlag,
} from './options.js';
import { createProgress } from './progress.js';
import { type Session, withSession } from './session.js';
import { printResult } from './terminal.js';

export interface EnqueueFlags extends InputFlags, NewRowFlags {
  readonly limit?: number;
  readonly rejects?: string;
  readonly priority?: Priority;
}

interface Flags extends EnqueueFlags, SpendingFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `enqueue`: validates the rows of a file and queues the new ones. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'a CSV file with a header row; - reads stdin')
    .option('--limit <n>', 'take only the first n new rows', wholeNumber(1))
    .option('--rejects <file>', 'write refused records here instead of beside the input')
    .addOption(priorityFlag())
    .addOption(yesFlag());
  addNewRowFlags(command).addOption(jsonFlag()).addOption(engineFlag());
  addInputFlags(command);
  example(
    command,
    'npm run enqueue accounts.csv',
    'npm run enqueue accounts.csv -- --limit 5 --map "name=Firm"',
    'npm run enqueue today.csv -- --priority high',
  );
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    const { limit } = flags;
    const interrupted =
      limit === undefined
        ? {}
        : {
            interrupted: `Stopped. What was queued stays queued, and the same command takes ${formatRows(limit)} more: \`npm run status\` says how many wait.`,
          };
    return withSession({ engine: flags.engine, kind: 'producer', file, ...interrupted }, (session) =>
      run(session, file, flags),
    );
  };
}

async function run(session: Session, file: string, flags: Flags): Promise<number> {
  const path = typedPath(file);
  const answer = await confirmCost(session, path, flags);
  if (answer === 'refused') return EXIT.failed;
  const report = await enqueue(session, path, flags);
  const { fieldsLeftOut: _told, ...document } = report;
  printResult(flags.json ?? false, document, () =>
    enqueueSummary(report, session, { ...flags, isSeen: answer === 'confirmed' }),
  );
  return EXIT.done;
}

/** Queues the new rows of a file, with the progress on the terminal. */
export async function enqueue(
  { engine, config, shutdown }: Pick<Session, 'engine' | 'config' | 'shutdown'>,
  path: string,
  flags: EnqueueFlags,
): Promise<EnqueueReport> {
  const queue = engine.openQueue();
  const progress = createProgress('enqueue');
  try {
    return await enqueueFile({
      path,
      stdin: stdinOf(path, shutdown),
      ...readingOf(flags),
      engine,
      queue,
      module: config.work.module,
      maxAttempts: config.work.maxAttempts,
      limit: flags.limit,
      again: flags.again,
      refreshAfterMs: flags.refreshAfter,
      onePer: flags.onePer,
      priority: flags.priority,
      rejectsPath: flags.rejects === undefined ? undefined : typedPath(flags.rejects),
      signal: shutdown.signal,
      onProgress: ({ rows: done, total }) => progress.update(done, total),
    });
  } finally {
    progress.stop();
    await queue.close();
  }
}

/** What became of the rows; the check of the file goes with it unless somebody has just seen it. */
export function enqueueSummary(
  report: EnqueueReport,
  { config }: Pick<Session, 'config'>,
  { limit, isSeen }: Pick<EnqueueFlags, 'limit'> & { readonly isSeen: boolean },
): string {
  const { file, rows, enqueued, rejectsFile, fieldsLeftOut } = report;
  const lines = [
    enqueued === limit
      ? `${file}: ${formatCount(enqueued)} enqueued (--limit ${limit}), for which ${formatRows(rows)} ${rows === 1 ? 'was' : 'were'} read`
      : `${file}: ${formatRows(rows)}, ${formatCount(enqueued)} enqueued`,
    ...(isSeen ? [] : [checkText(report, config.work.module)]),
  ];
  if (rejectsFile !== null) lines.push(`Rejected rows, with reasons: ${rejectsFile}`);
  if (fieldsLeftOut === 1) lines.push('1 value could not be used; its row is sent without it.');
  if (fieldsLeftOut > 1)
    lines.push(`${formatCount(fieldsLeftOut)} values could not be used; their rows are sent without them.`);
  return lines.join('\n');
}
