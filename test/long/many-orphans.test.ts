import { afterEach, expect, test } from '@jest/globals';
import { API_USER } from '../../src/sandbox/enrichments.js';
import { TOLERANCE_MS } from '../../src/workers/list-enrichments.js';
import { type FleetUnderTest, openFleet } from '../chaos/fleet-under-test.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

const ORPHANS = 10_000;
const FEW = 10;

/**
 * Run in each worker: tells on stderr of each time its event loop was blocked, and of the most memory it held. A block is as
 * long as the process computed meanwhile, so that a machine that does much else counts for nothing.
 */
const WATCH = `
let at = performance.now(), cpu = process.cpuUsage(), most = 0;
setInterval(() => {
  const { user, system } = process.cpuUsage(cpu);
  const ms = Math.min(performance.now() - at - 10, (user + system) / 1000);
  if (ms > 50) console.error(JSON.stringify({ event: 'test.blocked', atMs: Date.now(), ms: Math.round(ms) }));
  const { rss } = process.memoryUsage();
  if (rss > most + 2e6) console.error(JSON.stringify({ event: 'test.memory', atMs: Date.now(), mb: Math.round((most = rss) / 1e6) }));
  at = performance.now(), cpu = process.cpuUsage();
}, 10).unref();`;

interface Told {
  readonly event: string;
  readonly atMs: number;
  readonly ms: number;
  readonly mb: number;
}

function told({ workers }: FleetUnderTest, event: string, sinceMs: number): readonly Told[] {
  return workers.flatMap((worker) =>
    worker
      .stderr()
      .split('\n')
      .flatMap((line): Told[] => (line.startsWith(`{"event":"${event}"`) ? [JSON.parse(line)] : []))
      .filter(({ atMs }) => atMs >= sinceMs),
  );
}

test('10,000 rows whose record was lost are looked through once, by one worker, without a pause, and told meanwhile', async () => {
  const fleet = t.closing(
    await openFleet({
      engine: 'redis',
      rows: FEW,
      workers: 2,
      seed: 1,
      callsPerSecond: 2_000,
      losing: true,
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(WATCH)}` },
    }),
    (opened) => opened.close(false),
  );
  const { sandbox, redis, producer, workers } = fleet;
  const status = async () => {
    const { code, stdout, stderr } = await fleet.command(['status', '--json']);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  };
  producer.start();
  for (const worker of workers) worker.start();
  await waitFor(async () => (await status()).queue.completed === FEW, { what: 'the first rows' });
  await redis?.snapshot();
  for (let at = 0; at < ORPHANS; at += 1) {
    sandbox.enrich({ module: 'Accounts', name: `Lost ${at}`, website: `www.lost-${at}.example` }, API_USER);
  }
  const madeAtMs = Date.now();
  // The second round begins so much before the first; at the usual pace that is a page or two.
  await waitFor(() => Date.now() > madeAtMs + TOLERANCE_MS, { what: 'the rows to be older than the tolerance' });
  const before = sandbox.log().length;
  const gets = () =>
    sandbox
      .log()
      .slice(before)
      .filter(({ kind }) => kind === 'get');
  await redis?.end('SIGKILL');
  await redis?.start();

  await waitFor(() => gets().length > 100, { what: 'the look' });
  const sinceMs = Date.now();
  const atStart = Math.max(...told(fleet, 'test.memory', 0).map(({ mb }) => mb));
  await waitFor(async () => (await status()).look?.asked > 0, { what: 'status to tell of the look' });
  expect((await status()).look).toMatchObject({ orphans: ORPHANS, secondsLeft: expect.any(Number) });
  // A command takes as much of the machine as a thousand calls, so it is asked only when it can be over.
  await waitFor(() => sandbox.log().length - before > ORPHANS, { what: 'the calls of the look', timeoutMs: 900_000 });
  await waitFor(async () => (await status()).look === undefined, { what: 'the end of the look' });

  const orphans = new Set<string>(
    sandbox
      .enrichments()
      .slice(FEW)
      .map(({ id }) => id),
  );
  const calls = sandbox
    .log()
    .slice(before)
    .map(({ kind, path }) => ({ kind, id: path.match(/\d{10,}/)?.[0] ?? '' }));
  const isOfOrphan = ({ kind, id }: { kind: string; id: string }) => kind === 'get' && orphans.has(id);
  const asked = calls.filter(isOfOrphan).map(({ id }) => id);
  expect(new Set(asked).size).toBe(ORPHANS);
  expect(asked.length).toBe(ORPHANS);
  // What comes after the last of them is the second round, and the walk for the results of the first rows.
  const untilLast = calls.slice(0, calls.findLastIndex(isOfOrphan));
  expect(untilLast.filter(({ kind }) => kind === 'list').length).toBeLessThanOrEqual(ORPHANS / 100 + 1);
  expect(told(fleet, 'test.blocked', sinceMs).filter(({ ms }) => ms > 200)).toEqual([]);
  // 10,000 lines of the list, and their echoes: some 30 MB at once, and what the collector of garbage is late with.
  expect(Math.max(...told(fleet, 'test.memory', sinceMs).map(({ mb }) => mb)) - atStart).toBeLessThan(120);
}, 1_200_000);
