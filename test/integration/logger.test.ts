import { expect, test } from '@jest/globals';
import { logLine } from '../../src/cli/log-words.js';
import { createLogger, type LogFields, type Logger, type LoggerOptions, withoutRepeats } from '../../src/lib/logger.js';
import { redactText } from '../../src/lib/redaction.js';

async function setup(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', ...options, stream: { write: (line) => void lines.push(line) } });
  return { log, lines, events: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('writes one JSON line an event, with the event as its name and the fields of its parents', async () => {
  const t = await setup();
  t.log.child({ workerId: 'w1' }).info('worker.started', { concurrency: 5 });
  expect(t.lines).toHaveLength(1);
  expect(t.events()[0]).toMatchObject({ level: 'info', event: 'worker.started', workerId: 'w1', concurrency: 5 });
  expect(Date.parse(String(t.events()[0]?.time))).not.toBeNaN();
});

test('writes words for people when asked to, of redacted fields', async () => {
  const t = await setup({ words: logLine });
  t.log.warn('fleet.waiting', { code: 'THROTTLED', waitMs: 2_809 });
  t.log.warn('fleet.waiting', { code: 'ENOTFOUND', waitMs: 1_000 });
  t.log.warn('token.refresh-failed', { reason: 'outage', code: 'ECONNREFUSED' });
  t.log.warn('history.look-due', { sign: 'start', since: '2026-01-01T00:00:00.000Z' });
  t.log.error('engine.broken', { message: 'see redis://user:hunter22@host' });
  t.log.info('allowance.refused', { code: 'A', token: 'hunter22' });
  expect(t.lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))).toEqual([
    'Waiting 3 s: Zoho asked for fewer calls\n',
    'Waiting 1 s: Zoho cannot be reached (ENOTFOUND)\n',
    'Zoho gave no access token: Zoho cannot be reached (ECONNREFUSED)\n',
    'Before anything is sent, Zoho’s list is read for rows that this store may not know of\n',
    'Engine broken: see redis://[hidden]@host\n',
    'Allowance refused: code A, token [hidden]\n',
  ]);
});

test('leaves out events below its level', async () => {
  const t = await setup({ level: 'warn' });
  t.log.info('a.b');
  t.log.debug('a.b');
  t.log.error('a.b');
  expect(t.lines).toHaveLength(1);
});

test.each(['token', 'accessToken', 'refresh_token', 'clientSecret', 'client_secret', 'Authorization', 'password'])(
  'hides a field called %s',
  async (name) => {
    const t = await setup();
    t.log.error('a.b', { [name]: 'hunter22' });
    t.log.child({ [name]: 'hunter22' }).error('a.b');
    expect(t.lines.join('')).not.toContain('hunter22');
    expect(t.lines).toHaveLength(2);
  },
);

test.each([
  ['redis://user:hunter22@host:6379/0', 'redis://[hidden]@host:6379/0'],
  ['sent Authorization: Zoho-oauthtoken hunter22 to', 'sent Authorization: Zoho-oauthtoken [hidden] to'],
  [
    'POST /oauth/v2/token?refresh_token=hunter22&client_id=a',
    'POST /oauth/v2/token?refresh_token=[hidden]&client_id=a',
  ],
  ['body {"client_secret":"hunter22","x":1}', 'body {"client_secret":"[hidden]","x":1}'],
  ['token 1000.0123456789abcdef0123.0123456789abcdef0123 refused', 'token [hidden] refused'],
  ['https://www.zoho.com/a@b', 'https://www.zoho.com/a@b'],
])('hides only the secret in %s', (text, expected) => {
  expect(redactText(text)).toBe(expected);
});

test('hides the known secrets wherever they stand', async () => {
  const t = await setup({ secrets: ['correct-horse'] });
  t.log.error('a.b', { message: 'the server said correct-horse is wrong' });
  expect(t.events()[0]?.message).toBe('the server said [hidden] is wrong');
});

test('tells of an engine that is away once, then every half minute with how often, from whatever loop', () => {
  const told: [string, LogFields | undefined][] = [];
  const note = (event: string, fields?: LogFields) => void told.push([event, fields]);
  const inner: Logger = { error: note, warn: note, info: note, debug: note, child: () => inner };
  let now = 0;
  const log = withoutRepeats(inner, () => now);
  const loops = [log, log.child({ workerId: 'w' })];
  const meet = (reason: string) => {
    for (const each of loops) {
      each.warn('engine.error', { message: `Redis at h cannot be reached (${reason}); start it.` });
      each.warn('heartbeat.failed', { message: `Redis at h cannot be reached (${reason}); start it.` });
    }
  };
  for (; now < 60_000; now += 250) meet(now % 500 === 0 ? 'ECONNREFUSED' : 'ETIMEDOUT');
  expect(told).toEqual([
    ['engine.error', { message: 'Redis at h cannot be reached (ECONNREFUSED); start it.' }],
    ['engine.error', { message: 'Redis at h cannot be reached (ECONNREFUSED); start it.', repeats: 479 }],
  ]);
  log.warn('heartbeat.failed', { message: 'Redis at h is out of memory.' });
  log.warn('row.failed', { message: 'x' });
  log.warn('row.failed', { message: 'x' });
  expect(told.slice(2).map(([event]) => event)).toEqual(['heartbeat.failed', 'row.failed', 'row.failed']);
});
