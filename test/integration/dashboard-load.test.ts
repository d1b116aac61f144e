import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startDashboard } from '../../src/dashboard/server.js';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import { jobOptions } from '../../src/lib/queues.js';
import { openTestEngine, quietLog, testRedisUrl } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

jest.setTimeout(180_000);

const JOBS = 200_000;
const CHUNK = 2_000;
/** A read may touch so many elements of a list or a set, however many it has. */
const MOST_ELEMENTS = 100;

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

test('answers in under 300 ms with 200,000 jobs in the queue, and never walks over them', async () => {
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  for (let at = 0; at < JOBS; at += CHUNK) {
    await queue.addBulk(
      Array.from({ length: CHUNK }, (_, index) => ({
        name: 'enrich',
        data: { v: 1 as const, module: 'Accounts', name: `Company ${at + index}` },
        opts: jobOptions(`r1job${at + index}` as IdentityKey, 5),
      })),
    );
  }
  const dashboard = t.closing(await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog }), (opened) =>
    opened.close(),
  );
  const page = async () => (await fetch(dashboard.url)).text();
  expect(await page()).toContain('<dd class="">200,000</dd>');

  const redis = t.closing(new Redis(testRedisUrl()), (client) => client.disconnect());
  const monitor = t.closing(await redis.monitor(), (client) => client.disconnect());
  const commands: string[][] = [];
  monitor.on('monitor', (_time: string, words: string[]) => commands.push(words));
  const timesMs: number[] = [];
  for (let at = 0; at < 10; at += 1) {
    const startedAtMs = performance.now();
    await page();
    timesMs.push(performance.now() - startedAtMs);
  }
  expect(timesMs.sort((a, b) => a - b)[5]).toBeLessThan(300);

  await waitFor(() => commands.some((words) => words.some((word) => word.includes('{test-'))));
  expect(commands.filter(walksOver)).toEqual([]);
});

/** Commands that read a number of elements that grows with the queue. */
function walksOver([name = '', ...words]: string[]): boolean {
  if (/^(keys|scan|hscan|sscan|zscan|hkeys|hvals|smembers|sort)$/i.test(name)) return true;
  if (!/^(lrange|zrange|zrevrange)$/i.test(name)) return false;
  const [from, to] = [Number(words[1]), Number(words[2])];
  return to < 0 || to - from > MOST_ELEMENTS;
}
