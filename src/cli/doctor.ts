import type { Command } from 'commander';
import { readEnvironment } from '../lib/config/environment.js';
import { type Config, loadConfig, type ZohoAccount } from '../lib/config.js';
import type { Check } from '../lib/core/check.js';
import type { Engine } from '../lib/engine/engine.js';
import { checkEngine } from '../lib/engine/engine-checks.js';
import { AppError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import { createNotifier } from '../lib/notify.js';
import { redactText } from '../lib/redaction.js';
import type { Store } from '../lib/store/store.js';
import { checkAccount } from '../lib/zoho/account-checks.js';
import { type AccountReadsDeps, createAccountReads } from '../lib/zoho/account-reads.js';
import { DATA_CENTER_INFO, serversOf } from '../lib/zoho/data-centers.js';
import type { OpenZoho } from '../lib/zoho/open-zoho.js';
import { createTransport } from '../lib/zoho/transport.js';
import { accountOf, otherAccount } from './account.js';
import type { Run } from './command.js';
import { commandLimits, openZohoWith, transportSettings } from './command-zoho.js';
import { EXIT } from './exit-codes.js';
import { chooseEngine, type EngineKind } from './last-engine.js';
import { createMemoryStore } from './memory-store.js';
import { engineFlag, example, jsonFlag } from './options.js';
import { openEngineFor, openLog, type Session } from './session.js';
import { coloursOf, printResult } from './terminal.js';

interface Flags {
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly engine?: EngineKind;
  readonly notify?: boolean;
}

const ASK_TIMEOUT_MS = 10_000;

/** `doctor`: looks at everything a worker needs, and says what to do about it. Changes nothing and submits nothing. */
export function define(command: Command): Run {
  command
    .option('--verbose', 'list what is in order, too')
    .option('--notify', 'send a test message to ZIA_NOTIFY_URL too')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(command, 'npm run doctor', 'npm run doctor -- --notify');
  return async () => {
    const { json = false, engine, notify = false, verbose = false }: Flags = command.opts();
    const checks = [...(await examine(engine)), ...(notify ? [await notifyCheck()] : [])];
    const works = checks.every(({ status }) => status !== 'failed');
    printResult(json, { works, checks }, () => text(checks, works, verbose));
    return works ? EXIT.done : EXIT.usage;
  };
}

async function examine(flag: EngineKind | undefined): Promise<readonly Check[]> {
  const config = await attempt('configuration', async () => loadConfig(readEnvironment()));
  if (!config.ok) return [config.check];
  const log = openLog({ ...config.value, logLevel: config.value.logLevel ?? 'silent' }, 'question');
  const account = await attempt('credentials', async () => accountOf(config.value.zoho, true));
  const engine = await attempt('engine', async () => {
    const chosen = await chooseEngine(config.value.engine, flag);
    return openEngineFor({ kind: 'question' }, chosen, log);
  });
  try {
    return [
      { name: 'configuration', status: 'ok', message: 'All settings can be read.' },
      ...(engine.ok ? await engineChecks(engine.value) : [engine.check]),
      ...(account.ok && account.value !== null
        ? await unboundAccountChecks(account.value, config.value, engine.ok ? engine.value : null, log)
        : account.ok
          ? []
          : [account.check]),
    ];
  } finally {
    if (engine.ok) await engine.value.close();
  }
}

/** What doctor says of an open session: engine and account. Submits nothing. */
export async function sessionChecks({ engine, config, account, zoho }: Session): Promise<readonly Check[]> {
  const own = await engineChecks(engine);
  if (account !== null) {
    const belongs = await ownerCheck(engine, account);
    return [...own, ...belongs, ...(await accountChecks(account, config, engine.store, await zoho()))];
  }
  const credentials = await attempt('credentials', async () => accountOf(config.zoho, true));
  return credentials.ok ? own : [...own, credentials.check];
}

/** Sends a message that says it is a test. */
async function notifyCheck(): Promise<Check> {
  const name = 'notification';
  const { notify, zoho, profile = null } = loadConfig(readEnvironment());
  if (notify.url === undefined) {
    return { name, status: 'failed', message: 'ZIA_NOTIFY_URL is not set, so nobody is told.' };
  }
  const transport = createTransport(transportSettings(zoho, ASK_TIMEOUT_MS));
  const delivery = await createNotifier(notify.url, transport).deliver({
    text: 'zia-bulk-enrich: this is a test message; stops and ends will be told here.',
    event: 'test',
    code: null,
    counts: {},
    profile,
    at: new Date().toISOString(),
  });
  transport.close();
  return delivery.kind === 'delivered'
    ? { name, status: 'ok', message: 'A test message was sent.' }
    : {
        name,
        status: 'failed',
        message: `The webhook did not take the test message (${delivery.code}); check ZIA_NOTIFY_URL.`,
      };
}

async function engineChecks(engine: Engine): Promise<readonly Check[]> {
  const checks = await attempt('engine', () => checkEngine(engine));
  return checks.ok ? checks.value : [checks.check];
}

/** What doctor says of an account that the engine, if there is one, may not belong to. */
async function unboundAccountChecks(
  account: ZohoAccount,
  config: Config,
  engine: Engine | null,
  log: Logger,
): Promise<readonly Check[]> {
  const belongs = engine === null ? [] : await ownerCheck(engine, account);
  // Another account's token must not get into the store.
  const store =
    belongs.some(({ status }) => status === 'failed') || engine === null ? createMemoryStore() : engine.store;
  const zoho = openZohoWith(account, store, config.work.requestTimeoutMs, log);
  const checks = await accountChecks(account, config, store, zoho);
  zoho.close();
  return [...belongs, ...checks];
}

async function accountChecks(
  account: ZohoAccount,
  config: Config,
  store: AccountReadsDeps['store'] & Pick<Store, 'counts'>,
  zoho: OpenZoho,
): Promise<readonly Check[]> {
  const timeoutMs = Math.min(ASK_TIMEOUT_MS, config.work.requestTimeoutMs);
  const { module } = config.work;
  const reads = createAccountReads({
    zoho: zoho.within(timeoutMs),
    store,
    limits: commandLimits(config.work),
    callerId: `doctor-${process.pid}`,
    patienceMs: timeoutMs,
  });
  const { accountsUrl } = serversOf(account);
  const checked = await attempt('account', async () =>
    checkAccount({
      reads,
      module,
      servers: `${account.dc} (${accountsUrl})`,
      isListed: account.accountsUrl !== undefined || DATA_CENTER_INFO[account.dc].listedForEnrichment,
      submitted: (await store.counts()).scheduled,
      keep: config.work.keepAllowance,
    }),
  );
  return checked.ok ? checked.value : [checked.check];
}

/** Says whether the store is this account's, without making it so: the settings may still be wrong. */
async function ownerCheck(engine: Engine, account: ZohoAccount): Promise<readonly Check[]> {
  const name = 'account';
  const { bound, error } = await otherAccount(engine.store, account);
  if (error !== null) return [{ name, status: 'failed', message: error.message }];
  const message = bound === null ? 'The store belongs to no account yet.' : 'The store belongs to this account.';
  return [{ name, status: 'ok', message }];
}

type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly check: Check };

/** What a person can mend becomes a failed check. */
async function attempt<T>(name: string, work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { ok: false, check: { name, status: 'failed', message: redactText(error.message) } };
  }
}

const LABELS = { ok: 'ok', warning: 'warning', failed: 'failed', 'not-checked': 'not checked' } as const;

function text(checks: readonly Check[], works: boolean, verbose: boolean): string {
  const verdict = works ? 'A worker can run.' : 'A worker would not run: see what failed above.';
  return `${checkLines(checks, verbose)}\n${verdict}`;
}

/** One line a check. A person at a terminal sees marks, problems first, and what is in order in one line unless `verbose`. */
export function checkLines(checks: readonly Check[], verbose = true): string {
  if (process.stdout.isTTY !== true)
    return checks.map((check) => checkLine(`${LABELS[check.status].padEnd(11)} `, check)).join('\n');
  const colours = coloursOf(process.stdout);
  const marks = {
    failed: colours.red('✗'),
    warning: colours.yellow('!'),
    'not-checked': colours.dim('–'),
    ok: colours.green('✓'),
  } as const;
  const inOrder = checks.filter(({ status }) => status === 'ok');
  const shown = (['failed', 'warning', 'not-checked', ...(verbose ? (['ok'] as const) : [])] as const).flatMap(
    (wanted) => checks.filter(({ status }) => status === wanted),
  );
  const lines = shown.map((check) => checkLine(marks[check.status], check));
  if (verbose || inOrder.length === 0) return lines.join('\n');
  const noun = inOrder.length === 1 ? 'check' : 'checks';
  return [...lines, `${marks.ok} ${inOrder.length} ${noun} ok (--verbose lists them)`].join('\n');
}

function checkLine(mark: string, { name, message }: Check): string {
  return `${mark} ${name}: ${message.replaceAll('\n', ' ')}`;
}
