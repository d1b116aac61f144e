import { resolve } from 'node:path';
import { ConfigError, type ConfigProblem, shown, unknownName } from './config/problems.js';
import { PROFILE_NAME } from './config/values.js';
import { type DATA_CENTERS, type LOG_LEVELS, SCHEMA, type Variables } from './config/variables.js';
import type { NoticeEvent } from './core/notices.js';
import { UsageError } from './errors.js';

export { ConfigError } from './config/problems.js';

export type DataCenter = (typeof DATA_CENTERS)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where queue and store live. */
export interface EngineConfig {
  /** Redis; the embedded engine in `dataDir` without it. May hold a password. */
  readonly redisUrl?: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly prefix: string;
  readonly queueName: string;
  /** What a folder remembers of its engine is remembered by profile. */
  readonly profile?: string;
}

/** Which Zoho account and how to reach it; the secrets are absent until somebody sets them. */
export interface ZohoConfig {
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly refreshToken?: string;
  readonly dc: DataCenter;
  /** In place of the data center's; an origin without trailing slash. */
  readonly accountsUrl?: string;
  /** In place of the one each token names; an origin without trailing slash. */
  readonly apiDomain?: string;
  readonly apiVersion: 'v7' | 'v8';
  /** Zoho is called through this proxy. May hold a password. */
  readonly proxy?: { readonly url: string; readonly except: string };
}

/** `ZohoConfig` with every secret present. */
export type ZohoAccount = ZohoConfig & Required<Pick<ZohoConfig, 'clientId' | 'clientSecret' | 'refreshToken'>>;

/** The numbers of enqueueing and working. */
export interface WorkSettings {
  /** API name of the CRM module of rows enqueued now. */
  readonly module: string;
  /** Calls per second over the whole fleet. */
  readonly ratePerSecond: number;
  /** Calls in flight over the whole fleet. */
  readonly maxInFlight: number;
  /** Rows one worker holds at a time. */
  readonly concurrency: number;
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  readonly requestTimeoutMs: number;
  /** Time for calls in flight to finish at the end; longer than `requestTimeoutMs`. */
  readonly shutdownDeadlineMs: number;
  readonly onUncertain: 'resend' | 'hold';
  readonly resultPollMs: number;
  readonly resultMaxAgeHours: number;
  /** So much of the allowance is kept back; 0 is nothing. */
  readonly keepAllowance: number;
  /** After LIMIT_EXCEEDED the fleet resumes by itself after so long; 0 is never. */
  readonly resumeAfterLimitMs: number;
  /** Values of rows that finished longer ago are removed; 0 keeps them for good. */
  readonly keepResultsMs: number;
  /** Logos and long texts of results are kept too. */
  readonly keepLargeResults: boolean;
}

/** Who is told of what. */
export interface NotifyConfig {
  /** A secret; absent: nobody is told. */
  readonly url?: string;
  readonly events: readonly NoticeEvent[];
}

export interface DashboardConfig {
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  /** Address of a proxy that is believed who asks. */
  readonly trustedProxy?: string;
  /** Names it answers to beside the machine's own; lower case. */
  readonly allowedHosts: readonly string[];
  readonly readOnly: boolean;
  readonly maxUploadBytes: number;
}

/** The environment, parsed once; frozen. Pass a module only its slice. */
export interface Config {
  /** Absent without one. */
  readonly profile?: string;
  readonly engine: EngineConfig;
  readonly zoho: ZohoConfig;
  readonly work: WorkSettings;
  readonly notify: NotifyConfig;
  readonly dashboard: DashboardConfig;
  readonly metrics: { readonly host: string; readonly port: number };
  /** Absent: the command's own default. */
  readonly logLevel?: LogLevel;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** By default a worker that ends waits for its calls for as long as a request may take, and so much longer. */
export const SPARE_AFTER_REQUEST_MS = 15_000;

/**
 * The configuration in `env`; an empty value counts as absent, relative folders start at `cwd`.
 * Throws `ConfigError` with every problem at once: bad values, contradictions, and `ZIA_` names that nobody reads.
 * Missing credentials are no problem here: see `requireCredentials`.
 */
export function loadConfig(env: Environment, cwd: string = process.cwd()): Config {
  const given = presentValues(env);
  const parsed = SCHEMA.safeParse({ ...profileDefaults(given.ZIA_PROFILE), ...given });
  const problems = Object.keys(given)
    .filter((name) => name.startsWith('ZIA_') && !(name in SCHEMA.shape))
    .map(unknownName);
  for (const issue of parsed.error?.issues ?? []) {
    const variable = String(issue.path[0]);
    problems.push({ variable, expectation: issue.message, received: shown(variable, given[variable] ?? '') });
  }
  if (!parsed.success) throw new ConfigError(problems);
  const config = configOf(parsed.data, cwd);
  problems.push(...contradictions(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The account, when all three secrets are there; else throws `UsageError` naming the absent ones. */
export function requireCredentials(zoho: ZohoConfig): ZohoAccount {
  const { clientId, clientSecret, refreshToken } = zoho;
  if (clientId !== undefined && clientSecret !== undefined && refreshToken !== undefined) {
    return { ...zoho, clientId, clientSecret, refreshToken };
  }
  const wanted = { ZOHO_CLIENT_ID: clientId, ZOHO_CLIENT_SECRET: clientSecret, ZOHO_REFRESH_TOKEN: refreshToken };
  const missing = Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [name] : []));
  const names = new Intl.ListFormat('en').format(missing);
  throw new UsageError(
    'CREDENTIALS_MISSING',
    `This needs a Zoho account, but .env and the environment lack ${names}; \`npm run login\` asks for them, docs/getting-started.md says where they come from, and \`npm run sandbox\` serves a stand-in that needs none.`,
  );
}

/** A profile has a store of its own. */
function profileDefaults(profile: string | undefined): Readonly<Record<string, string>> {
  return profile === undefined || !PROFILE_NAME.test(profile)
    ? {}
    : { ZIA_DATA_DIR: `.zia-${profile}`, ZIA_PREFIX: `zia-${profile}` };
}

/** Known to other programs in small letters; curl reads only those of some. */
const EITHER_CASE = ['HTTPS_PROXY', 'NO_PROXY'];

function presentValues(given: Environment): Record<string, string> {
  const small = EITHER_CASE.map((name) => [name, given[name.toLowerCase()]] as const);
  const env: Environment = { ...Object.fromEntries(small), ...given };
  const known = Object.entries(env).filter(([name]) => name in SCHEMA.shape || name.startsWith('ZIA_'));
  return Object.fromEntries(
    known.flatMap(([name, value]) => (value === undefined || value.trim() === '' ? [] : [[name, value.trim()]])),
  );
}

/** With as many rows as permits, each permit stays empty for the two round trips between one row and the next. */
function rowsAtHand(maxInFlight: number): number {
  return Math.max(Math.ceil(1.25 * maxInFlight), maxInFlight + 2);
}

function configOf(values: Variables, cwd: string): Config {
  return Object.freeze({
    ...present({ profile: values.ZIA_PROFILE }),
    engine: Object.freeze({
      ...present({ redisUrl: values.REDIS_URL, profile: values.ZIA_PROFILE }),
      dataDir: resolve(cwd, values.ZIA_DATA_DIR),
      prefix: values.ZIA_PREFIX,
      queueName: values.ZIA_QUEUE,
    }),
    zoho: Object.freeze({
      ...present({
        clientId: values.ZOHO_CLIENT_ID,
        clientSecret: values.ZOHO_CLIENT_SECRET,
        refreshToken: values.ZOHO_REFRESH_TOKEN,
        accountsUrl: values.ZOHO_ACCOUNTS_URL,
        apiDomain: values.ZOHO_API_DOMAIN,
        proxy:
          values.HTTPS_PROXY === undefined
            ? undefined
            : Object.freeze({ url: values.HTTPS_PROXY, except: values.NO_PROXY ?? '' }),
      }),
      dc: values.ZOHO_DC,
      apiVersion: values.ZOHO_API_VERSION,
    }),
    work: Object.freeze(workOf(values)),
    notify: Object.freeze({ ...present({ url: values.ZIA_NOTIFY_URL }), events: values.ZIA_NOTIFY_EVENTS }),
    dashboard: Object.freeze({
      host: values.ZIA_DASHBOARD_HOST,
      port: values.ZIA_DASHBOARD_PORT,
      ...present({
        user: values.ZIA_DASHBOARD_USER,
        password: values.ZIA_DASHBOARD_PASSWORD,
        trustedProxy: values.ZIA_DASHBOARD_TRUSTED_PROXY,
      }),
      allowedHosts: values.ZIA_DASHBOARD_ALLOWED_HOSTS?.toLowerCase().split(/\s*,\s*/) ?? [],
      readOnly: values.ZIA_DASHBOARD_READ_ONLY === 'true',
      maxUploadBytes: values.ZIA_DASHBOARD_MAX_UPLOAD_MB * 1_000_000,
    }),
    metrics: Object.freeze({ host: values.ZIA_METRICS_HOST, port: values.ZIA_METRICS_PORT }),
    ...present({ logLevel: values.LOG_LEVEL }),
  });
}

function workOf(values: Variables): WorkSettings {
  return {
    module: values.ZIA_MODULE,
    ratePerSecond: values.ZIA_RATE_LIMIT_PER_SECOND,
    maxInFlight: values.ZIA_MAX_IN_FLIGHT,
    concurrency: values.ZIA_WORKER_CONCURRENCY ?? rowsAtHand(values.ZIA_MAX_IN_FLIGHT),
    maxAttempts: values.ZIA_MAX_ATTEMPTS,
    backoffBaseMs: values.ZIA_BACKOFF_BASE_MS,
    backoffCapMs: values.ZIA_BACKOFF_CAP_MS,
    requestTimeoutMs: values.ZIA_REQUEST_TIMEOUT_MS,
    shutdownDeadlineMs: values.ZIA_SHUTDOWN_DEADLINE_MS ?? values.ZIA_REQUEST_TIMEOUT_MS + SPARE_AFTER_REQUEST_MS,
    onUncertain: values.ZIA_ON_UNCERTAIN,
    resultPollMs: values.ZIA_RESULT_POLL_MS,
    resultMaxAgeHours: values.ZIA_RESULT_MAX_AGE_HOURS,
    keepAllowance: values.ZIA_KEEP_ALLOWANCE,
    resumeAfterLimitMs: values.ZIA_RESUME_AFTER_LIMIT_HOURS * 3_600_000,
    keepResultsMs: values.ZIA_KEEP_RESULTS_DAYS * 86_400_000,
    keepLargeResults: values.ZIA_RESULT_KEEP_LARGE === 'yes',
  };
}

function contradictions({ work, dashboard }: Config): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const check = (fine: boolean, variable: string, expectation: string, received: string | null) => {
    if (!fine) problems.push({ variable, expectation, received });
  };
  check(
    work.backoffBaseMs <= work.backoffCapMs,
    'ZIA_BACKOFF_BASE_MS',
    `at most ZIA_BACKOFF_CAP_MS (${work.backoffCapMs})`,
    String(work.backoffBaseMs),
  );
  check(
    work.requestTimeoutMs < work.shutdownDeadlineMs,
    'ZIA_SHUTDOWN_DEADLINE_MS',
    `more than ZIA_REQUEST_TIMEOUT_MS (${work.requestTimeoutMs}), so that calls in flight can finish`,
    String(work.shutdownDeadlineMs),
  );
  check(
    (dashboard.user === undefined) === (dashboard.password === undefined),
    'ZIA_DASHBOARD_USER',
    'to be set together with ZIA_DASHBOARD_PASSWORD, or neither',
    null,
  );
  return problems;
}

/** The entries that have a value: optional properties are absent rather than undefined. */
function present<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }; // undefined was just left out
}
