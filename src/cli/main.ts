#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { AppError, InterruptedError, UsageError } from '../lib/errors.js';
import { writeFailure } from '../lib/file-failure.js';
import { asStarted, startedByNpm } from '../lib/invocation.js';
import { redactText } from '../lib/redaction.js';
import type { Define } from './command.js';
import { EXIT } from './exit-codes.js';
import { lineWithoutSwallowedFlags } from './npm.js';
import { note } from './terminal.js';
import { version } from './version.js';

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Only the command that was asked for is loaded. */
  readonly load: () => Promise<{ readonly define: Define }>;
}

const COMMANDS: readonly Entry[] = [
  {
    name: 'quickstart',
    summary: 'try everything on a bundled example, without an account',
    load: () => import('./quickstart.js'),
  },
  { name: 'run', summary: 'queue a file, send it, export the results: all in one', load: () => import('./run.js') },
  { name: 'plan', summary: 'say what a file would do and cost, and queue nothing', load: () => import('./plan.js') },
  { name: 'enqueue', summary: 'validate the rows of a file and queue them', load: () => import('./enqueue.js') },
  { name: 'worker', summary: 'submit queued rows to Zoho', load: () => import('./worker.js') },
  { name: 'status', summary: 'show the queue, or the rows of one file by outcome', load: () => import('./status.js') },
  { name: 'pause', summary: 'stop all workers from sending', load: () => import('./pause.js') },
  { name: 'resume', summary: 'lift a stop, starting with a single row', load: () => import('./resume.js') },
  {
    name: 'budget',
    summary: 'show or set how many more rows may be submitted',
    load: () => import('./budget.js'),
  },
  { name: 'cancel', summary: 'take the waiting rows of a file out of the queue', load: () => import('./cancel.js') },
  { name: 'retry', summary: 'put failed rows back into the queue', load: () => import('./retry.js') },
  { name: 'export', summary: 'write a file with the outcome of each row', load: () => import('./export.js') },
  {
    name: 'pull',
    summary: 'write accounts of the CRM that lack data to a file',
    load: () => import('./pull.js'),
  },
  {
    name: 'verify',
    summary: 'say whether Zia has written to the records of a pulled file',
    load: () => import('./verify.js'),
  },
  {
    name: 'rows',
    summary: 'list the rows of a file, by outcome or by a text in them',
    load: () => import('./rows.js'),
  },
  { name: 'show', summary: 'show all that is known of one row', load: () => import('./show.js') },
  {
    name: 'report',
    summary: 'say what the money brought: outcomes, and how full each column is',
    load: () => import('./report.js'),
  },
  {
    name: 'forget',
    summary: 'erase what is known of the rows of a file, or of those with a value',
    load: () => import('./forget.js'),
  },
  { name: 'ledger', summary: 'export or import the record of what was sent', load: () => import('./ledger.js') },
  { name: 'dashboard', summary: 'serve the web dashboard', load: () => import('./dashboard.js') },
  {
    name: 'doctor',
    summary: 'check everything a worker needs, and say what to fix',
    load: () => import('./doctor.js'),
  },
  { name: 'login', summary: 'turn a grant code into a refresh token in .env', load: () => import('./login.js') },
  { name: 'sandbox', summary: 'serve a local stand-in for Zoho', load: () => import('./sandbox.js') },
];

async function main(words: readonly string[]): Promise<number> {
  const program = new Command('zia-enrich')
    .description('Enriches a CSV of companies with Zoho CRM’s Zia: every row once, none paid for twice, none lost.')
    .version(version())
    .exitOverride()
    .showHelpAfterError('Run with --help for usage.')
    .configureHelp({ sortSubcommands: false })
    .addHelpText('after', asStarted('\nExample:\n  npm start -- accounts.csv'));
  let exitCode: number = EXIT.done;
  const asked = words.find((word) => !word.startsWith('-') && word !== 'help');
  for (const entry of COMMANDS) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name !== asked) continue;
    const run = (await entry.load()).define(command);
    const typed = entry.name === 'run' ? 'start' : `run ${entry.name}`;
    command.showHelpAfterError(asStarted(`\`npm ${typed} -- --help\` says how it is used.`));
    command.option('--profile <name>', 'use the settings and the store of this profile (.env.NAME)');
    refuseSwallowedFlags(command, words.slice(words.indexOf(asked) + 1));
    command.action(async () => {
      const { profile } = command.opts<{ profile?: string }>();
      // Every reader of the environment, and every process that the command starts, must see the same profile.
      if (profile !== undefined) process.env.ZIA_PROFILE = profile;
      exitCode = await run();
    });
  }
  await program.parseAsync(words, { from: 'user' });
  return exitCode;
}

function refuseSwallowedFlags(command: Command, words: readonly string[]): void {
  if (!startedByNpm(process.env, process.cwd())) return;
  const line = lineWithoutSwallowedFlags(command, words, process.env);
  if (line === null) return;
  throw new UsageError(
    'FLAGS_KEPT_BY_NPM',
    `npm kept flags of this command for itself; type them after \`--\`: ${line}`,
  );
}

/** The only place where an error becomes an exit code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage; // it printed its own message
  if (error instanceof InterruptedError) {
    note(error.message);
    return error.exitCode;
  }
  if (error instanceof AppError) {
    note(`error: ${redactText(error.message)}`);
    if (process.env.LOG_LEVEL === 'debug' && error.cause !== undefined) writeStack(error.cause);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  note(`error: ${redactText(message)} (unexpected; run with LOG_LEVEL=debug for details)`);
  if (process.env.LOG_LEVEL === 'debug') writeStack(error);
  return EXIT.failed;
}

function writeStack(error: unknown): void {
  process.stderr.write(`${redactText(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
}

/** Something that was not closed must not keep a finished command alive. */
const LINGER_MS = 3_000;

let outputFailure: Error | undefined;

// `status | head` closes the pipe early, which is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  if (outputFailure === undefined) {
    const explained = writeFailure(error, 'standard output');
    note(`error: ${explained instanceof Error ? explained.message : error.message}`);
  }
  outputFailure ??= error;
  process.exitCode = EXIT.failed;
});
// There is nowhere to tell it: the terminal is gone, or the disk of the log is full. The work goes on.
process.stderr.on('error', () => undefined);

const exitCode = await main(process.argv.slice(2)).catch((error: unknown) =>
  error === outputFailure ? EXIT.failed : exitCodeOf(error),
);
process.exitCode = outputFailure === undefined ? exitCode : EXIT.failed;
setTimeout(() => process.exit(), LINGER_MS).unref();
