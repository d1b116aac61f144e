import { describe, expect, test } from '@jest/globals';
import { ConfigError, loadConfig, requireCredentials } from '../../src/lib/config.js';
import { UsageError } from '../../src/lib/errors.js';

const ACCOUNT = { ZOHO_CLIENT_ID: '1000.ABC', ZOHO_CLIENT_SECRET: 'very-secret', ZOHO_REFRESH_TOKEN: '1000.abc.def' };

function problemsOf(env: Record<string, string>) {
  try {
    loadConfig(env, '/work');
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('an empty environment', () => {
  test('gives the documented defaults', () => {
    const config = loadConfig({}, '/somewhere');
    expect(config).toEqual({
      engine: { dataDir: '/somewhere/.zia', prefix: 'zia', queueName: 'zia-enrich' },
      zoho: { dc: 'us', apiVersion: 'v7' },
      notify: { events: ['stopped', 'resumed', 'idle', 'held'] },
      work: {
        module: 'Accounts',
        ratePerSecond: 10,
        maxInFlight: 5,
        concurrency: 7,
        maxAttempts: 5,
        backoffBaseMs: 1_000,
        backoffCapMs: 60_000,
        requestTimeoutMs: 30_000,
        shutdownDeadlineMs: 45_000,
        onUncertain: 'resend',
        resultPollMs: 30_000,
        keepAllowance: 0,
        keepResultsMs: 0,
        resumeAfterLimitMs: 0,
        resultMaxAgeHours: 72,
        keepLargeResults: false,
      },
      dashboard: {
        host: '127.0.0.1',
        port: 3_000,
        allowedHosts: [],
        readOnly: false,
        maxUploadBytes: 100_000_000,
      },
      metrics: { host: '127.0.0.1', port: 9_464 },
    });
  });

  test('is the same as one whose values are all empty', () => {
    expect(loadConfig({ REDIS_URL: '', ZIA_PREFIX: ' ', ZOHO_DC: '' }, '/')).toEqual(loadConfig({}, '/'));
  });
});

test('the configuration and its slices are frozen', () => {
  const config = loadConfig({});
  for (const part of [config, config.engine, config.zoho, config.work, config.dashboard, config.metrics]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

test.each([
  ['ZOHO_DC', 'EU', (c: ReturnType<typeof loadConfig>) => c.zoho.dc, 'eu'],
  [
    'ZOHO_API_DOMAIN',
    'https://www.zohoapis.eu/',
    (c: ReturnType<typeof loadConfig>) => c.zoho.apiDomain,
    'https://www.zohoapis.eu',
  ],
  [
    'ZOHO_ACCOUNTS_URL',
    'http://127.0.0.1:8181',
    (c: ReturnType<typeof loadConfig>) => c.zoho.accountsUrl,
    'http://127.0.0.1:8181',
  ],
  ['ZIA_RATE_LIMIT_PER_SECOND', '0.5', (c: ReturnType<typeof loadConfig>) => c.work.ratePerSecond, 0.5],
  ['ZIA_WORKER_CONCURRENCY', '9', (c: ReturnType<typeof loadConfig>) => c.work.concurrency, 9],
  ['ZIA_MAX_IN_FLIGHT', '7', (c: ReturnType<typeof loadConfig>) => c.work.concurrency, 9],
  ['ZIA_MAX_IN_FLIGHT', '5', (c: ReturnType<typeof loadConfig>) => c.work.concurrency, 7],
  ['ZIA_MAX_IN_FLIGHT', '20', (c: ReturnType<typeof loadConfig>) => c.work.concurrency, 25],
  ['ZIA_REQUEST_TIMEOUT_MS', '3000', (c: ReturnType<typeof loadConfig>) => c.work.shutdownDeadlineMs, 18_000],
  [
    'REDIS_URL',
    'rediss://:pw@cache.example:6380/1',
    (c: ReturnType<typeof loadConfig>) => c.engine.redisUrl,
    'rediss://:pw@cache.example:6380/1',
  ],
  ['LOG_LEVEL', 'debug', (c: ReturnType<typeof loadConfig>) => c.logLevel, 'debug'],
] as const)('reads %s=%s', (name, value, pick, expected) => {
  expect(pick(loadConfig({ [name]: value }))).toBe(expected);
});

test.each([
  ['ZOHO_DC', 'mars'],
  ['ZOHO_ACCOUNTS_URL', 'http://accounts.zoho.com'],
  ['ZOHO_API_DOMAIN', 'https://user:pw@www.zohoapis.com'],
  ['ZOHO_API_DOMAIN', 'https://www.zohoapis.com/crm/v7'],
  ['ZOHO_API_DOMAIN', 'www.zohoapis.com'],
  ['ZOHO_API_VERSION', 'v9'],
  ['REDIS_URL', 'localhost:6379'],
  ['ZIA_PREFIX', '{zia}'],
  ['ZIA_QUEUE', 'zia:enrich'],
  ['ZIA_MODULE', 'My Module'],
  ['ZIA_RATE_LIMIT_PER_SECOND', '0'],
  ['ZIA_RATE_LIMIT_PER_SECOND', '1e3'],
  ['ZIA_MAX_IN_FLIGHT', '251'],
  ['ZIA_MAX_IN_FLIGHT', '2.5'],
  ['ZIA_MAX_ATTEMPTS', '-1'],
  ['ZIA_ON_UNCERTAIN', 'guess'],
  ['ZIA_DASHBOARD_PORT', '70000'],
  ['LOG_LEVEL', 'chatty'],
])('refuses %s=%s, naming the variable and the value', (name, value) => {
  const problems = problemsOf({ [name]: value });
  expect(problems.map(({ variable }) => variable)).toEqual([name]);
  if (name !== 'REDIS_URL') expect(problems[0]?.received).toBe(JSON.stringify(value));
});

test('reports bad values and unknown names all at once', () => {
  const problems = problemsOf({
    ZIA_MAX_IN_FLIGHT: 'many',
    ZOHO_DC: 'mars',
    ZIA_RATE_LIMIT: '5',
    ZIA_NONSENSE_ZZZZ: '1',
  });
  expect(problems.map(({ variable }) => variable).sort()).toEqual([
    'ZIA_MAX_IN_FLIGHT',
    'ZIA_NONSENSE_ZZZZ',
    'ZIA_RATE_LIMIT',
    'ZOHO_DC',
  ]);
});

test.each([
  ['ZIA_MAX_INFLIGHT', 'ZIA_MAX_IN_FLIGHT'],
  ['ZIA_RATE_LIMIT', 'ZIA_RATE_LIMIT_PER_SECOND'],
  ['ZIA_DC', 'ZOHO_DC'],
])('for the unknown name %s suggests %s', (name, suggested) => {
  expect(problemsOf({ [name]: '5' })[0]?.expectation).toContain(`did you mean ${suggested}?`);
});

test('leaves unknown names without ZIA_ alone', () => {
  expect(problemsOf({ ZOHO_SOMETHING: 'x', PATH: '/bin', REDIS_HOST: 'y' })).toEqual([]);
});

test('masks the value of a secret that is wrong', () => {
  const problems = problemsOf({ REDIS_URL: 'http://:hunter22@host' });
  expect(JSON.stringify(problems)).not.toContain('hunter22');
});

test.each([
  [{ ZIA_BACKOFF_BASE_MS: '5000', ZIA_BACKOFF_CAP_MS: '1000' }, 'ZIA_BACKOFF_BASE_MS'],
  [{ ZIA_SHUTDOWN_DEADLINE_MS: '30000' }, 'ZIA_SHUTDOWN_DEADLINE_MS'],
  [{ ZIA_DASHBOARD_USER: 'admin' }, 'ZIA_DASHBOARD_USER'],
])('refuses settings that contradict each other: %j', (env, variable) => {
  expect(problemsOf(env as Record<string, string>).map((problem) => problem.variable)).toEqual([variable]);
});

describe('credentials', () => {
  test('may be absent until a command needs them', () => {
    expect(loadConfig({}).zoho.clientId).toBeUndefined();
  });

  test('that are absent are named in one sentence', () => {
    const { zoho } = loadConfig({ ZOHO_CLIENT_SECRET: 'very-secret' });
    expect(() => requireCredentials(zoho)).toThrow(UsageError);
    expect(() => requireCredentials(zoho)).toThrow(/lack ZOHO_CLIENT_ID and ZOHO_REFRESH_TOKEN;/);
    expect(() => requireCredentials(zoho)).not.toThrow(/very-secret/);
  });

  test('that are complete come back as an account', () => {
    expect(requireCredentials(loadConfig(ACCOUNT).zoho)).toMatchObject({
      clientId: '1000.ABC',
      refreshToken: '1000.abc.def',
    });
  });
});
