import { once } from 'node:events';
import { type Command, InvalidArgumentError } from 'commander';
import { readEnvironment } from '../lib/config/environment.js';
import { loadConfig } from '../lib/config.js';
import { UsageError } from '../lib/errors.js';
import { createShutdown } from '../lib/shutdown.js';
import { summarise } from '../sandbox/effects.js';
import { FAULT_KINDS, type Fault } from '../sandbox/options.js';
import { type Sandbox, type StartOptions, startSandbox } from '../sandbox/server.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { example, wholeNumber } from './options.js';
import { openLog } from './session.js';
import { note } from './terminal.js';

interface Flags {
  readonly port?: number;
  readonly quota?: number;
  readonly latency?: number | readonly [number, number];
  readonly rate?: number;
  readonly concurrency?: number;
  readonly completeAfter?: number;
  readonly records?: number;
  readonly tokenLife?: number;
  readonly fault?: readonly Fault[];
}

const DEFAULT_PORT = 8_181;
const CLOSING_MS = 5_000;
const CALLS: readonly Fault['on'][] = ['post', 'list', 'get', 'coql', 'token'];

/** `sandbox`: a local stand-in for Zoho, until told to end. */
export function define(command: Command): Run {
  command
    .option('--port <port>', `listen here (${DEFAULT_PORT}; 0 takes a free one)`, wholeNumber(0))
    .option('--quota <n>', 'enrichments the org may schedule in all', wholeNumber(0))
    .option('--latency <ms>', 'time to an answer: 50, or a range such as 20-80', latency)
    .option('--rate <n>', 'calls a second, beyond which calls are answered 429', wholeNumber(1))
    .option('--concurrency <n>', 'calls in flight, beyond which calls are answered 429', wholeNumber(1))
    .option('--complete-after <ms>', 'time an enrichment takes', wholeNumber(0))
    .option('--records <n>', 'accounts and leads in the CRM, for `pull` (200)', wholeNumber(0))
    .option('--token-life <seconds>', 'life of an access token', wholeNumber(1))
    .option(
      '--fault <kind[:call[:share[:times]]]>',
      `make calls (${CALLS.join(', ')}; default post) go wrong: ${FAULT_KINDS.join(', ')}; repeatable`,
      fault,
    );
  example(
    command,
    'npm run sandbox -- --quota 300 --latency 20-80',
    'npm run sandbox -- --fault cut-after:post:0.01 --fault 429:post:1:5',
  );
  return () => run(command.opts());
}

async function run(flags: Flags): Promise<number> {
  const log = openLog(loadConfig(readEnvironment()), 'service');
  const sandbox = await start(flags);
  const shutdown = createShutdown({ deadlineMs: CLOSING_MS, log });
  shutdown.onClose('sandbox', () => sandbox.close());
  note(instructions(sandbox));
  if (!shutdown.signal.aborted) await once(shutdown.signal, 'abort');
  const { posts, accepted, tokensIssued } = summarise(sandbox.log());
  note(`sandbox: ${posts} submissions, ${accepted} accepted, ${tokensIssued} access tokens`);
  await shutdown.close();
  return EXIT.done;
}

async function start({ port = DEFAULT_PORT, ...flags }: Flags): Promise<Sandbox> {
  try {
    return await startSandbox({ port, ...optionsOf(flags) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : null;
    if (code === null) throw error;
    throw new UsageError(
      'SANDBOX_CANNOT_LISTEN',
      `The sandbox cannot listen on port ${port} (${code}); choose another with --port.`,
      {
        cause: error,
      },
    );
  }
}

function optionsOf({
  quota,
  latency,
  rate,
  concurrency,
  completeAfter,
  records,
  tokenLife,
  fault: faults,
}: Flags): StartOptions {
  return {
    ...(quota !== undefined && { quota }),
    ...(latency !== undefined && { latencyMs: latency }),
    ...(rate !== undefined && { ratePerSecond: rate }),
    ...(concurrency !== undefined && { concurrency }),
    ...(completeAfter !== undefined && { completeAfterMs: completeAfter }),
    ...(records !== undefined && { records }),
    ...(tokenLife !== undefined && { tokenLifeSeconds: tokenLife }),
    ...(faults !== undefined && { faults }),
  };
}

/** Environment that points the program at a sandbox, as lines of a `.env`. */
export function sandboxEnvironment(url: string): Readonly<Record<string, string>> {
  return {
    ZOHO_CLIENT_ID: 'sandbox',
    ZOHO_CLIENT_SECRET: 'sandbox',
    ZOHO_REFRESH_TOKEN: 'sandbox',
    ZOHO_ACCOUNTS_URL: url,
    ZOHO_API_DOMAIN: url,
  };
}

function instructions({ url }: Sandbox): string {
  const lines = Object.entries({ ...sandboxEnvironment(url), ZIA_DATA_DIR: '.zia-sandbox' });
  return [
    `sandbox: ${url} (Ctrl-C ends it)`,
    'To rehearse against it, put this into .env; the folder keeps the rehearsal apart from your account:',
    ...lines.map(([name, value]) => `  ${name}=${value}`),
    `GET ${url}/__sandbox/summary tells what it saw; PATCH ${url}/__sandbox/options changes it, such as {"quota":500}.`,
  ].join('\n');
}

function latency(text: string): number | readonly [number, number] {
  const [, from, to] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text) ?? [];
  if (from === undefined) throw new InvalidArgumentError('Expected milliseconds, such as 50 or 20-80.');
  return to === undefined ? Number(from) : [Number(from), Number(to)];
}

function fault(text: string, soFar: readonly Fault[] = []): readonly Fault[] {
  const [kindText, callText = 'post', shareText = '1', timesText] = text.split(':');
  const kind = FAULT_KINDS.find((known) => known === kindText);
  const on = CALLS.find((known) => known === callText);
  const share = Number(shareText);
  const times = timesText === undefined ? undefined : Number(timesText);
  if (kind === undefined || on === undefined || !(share >= 0 && share <= 1) || (times !== undefined && !(times >= 1))) {
    throw new InvalidArgumentError(
      `Expected kind[:call[:share[:times]]], such as http-500:post:0.1; kinds: ${FAULT_KINDS.join(', ')}.`,
    );
  }
  return [...soFar, { kind, on, share, ...(times !== undefined && { times }) }];
}
