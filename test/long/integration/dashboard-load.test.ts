import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { UnrecoverableError } from 'bullmq';
import { Redis } from 'ioredis';
import { startDashboard } from '../../../src/dashboard/server.js';
import type { EnrichmentId, IdentityKey } from '../../../src/lib/core/ids.js';
import type { Engine } from '../../../src/lib/engine/engine.js';
import { type EnrichQueue, jobOptions } from '../../../src/lib/queues.js';
import { openTestEngine, quietLog, testRedisUrl } from '../../support/engines.js';
import { setup, type TestScope } from '../../support/setup.js';
import { waitFor } from '../../support/wait.js';

jest.setTimeout(180_000);

/** Enough to see a walk over them, and enough for a slow one. */
const JOBS = [
  ['5,000', 5_000],
  ['200,000', 200_000],
] as const;
const CHUNK = 1_000;
/** A read may touch so many elements of a list or a set, however many it has: problems are grouped over the latest thousand. */
const MAX_ELEMENTS = 1_000;
/** A job's own hash, and those of a fixed number of fields. */
const SMALL_HASH = /r1(job|entry|failing)\d+$|:meta$/;

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

test.each(JOBS)(
  'answers in under 300 ms with %s jobs in the queue, and never walks over them',
  async (shown, count) => {
    const { engine, settings } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
    const queue = t.closing(engine.openQueue(), (opened) => opened.close());
    await fillLedger(engine);
    await failJobs(engine, queue);
    for (let at = 0; at < count; at += CHUNK) await queue.addBulk(jobs('job', at, CHUNK));
    const dashboard = t.closing(await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog }), (opened) =>
      opened.close(),
    );
    const page = async () => (await fetch(dashboard.url)).text();
    expect(await page()).toContain(`>${shown}</a></dd>`);

    const redis = t.closing(new Redis(testRedisUrl()), (client) => client.disconnect());
    const commands = await monitored(t);
    const timesMs: number[] = [];
    for (let at = 0; at < 10; at += 1) {
      const startedAtMs = performance.now();
      await page();
      timesMs.push(performance.now() - startedAtMs);
    }
    expect(timesMs.sort((a, b) => a - b)[5]).toBeLessThan(300);

    await redis.ping('all of them were seen');
    await waitFor(() => commands.some((words) => words.includes('all of them were seen')));
    // Those that a script sends come with a name of their own.
    const own = commands.filter((words) => words.some((word) => word.includes(settings.prefix)));
    expect(own.length).toBeGreaterThan(20);
    expect(own.filter(walksOver)).toEqual([]);
  },
);

/**
 * The words of each command from now on. Not by the client's own `monitor()`: where the first commands arrive in one piece with
 * the answer to MONITOR, ioredis 6.0 takes them for answers that nobody asked for.
 */
async function monitored(t: TestScope): Promise<readonly string[][]> {
  const client = t.closing(new Redis(testRedisUrl()), (opened) => opened.disconnect());
  await client.ping();
  const { stream } = client;
  stream.removeAllListeners('data');
  const commands: string[][] = [];
  createInterface({ input: stream }).on('line', (line) => {
    commands.push([...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => word));
  });
  stream.write('MONITOR\r\n');
  await waitFor(() => commands.length > 0, { what: 'the answer to MONITOR' });
  return commands;
}

const ENTRIES = 2_000;
const FAILURES = 500;

function jobs(name: string, from: number, count: number): Parameters<EnrichQueue['addBulk']>[0] {
  return Array.from({ length: count }, (_, index) => ({
    name: 'enrich',
    data: { v: 1 as const, module: 'Accounts', name: `Company ${from + index}` },
    opts: jobOptions(`r1${name}${from + index}` as IdentityKey, 5),
  }));
}

/** Rows that were submitted, some of which Zoho then failed. */
async function fillLedger({ store }: Engine): Promise<void> {
  const limits = { callsPerSecond: 0, maxInFlight: 50, permitTtlMs: 60_000 };
  const submit = async (at: number) => {
    const key = `r1entry${at}` as IdentityKey;
    const call = { key, callId: `call-${at}`, sent: { module: 'Accounts' }, limits, claimLostAfterMs: 60_000 };
    await store.admit(call);
    await store.settle(key, call.callId, String(at + 1) as EnrichmentId);
    if (at < FAILURES) await store.finish(key, 'FAILED', null);
  };
  for (let at = 0; at < ENTRIES; at += 50)
    await Promise.all(Array.from({ length: 50 }, (_, more) => submit(at + more)));
}

async function failJobs(engine: Engine, queue: EnrichQueue): Promise<void> {
  await queue.addBulk(jobs('failing', 0, FAILURES));
  const worker = engine.openWorker(
    () => {
      throw new UnrecoverableError('INVALID_DATA: Zoho does not accept this name.');
    },
    { autorun: true, concurrency: 20 },
  );
  await waitFor(async () => (await engine.counts()).failed === FAILURES, { what: 'failures' });
  await worker.close();
}

test.each([
  ['zrange key 0 999', false],
  ['zrange key 0 -1', true],
  ['ZRANGE key 0 1000', true],
  ['zrange key -inf +inf BYSCORE', true],
  ['zrange key -inf +inf BYSCORE LIMIT 0 100', false],
  ['zrange key -inf +inf BYSCORE LIMIT 0 -1', true],
  ['zrangebyscore key 0 10', true],
  ['zrevrangebyscore key 10 0 LIMIT 0 10', false],
  ['zrange key 0 8 REV', false],
  ['lrange key -100 -1', false],
  ['lrange key 0 -1', true],
  ['lpos key job', true],
  ['lpos key job MAXLEN 50', false],
  ['hgetall key', true],
  ['hget key field', false],
  ['keys *', true],
])('%s reads what grows with the queue: %s', (command, expected) => {
  expect(walksOver(command.split(' '))).toBe(expected);
});

const WHOLE = /^(keys|scan|hscan|sscan|zscan|hkeys|hvals|smembers|sort|sunion|sinter|zunion|zinter)$/i;

/** Whether a command reads a number of elements that grows with the queue. Hashes that are jobs or totals are small. */
function walksOver([name = '', key = '', ...words]: string[]): boolean {
  if (WHOLE.test(name)) return true;
  if (/^hgetall$/i.test(name)) return !SMALL_HASH.test(key);
  if (/^lpos$/i.test(name)) return !isFew(numberAfter(words, 'MAXLEN'));
  if (!/^(lrange|z(rev)?range(bylex|byscore)?)$/i.test(name)) return false;
  const isByValue = /by/i.test(name) || words.some((word) => /^by(score|lex)$/i.test(word));
  const [from, to] = [Number(words[0]), Number(words[1])];
  return isByValue ? !isFew(numberAfter(words, 'LIMIT', 2)) : from < 0 !== to < 0 || !isFew(to - from + 1);
}

/** The number so many words behind an option; null without it. */
function numberAfter(words: readonly string[], option: string, behind = 1): number | null {
  const at = words.findIndex((word) => word.toUpperCase() === option);
  return at === -1 ? null : Number(words[at + behind]);
}

function isFew(elements: number | null): boolean {
  return elements !== null && elements >= 0 && elements <= MAX_ELEMENTS;
}
