import * as z from 'zod';
import { NOTICE_EVENTS } from '../core/notices.js';
import {
  amount,
  ipAddress,
  matching,
  oneOf,
  origin,
  PROFILE_NAME,
  positiveNumber,
  proxyAddress,
  someOf,
  webhook,
  wholeNumber,
} from './values.js';

export const DATA_CENTERS = ['us', 'eu', 'in', 'au', 'jp', 'ca', 'cn', 'sa', 'uk', 'ae'] as const;
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'silent'] as const;

/** Far beyond what Zoho allows an app (20 calls in flight with Enterprise, 25 with Ultimate), but not beyond rehearsals. */
const MAX_IN_FLIGHT = 250;
const MAX_PER_SECOND = 100_000;
const DAY_MS = 86_400_000;

const text = () => z.string();
const port = () => wholeNumber(0, 65_535);

interface Meta {
  readonly group: string;
  readonly secret?: true;
  /** Shown in place of the default when that depends on another variable or is simply absent. */
  readonly unset?: string;
}

/** Adds what the documents say about a variable to its schema. */
const about = <T extends z.ZodType>(schema: T, description: string, meta: Meta): T =>
  schema.meta({ description, ...meta }) as T; // `meta` returns a copy of the same class

const ZOHO = { group: 'Zoho account' };
const ENGINE = { group: 'Engine' };
const WORK = { group: 'Work' };
const UNATTENDED = { group: 'Unattended' };
const WATCH = { group: 'Dashboard, metrics, log' };

/** Every variable the program reads; an absent one parses as `undefined`. */
export const SCHEMA = z.object({
  ZIA_PROFILE: about(
    matching(PROFILE_NAME, 'up to 40 of the characters a-z, 0-9 and -').optional(),
    'Name of a profile: settings come from .env.NAME in place of .env, and the store is apart. Only from the environment, or `--profile`.',
    { group: 'Profile' },
  ),

  ZOHO_CLIENT_ID: about(text().optional(), 'Client id of the self client in Zoho’s API console.', ZOHO),
  ZOHO_CLIENT_SECRET: about(text().optional(), 'Its secret.', { ...ZOHO, secret: true }),
  ZOHO_REFRESH_TOKEN: about(text().optional(), 'Refresh token with scope `ZohoCRM.settings.intelligence.ALL`.', {
    ...ZOHO,
    secret: true,
  }),
  ZOHO_DC: about(oneOf(DATA_CENTERS).default('us'), `Data center of the account: ${DATA_CENTERS.join(', ')}.`, ZOHO),
  ZOHO_ACCOUNTS_URL: about(
    origin().optional(),
    'Accounts server, in place of the data center’s. Plain http for this machine only.',
    ZOHO,
  ),
  ZOHO_API_DOMAIN: about(
    origin().optional(),
    'API server, in place of the one that Zoho names with each token. Plain http for this machine only.',
    ZOHO,
  ),
  ZOHO_API_VERSION: about(oneOf(['v7', 'v8']).default('v7'), 'API version: v7 or v8.', ZOHO),
  HTTPS_PROXY: about(
    proxyAddress().optional(),
    'Proxy that Zoho is called through, such as http://user:password@proxy.example:3128.',
    { ...ZOHO, secret: true },
  ),
  NO_PROXY: about(text().optional(), 'Hosts called without the proxy, separated by commas; `*` is all of them.', ZOHO),

  REDIS_URL: about(
    matching(/^rediss?(\+[a-z]+)?:\/\/\S+$/i, 'an address such as redis://127.0.0.1:6379').optional(),
    'Redis server; docs/operations.md shows the forms for TLS, Sentinel and Cluster. Without it the queue lives in ZIA_DATA_DIR.',
    { ...ENGINE, secret: true, unset: 'the embedded engine' },
  ),
  ZIA_DATA_DIR: about(
    text().default('.zia'),
    'Folder of the embedded engine and of what this working directory remembers; with a profile `.zia-NAME`.',
    ENGINE,
  ),
  ZIA_PREFIX: about(
    matching(/^[\w.-]{1,40}$/, 'up to 40 letters, digits, dots, dashes and underscores').default('zia'),
    'First part of every key in Redis; one store for each prefix. With a profile `zia-NAME`.',
    ENGINE,
  ),
  ZIA_QUEUE: about(
    matching(/^[\w.-]{1,60}$/, 'up to 60 letters, digits, dots, dashes and underscores').default('zia-enrich'),
    'Name of the queue.',
    ENGINE,
  ),

  ZIA_MODULE: about(
    matching(/^[A-Za-z]\w{0,254}$/, 'the API name of a CRM module').default('Accounts'),
    'CRM module of the rows; read when enqueueing.',
    WORK,
  ),
  ZIA_RATE_LIMIT_PER_SECOND: about(
    positiveNumber(MAX_PER_SECOND).default(10),
    'Calls per second, over all workers together.',
    WORK,
  ),
  ZIA_MAX_IN_FLIGHT: about(
    wholeNumber(1, MAX_IN_FLIGHT).default(5),
    'Calls in flight, over all workers together. Zoho allows an app 20 with Enterprise, 25 with Ultimate.',
    WORK,
  ),
  ZIA_WORKER_CONCURRENCY: about(
    wholeNumber(1, MAX_IN_FLIGHT).optional(),
    'Rows one worker holds at a time. A few more than may be in flight keep the next row at hand for a permit that becomes free.',
    { ...WORK, unset: 'ZIA_MAX_IN_FLIGHT and a quarter more, at least 2 more' },
  ),
  ZIA_MAX_ATTEMPTS: about(wholeNumber(1, 100).default(5), 'Attempts at a row before it fails.', WORK),
  ZIA_BACKOFF_BASE_MS: about(
    wholeNumber(1, DAY_MS).default(1_000),
    'Delay after the first failed attempt; doubles with each.',
    WORK,
  ),
  ZIA_BACKOFF_CAP_MS: about(wholeNumber(1, DAY_MS).default(60_000), 'Longest delay between attempts.', WORK),
  ZIA_REQUEST_TIMEOUT_MS: about(
    wholeNumber(3_000, 600_000).default(30_000),
    'Longest wait for an answer of Zoho; at least 3000.',
    WORK,
  ),
  ZIA_SHUTDOWN_DEADLINE_MS: about(
    wholeNumber(100, 900_000).optional(),
    'Time for calls in flight to finish after SIGTERM or Ctrl-C; longer than ZIA_REQUEST_TIMEOUT_MS.',
    { ...WORK, unset: 'ZIA_REQUEST_TIMEOUT_MS + 15000' },
  ),
  ZIA_ON_UNCERTAIN: about(
    oneOf(['resend', 'hold']).default('resend'),
    'What to do with a row whose answer was lost and that a look-up does not find: resend or hold.',
    WORK,
  ),
  ZIA_RESULT_POLL_MS: about(
    wholeNumber(100, DAY_MS).default(30_000),
    'First wait before results are asked for; grows.',
    WORK,
  ),
  ZIA_RESULT_MAX_AGE_HOURS: about(
    wholeNumber(1, 8_760).default(72),
    'How long results of a row are asked for at most.',
    WORK,
  ),
  ZIA_RESULT_KEEP_LARGE: about(
    oneOf(['no', 'yes']).default('no'),
    'Keep logos and long texts of results too: no or yes.',
    WORK,
  ),

  ZIA_KEEP_ALLOWANCE: about(
    wholeNumber(0, 1_000_000).default(0),
    'So many enrichments of the allowance are kept back for others: the workers stop (RESERVE_REACHED) before. 0 is none.',
    UNATTENDED,
  ),
  ZIA_RESUME_AFTER_LIMIT_HOURS: about(
    amount(8_760).default(0),
    'After LIMIT_EXCEEDED, hours until the workers try again by themselves, one row first; after RESERVE_REACHED they ask Zoho what is left. 0 is never.',
    UNATTENDED,
  ),
  ZIA_KEEP_RESULTS_DAYS: about(
    amount(36_500).default(0),
    'Days after which what was sent for a finished row, and what Zia found, is removed; the row stays known and is not paid for again. 0 keeps it for good.',
    UNATTENDED,
  ),
  ZIA_NOTIFY_URL: about(
    webhook().optional(),
    'Webhook that is told of stops and ends: Slack, Mattermost, Google Chat, Zoho Cliq or your own.',
    { ...UNATTENDED, secret: true },
  ),
  ZIA_NOTIFY_EVENTS: about(
    someOf(NOTICE_EVENTS).default([...NOTICE_EVENTS]),
    `What it is told of: ${NOTICE_EVENTS.join(', ')}.`,
    UNATTENDED,
  ),

  ZIA_DASHBOARD_HOST: about(
    text().default('127.0.0.1'),
    'Address of the dashboard; any other than this machine’s needs a login.',
    WATCH,
  ),
  ZIA_DASHBOARD_PORT: about(port().default(3_000), 'Port of the dashboard.', WATCH),
  ZIA_DASHBOARD_USER: about(text().optional(), 'Login of the dashboard: user.', WATCH),
  ZIA_DASHBOARD_PASSWORD: about(text().optional(), 'Login of the dashboard: password.', { ...WATCH, secret: true }),
  ZIA_DASHBOARD_ALLOWED_HOSTS: about(
    matching(/^[\w.-]+(\s*,\s*[\w.-]+)*$/, 'host names, separated by commas').optional(),
    'Further host names the dashboard answers to, such as that of a proxy before it; separated by commas.',
    WATCH,
  ),
  ZIA_DASHBOARD_TRUSTED_PROXY: about(
    ipAddress().optional(),
    'Address of a proxy before the dashboard: failed logins are counted by the last address it tells in X-Forwarded-For.',
    WATCH,
  ),
  ZIA_DASHBOARD_READ_ONLY: about(
    oneOf(['true', 'false']).default('false'),
    'true: the dashboard shows, and changes nothing: no resume, no upload, no enqueueing.',
    WATCH,
  ),
  ZIA_DASHBOARD_MAX_UPLOAD_MB: about(
    wholeNumber(1, 10_000).default(100),
    'Largest file that the dashboard takes, in megabytes.',
    WATCH,
  ),
  ZIA_METRICS_HOST: about(text().default('127.0.0.1'), 'Address of a worker’s metrics and health checks.', WATCH),
  ZIA_METRICS_PORT: about(port().default(9_464), 'Their port; the next free one when it is taken.', WATCH),
  LOG_LEVEL: about(oneOf(LOG_LEVELS).optional(), `Least severe events logged: ${LOG_LEVELS.join(', ')}.`, {
    ...WATCH,
    unset: 'info for services, less for commands that end',
  }),
});

export type Variables = z.infer<typeof SCHEMA>;

/** One environment variable as the documents list it. */
export interface VariableInfo {
  readonly name: string;
  /** Null when there is none: see `unset`. */
  readonly default: string | null;
  /** What holds when the variable is absent and has no default of its own. */
  readonly unset: string | null;
  readonly description: string;
  readonly secret: boolean;
  readonly group: string;
}

/** All variables in the order of the documents; `.env.example` and `docs/configuration.md` list the same. */
export const VARIABLES: readonly VariableInfo[] = Object.entries(SCHEMA.shape).map(([name, schema]) => {
  const fallback: unknown = schema.parse(undefined);
  const {
    description = '',
    group,
    secret = false,
    unset = null,
  } = schema.meta() as Partial<Meta> & { description?: string };
  return {
    name,
    default: fallback === undefined ? null : String(fallback),
    unset,
    description,
    secret,
    group: group ?? '',
  };
});
