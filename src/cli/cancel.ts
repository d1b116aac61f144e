import type { Command } from 'commander';
import { formatCount, formatRows } from '../lib/core/format.js';
import { type CancelReport, cancelRows } from '../producers/cancel-rows.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, withInput } from './input.js';
import { addInputFlags, engineFlag, example, jsonFlag } from './options.js';
import { createProgress } from './progress.js';
import { type Session, withSession } from './session.js';
import { printResult } from './terminal.js';

interface Flags extends InputFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `cancel`: takes the waiting rows of a file out of the queue. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'the CSV file that was enqueued; - reads stdin')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run cancel accounts.csv');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    return withSession({ engine: flags.engine, kind: 'producer', file }, async (session) => {
      const report = await cancel(session, file, flags);
      printResult(flags.json ?? false, report, () => summary(report));
      return EXIT.done;
    });
  };
}

async function cancel(session: Session, file: string, flags: Flags): Promise<CancelReport> {
  const progress = createProgress('cancel');
  try {
    return await withInput(session, file, flags, (input) =>
      cancelRows({
        ...input,
        signal: session.shutdown.signal,
        onProgress: ({ rows: done, total }) => progress.update(done, total),
      }),
    );
  } finally {
    progress.stop();
  }
}

function summary({ file, cancelled, left }: CancelReport): string {
  const taken = `${file}: ${formatRows(cancelled)} taken out of the queue.`;
  if (left === 0) return taken;
  return `${taken} ${formatCount(left)} stay: a worker has them, or they were sent and are looked up.`;
}
