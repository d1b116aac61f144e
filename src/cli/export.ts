import { type Command, Option } from 'commander';
import { formatRows } from '../lib/core/format.js';
import { UsageError } from '../lib/errors.js';
import { type ExportChoices, type ExportReport, exportFile } from '../reports/export-file.js';
import { exportLedger } from '../reports/export-ledger.js';
import { EXPORT_FORMATS, type ExportFormat } from '../reports/export-writer.js';
import type { RowStatus } from '../reports/row-outcome.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { fileTable } from './file-table.js';
import { type InputFlags, typedPath, withInput } from './input.js';
import { addInputFlags, engineFlag, example, jsonFlag, statusList } from './options.js';
import { createProgress } from './progress.js';
import { keptLine } from './run-summary.js';
import { notWritten, type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

export interface ExportFlags extends InputFlags {
  readonly out?: string;
  readonly format?: ExportFormat;
  readonly only?: readonly RowStatus[];
}

interface Flags extends ExportFlags {
  readonly all?: boolean;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `export`: the file with the outcome and the enriched data of each row. */
export function define(command: Command): Run {
  command
    .argument('[file]', 'the CSV file that was enqueued; - reads stdin')
    .option('--out <file>', 'write here instead of beside the input; - is stdout')
    .addOption(new Option('--format <format>', 'csv, or ndjson with everything Zoho found').choices(EXPORT_FORMATS))
    .option('--only <outcomes>', 'only rows with these outcomes, such as failed,rejected', statusList)
    .option('--all', 'without a file: every row ever sent, from the ledger')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(
    command,
    'npm run export accounts.csv -- --out out.csv',
    'npm run export accounts.csv -- --only failed,rejected',
    'npm run export -- --all --format ndjson --out everything.ndjson',
  );
  return () => {
    const flags: Flags = command.opts();
    const [file] = command.args;
    if ((file === undefined) !== (flags.all ?? false)) {
      throw new UsageError(
        'EXPORT_WHAT',
        'Name the CSV file to export, or use --all without a file for everything the ledger holds.',
      );
    }
    const interrupted = notWritten(flags.out ?? file);
    return withSession({ engine: flags.engine, kind: 'question', file, interrupted }, (session) =>
      run(session, file, flags),
    );
  };
}

async function run(session: Session, file: string | undefined, flags: Flags): Promise<number> {
  const report = file === undefined ? await writeLedger(session, flags) : await writeExport(session, file, flags);
  const { out, written, counts, kept } = report;
  if (kept !== null) note(keptLine(out, kept.path, kept.enriched, counts));
  // The file itself went to stdout: the summary must not follow it there.
  if (out === '-') note(`exported ${formatRows(written)}`);
  else
    printResult(
      flags.json ?? false,
      { out, written, ...counts },
      () => `${out}${written === counts.rows ? '' : `: ${formatRows(written)} of`}\n${fileTable(counts)}`,
    );
  return EXIT.done;
}

/** Writes the export with its progress on the terminal. */
export function writeExport(
  session: Pick<Session, 'engine' | 'config' | 'shutdown'>,
  file: string,
  flags: ExportFlags,
): Promise<ExportReport> {
  return withInput(session, file, flags, (input) =>
    withProgress(session, flags, input.source.rowCount, (choices) => exportFile({ ...input, ...choices })),
  );
}

async function writeLedger(session: Session, flags: ExportFlags): Promise<ExportReport> {
  const { engine } = session;
  const { scheduled, sending, uncertain, held } = await engine.store.counts();
  const { out, ...others } = flags;
  const target = out ?? typedPath(`zia-ledger.${flags.format ?? 'csv'}`);
  return withProgress(session, { ...others, out: target }, scheduled + sending + uncertain + held, (choices) =>
    exportLedger({ engine, ...choices }),
  );
}

async function withProgress(
  { shutdown }: Pick<Session, 'shutdown'>,
  { out, format, only }: ExportFlags,
  total: number,
  work: (choices: ExportChoices) => Promise<ExportReport>,
): Promise<ExportReport> {
  const progress = createProgress('export');
  try {
    return await work({
      out: out === undefined ? undefined : typedPath(out),
      format,
      only,
      signal: shutdown.signal,
      onProgress: (done) => progress.update(done, total),
    });
  } finally {
    progress.stop();
  }
}
