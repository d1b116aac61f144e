import { join } from 'node:path';
import type { Command } from 'commander';
import { envFileName, readEnvironment } from '../lib/config/environment.js';
import { DATA_CENTERS } from '../lib/config/variables.js';
import { type Config, type DataCenter, type Environment, loadConfig, type ZohoConfig } from '../lib/config.js';
import type { Check } from '../lib/core/check.js';
import type { RefreshFailure } from '../lib/core/token-lease.js';
import { AppError, UsageError } from '../lib/errors.js';
import { createShutdown } from '../lib/shutdown.js';
import { checkAccount } from '../lib/zoho/account-checks.js';
import { createAccountReads } from '../lib/zoho/account-reads.js';
import { createZohoClient, createZohoReadApi } from '../lib/zoho/client.js';
import { DATA_CENTER_INFO, serversOf } from '../lib/zoho/data-centers.js';
import { exchangeGrantCode, type GrantAnswer } from '../lib/zoho/oauth.js';
import { createTransport, type TransportSettings } from '../lib/zoho/transport.js';
import type { Run } from './command.js';
import { transportSettings } from './command-zoho.js';
import { checkLines } from './doctor.js';
import { setInEnvFile } from './env-file.js';
import { EXIT } from './exit-codes.js';
import { createMemoryStore } from './memory-store.js';
import { example } from './options.js';
import { askAll, type Question } from './prompt.js';
import { bySignal, openLog } from './session.js';
import { note, printResult } from './terminal.js';

const SCOPES = [
  'ZohoCRM.settings.intelligence.ALL',
  'ZohoCRM.Zia.enrichment.READ',
  'ZohoCRM.features.READ',
  'ZohoCRM.org.READ',
  'ZohoCRM.users.READ',
  'ZohoCRM.coql.READ',
  'ZohoCRM.modules.READ',
].join(',');

const CLOSING_MS = 1_000;
const ASK_TIMEOUT_MS = 15_000;

/** `login`: a self client's grant code becomes a refresh token in `.env`. */
export function define(command: Command): Run {
  command.addHelpText(
    'after',
    `
Asks for client id, client secret, data center and grant code; or takes them from
ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_DC and ZOHO_GRANT_CODE, or from stdin, one a line.
Make the code in Zoho's API console, Self Client, Generate Code, with the scopes
  ${SCOPES}`,
  );
  example(command, 'npm run login');
  return login;
}

async function login(): Promise<number> {
  const environment = readEnvironment();
  const config = loadConfig(environment);
  const shutdown = createShutdown({ deadlineMs: CLOSING_MS, log: openLog(config, 'question') });
  if (process.stdin.isTTY) note(`Make the code with these scopes (Self Client, Generate Code):\n  ${SCOPES}`);
  const answers = await askAll(questions(config.zoho, environment), shutdown.signal).catch((error: unknown) => {
    throw bySignal(error, shutdown);
  });
  const credentials = credentialsIn(answers, config.zoho);
  const granted = await exchange(credentials, config);
  const envFile = envFileName(environment);
  await setInEnvFile(join(process.cwd(), envFile), {
    ZOHO_CLIENT_ID: credentials.clientId,
    ZOHO_CLIENT_SECRET: credentials.clientSecret,
    ZOHO_REFRESH_TOKEN: granted.refreshToken,
    ZOHO_DC: credentials.zoho.dc,
  });
  process.stdout.write(`The refresh token is in ${envFile}, readable for you alone.\n`);
  for (const name of overridden(credentials, granted.refreshToken)) {
    note(`${name} is also set in the environment, which wins over ${envFile}: remove it there.`);
  }
  const checks = await scopesOf(granted, credentials.zoho, config);
  printResult(false, null, () => checkLines(checks));
  const failed = checks.some(({ status }) => status === 'failed');
  if (failed)
    note('Fix the lines marked failed. If a scope is missing, create a new code that includes it and log in again.');
  await shutdown.close();
  return failed ? EXIT.usage : EXIT.done;
}

function questions(zoho: ZohoConfig, environment: Environment): readonly Question[] {
  return [
    { name: 'ZOHO_CLIENT_ID', label: 'Client id', secret: false, given: zoho.clientId },
    { name: 'ZOHO_CLIENT_SECRET', label: 'Client secret', secret: true, given: zoho.clientSecret },
    {
      name: 'ZOHO_DC',
      label: `Data center (${DATA_CENTERS.join(', ')})`,
      secret: false,
      given: environment.ZOHO_DC?.trim() ? zoho.dc : undefined,
      fallback: zoho.dc,
      check: (answer) => (isDataCenter(answer.toLowerCase()) ? null : NO_SUCH_DATA_CENTER),
    },
    {
      name: 'ZOHO_GRANT_CODE',
      label: 'Grant code',
      secret: true,
      given: environment.ZOHO_GRANT_CODE?.trim() || undefined,
    },
  ];
}

const NO_SUCH_DATA_CENTER = `There is no such data center; it is one of ${DATA_CENTERS.join(', ')}.`;

interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly code: string;
  readonly zoho: ZohoConfig;
}

function credentialsIn(answers: ReadonlyMap<string, string>, zoho: ZohoConfig): Credentials {
  const answer = (name: string) => answers.get(name) ?? '';
  const dc = answer('ZOHO_DC').toLowerCase();
  if (!isDataCenter(dc)) {
    throw new UsageError('BAD_DATA_CENTER', NO_SUCH_DATA_CENTER);
  }
  return {
    clientId: answer('ZOHO_CLIENT_ID'),
    clientSecret: answer('ZOHO_CLIENT_SECRET'),
    code: answer('ZOHO_GRANT_CODE'),
    zoho: { ...zoho, dc },
  };
}

function isDataCenter(text: string): text is DataCenter {
  return DATA_CENTERS.some((dc) => dc === text);
}

type Granted = Extract<GrantAnswer, { kind: 'granted' }>;

async function exchange({ code, zoho, ...client }: Credentials, config: Config): Promise<Granted> {
  const transport = createTransport(settingsOf(zoho, config));
  try {
    const answer = await exchangeGrantCode({ transport, servers: serversOf(zoho) }, client, code);
    if (answer.kind === 'granted') return answer;
    throw refusal(answer, zoho);
  } finally {
    transport.close();
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  invalid_client: 'check the client id, and that the data center is that of the account',
  invalid_client_secret: 'check the client secret',
  invalid_code: 'the code is wrong, was used already, or is older than the minutes it was made for: generate a new one',
  invalid_grant:
    'the code is wrong, was used already, or is older than the minutes it was made for: generate a new one',
  access_denied: 'too many codes were made lately: wait ten minutes, then generate a new one',
};

function refusal(failure: RefreshFailure, zoho: ZohoConfig): AppError {
  const server = serversOf(zoho).accountsUrl;
  switch (failure.kind) {
    case 'permanent': {
      const advice = Object.hasOwn(ADVICE, failure.code) ? ADVICE[failure.code] : undefined;
      const message =
        advice === undefined ? failure.message : `${server} refuses the login (${failure.code}): ${advice}.`;
      return new UsageError('LOGIN_REFUSED', message);
    }
    case 'throttled':
      return new AppError(
        'LOGIN_THROTTLED',
        `${server} takes no more requests for now; wait ten minutes, then generate a new code.`,
      );
    case 'outage':
      return new AppError(
        'LOGIN_UNANSWERED',
        `${server} gave no usable answer (${failure.code}); check the network, then generate a new code: this one may be used up.`,
      );
  }
}

/** Settings of the real environment that the file cannot change. */
function overridden({ clientId, clientSecret, zoho }: Credentials, refreshToken: string): readonly string[] {
  const written = {
    ZOHO_CLIENT_ID: clientId,
    ZOHO_CLIENT_SECRET: clientSecret,
    ZOHO_REFRESH_TOKEN: refreshToken,
    ZOHO_DC: zoho.dc,
  };
  return Object.entries(written).flatMap(([name, value]) => {
    const outside = process.env[name];
    return outside === undefined || outside === value ? [] : [name];
  });
}

/** What the new token may do; asked with the access token that came with it. */
async function scopesOf(granted: Granted, zoho: ZohoConfig, config: Config): Promise<readonly Check[]> {
  const transport = createTransport(settingsOf(zoho, config));
  const servers = serversOf(zoho);
  const clients = {
    zoho: createZohoClient(transport, zoho.apiVersion),
    readApi: createZohoReadApi(transport, zoho.apiVersion),
  };
  const token = {
    kind: 'token' as const,
    accessToken: granted.accessToken,
    apiDomain: granted.apiDomain ?? servers.defaultApiDomain,
  };
  try {
    return await checkAccount({
      reads: createAccountReads({
        zoho: { ...clients, tokens: { get: async () => token, reject: async () => undefined } },
        store: createMemoryStore(),
        limits: { callsPerSecond: 0, maxInFlight: 1, permitTtlMs: ASK_TIMEOUT_MS },
        callerId: 'login',
        patienceMs: ASK_TIMEOUT_MS,
      }),
      module: config.work.module,
      servers: `${zoho.dc} (${servers.accountsUrl})`,
      isListed: zoho.accountsUrl !== undefined || DATA_CENTER_INFO[zoho.dc].listedForEnrichment,
      submitted: 0,
      keep: config.work.keepAllowance,
    });
  } finally {
    transport.close();
  }
}

function settingsOf(zoho: ZohoConfig, config: Config): TransportSettings {
  return transportSettings(zoho, Math.min(ASK_TIMEOUT_MS, config.work.requestTimeoutMs));
}
