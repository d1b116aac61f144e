import type { Command } from 'commander';
import { formatCount, formatRows } from '../lib/core/format.js';
import { UsageError } from '../lib/errors.js';
import { countFailedAtZoho, type RetryOptions, type RetryReport, retryRows } from '../producers/retry-rows.js';
import { currentAllowance } from './ask-account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { type InputFlags, withInput } from './input.js';
import { quoted } from './npm.js';
import { addInputFlags, engineFlag, example, jsonFlag } from './options.js';
import { createProgress } from './progress.js';
import { canAsk, confirmed } from './prompt.js';
import { type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

interface Flags extends InputFlags {
  readonly code?: string;
  readonly uncertain?: boolean;
  readonly paid?: boolean;
  readonly file?: string;
  /** Do not ask. */
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `retry`: failed rows again, with fresh attempts. */
export function define(command: Command): Run {
  command
    .option('--code <code>', 'only rows that failed with this code, such as INVALID_DATA')
    .option('--uncertain', 'only held rows; Zoho may already have them, and then they are paid for twice')
    .option('--paid', 'also rows that Zoho accepted and could not enrich; each costs an enrichment again')
    .option('--file <file>', 'only rows of this CSV file; - reads stdin')
    .option('-y, --yes', 'on a terminal, do not ask before rows are paid for again')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  addInputFlags(command);
  example(
    command,
    'npm run retry',
    'npm run retry -- --code INVALID_DATA --file accounts.csv',
    'npm run retry -- --uncertain',
    'npm run retry -- --paid --file accounts.csv',
  );
  return () => {
    const flags: Flags = command.opts();
    if (flags.uncertain && flags.code !== undefined) {
      throw new UsageError(
        'CODE_WITH_UNCERTAIN',
        'Held rows have no error code, so --code does not go with --uncertain; leave one of them out.',
      );
    }
    return withSession({ engine: flags.engine, kind: 'batch', file: flags.file }, (session) => retry(session, flags));
  };
}

const NOTHING_DONE = 'Nothing was put back.';

async function retry(session: Session, flags: Flags): Promise<number> {
  if (!(await confirmPrice(session, flags))) return EXIT.failed;
  const report = await retryThem(session, flags);
  const { retried, left, released, failedAtZoho } = report;
  const document = { retried, left, released, ...(failedAtZoho > 0 && { failedAtZoho }) };
  printResult(flags.json ?? false, document, () => summary(report, flags));
  return EXIT.done;
}

/** Asks before rows are paid for again; true without a question where there is nobody to ask, or nothing to pay. */
async function confirmPrice(session: Session, flags: Flags): Promise<boolean> {
  const { engine, shutdown } = session;
  if (!flags.paid || flags.uncertain || flags.yes || flags.file === '-' || !canAsk()) return true;
  const { code, file } = flags;
  const rows =
    file === undefined
      ? await countFailedAtZoho({ engine, code })
      : await withInput(session, file, flags, (input) => countFailedAtZoho({ engine, code, file: input }));
  if (rows === 0) return true;
  const allowance = await currentAllowance(session);
  const left = allowance === null ? '' : ` of ${formatCount(allowance.left)} left`;
  const uses = `${formatCount(rows)} ${rows === 1 ? 'enrichment' : 'enrichments'}${left}`;
  if (await confirmed(`Pay again for ${formatRows(rows)}? It uses ${uses}.`, shutdown.signal, NOTHING_DONE))
    return true;
  note(NOTHING_DONE);
  return false;
}

async function retryThem(session: Session, flags: Flags): Promise<RetryReport> {
  const { engine, shutdown } = session;
  const queue = engine.openQueue();
  const progress = createProgress('retry');
  const { failed } = await engine.counts();
  const options: RetryOptions = {
    engine,
    queue,
    code: flags.code,
    uncertain: flags.uncertain ?? false,
    paid: flags.paid ? { maxAttempts: session.config.work.maxAttempts } : undefined,
    onProgress: (retried) => progress.update(retried, failed),
    signal: shutdown.signal,
  };
  try {
    if (flags.file === undefined) return await retryRows(options);
    return await withInput(session, flags.file, flags, (file) => retryRows({ ...options, file }));
  } finally {
    progress.stop();
    await queue.close();
  }
}

function summary(report: RetryReport, flags: Flags): string {
  const { retried, left, released } = report;
  const { code, uncertain = false } = flags;
  if (code !== undefined && retried === 0 && !(code in report.codes)) return unknownCode(code, report);
  const parts = [
    retried === 0 ? 'No rows to retry' : `${formatRows(retried)} put back into the queue with fresh attempts`,
  ];
  if (left > 0) parts.push(`${formatCount(left)} other failed ${left === 1 ? 'row was' : 'rows were'} left alone`);
  const lines = [`${parts.join('; ')}.`];
  if (report.failedAtZoho > 0) lines.push(paidLine(report, flags));
  if (uncertain && released > 0) {
    lines.push(
      `${formatRows(released)} released that had no failed job: enqueue the file again to send what is not queued.`,
    );
  }
  return lines.join('\n');
}

function unknownCode(code: string, { codes }: RetryReport): string {
  const present = Object.entries(codes).map(([each, failed]) => `${each} (${formatCount(failed)})`);
  const which = present.length === 0 ? 'No row failed at all.' : `Codes present: ${present.join(', ')}.`;
  return `No row failed with ${code}. ${which}`;
}

function paidLine({ failedAtZoho }: RetryReport, { file, paid = false }: Flags): string {
  const which = `${formatRows(failedAtZoho)} failed at Zoho (ENRICHMENT_FAILED)`;
  if (paid) {
    return `${which} and could not be put back: the ledger lacks a field that Zoho refused. Name their file with --file.`;
  }
  const flag = file === undefined ? '' : ` --file ${quoted(file)}`;
  return [
    `${which}: Zoho took an enrichment for each and could not finish it, so sending them again is not free.`,
    `To pay for them again: npm run retry -- --paid${flag}`,
  ].join('\n');
}
