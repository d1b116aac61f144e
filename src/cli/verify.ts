import type { Command } from 'commander';
import { formatCount } from '../lib/core/format.js';
import { pulledModule } from '../lib/pulled-files.js';
import { type VerifyReport, verifyRecords } from '../reports/verify-records.js';
import type { Run } from './command.js';
import { openQueries } from './crm-queries.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, typedPath, withInput } from './input.js';
import { addInputFlags, engineFlag, example, jsonFlag } from './options.js';
import { createProgress } from './progress.js';
import { NOTHING_CHANGED, type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

interface Flags extends InputFlags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `verify`: whether Zia has written to the records of a pulled file. Changes nothing. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'a CSV file that pull wrote and that was enriched')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(command, 'npm run verify accounts.csv');
  return () => {
    const flags: Flags = command.opts();
    const file = command.args[0] ?? '-';
    const options = {
      engine: flags.engine,
      kind: 'batch',
      file,
      needsAccount: true,
      interrupted: NOTHING_CHANGED,
    } as const;
    return withSession(options, async (session) => {
      const report = await verify(session, file, flags);
      printResult(flags.json ?? false, report, () => summary(report));
      return EXIT.done;
    });
  };
}

async function verify(session: Session, file: string, flags: Flags): Promise<VerifyReport> {
  const module = (await pulledModule(session.engine.store, typedPath(file))) ?? session.config.work.module;
  const queries = await openQueries(session, module);
  const progress = createProgress('verify');
  try {
    return await withInput(session, file, flags, ({ source, columns }) =>
      verifyRecords({ source, columns, module, queries, onNote: note, onProgress: progress.update }),
    );
  } finally {
    progress.stop();
  }
}

function summary({ records, fields }: VerifyReport): string {
  const lines = Object.entries(fields).map(([field, { missing, filled }]) =>
    missing === 0
      ? `  ${field}: no record lacked it.`
      : `  ${field}: ${formatCount(filled)} of ${formatCount(missing)} that lacked it have a value now.`,
  );
  return [`${formatCount(records)} records`, ...lines].join('\n');
}
