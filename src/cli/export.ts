import type { Command } from 'commander';
import { type ExportReport, exportFile } from '../reports/export-file.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { fileTable } from './file-table.js';
import { type InputFlags, typedPath, withInput } from './input.js';
import { engineFlag, example, jsonFlag, mapFlag } from './options.js';
import { createProgress } from './progress.js';
import { type Session, withSession } from './session.js';
import { note, printResult, rows } from './terminal.js';

interface Flags extends InputFlags {
  readonly out?: string;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `export`: the file with the outcome of each row. */
export function define(command: Command): Run {
  command
    .argument('<file>', 'the CSV file that was enqueued; - reads stdin')
    .option('--out <file>', 'write here instead of beside the input; - is stdout')
    .addOption(mapFlag())
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm run export accounts.csv -- --out out.csv');
  return () => {
    const flags: Flags = command.opts();
    return withSession({ engine: flags.engine, kind: 'question' }, (session) =>
      run(session, command.args[0] ?? '-', flags),
    );
  };
}

async function run(session: Session, file: string, flags: Flags): Promise<number> {
  const report = await writeExport(session, file, flags);
  // The file itself went to stdout: the summary must not follow it there.
  if (report.out === '-') note(`exported ${rows(report.counts.rows)}`);
  else
    printResult(
      flags.json ?? false,
      { out: report.out, ...report.counts },
      () => `${report.out}\n${fileTable(report.counts)}`,
    );
  return EXIT.done;
}

/** Writes the export with its progress on the terminal. */
export function writeExport(
  session: Pick<Session, 'engine' | 'config' | 'shutdown'>,
  file: string,
  flags: Flags,
): Promise<ExportReport> {
  const out = flags.out === undefined ? undefined : typedPath(flags.out);
  return withInput(session, file, flags, async (input) => {
    const progress = createProgress('export');
    try {
      return await exportFile({
        ...input,
        out,
        signal: session.shutdown.signal,
        onProgress: (done) => progress.update(done, input.source.rowCount),
      });
    } finally {
      progress.stop();
    }
  });
}
