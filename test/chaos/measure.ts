import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Summary, summarise } from '../../src/sandbox/effects.js';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js';
import { cli } from '../support/cli.js';
import { openDurableRedis } from './durable-redis.js';
import { createMember, removeFolder } from './member.js';

interface Scene {
  readonly rows: number;
  readonly workers: number;
  readonly callsPerSecond: number;
  readonly maxInFlight: number;
  readonly sandbox: Parameters<typeof startSandbox>[0];
}

interface Measured {
  readonly summary: Summary;
  readonly spanSeconds: number;
  readonly sandbox: Sandbox;
}

const STOP_RUNS = 5;

/** Runs real workers on a file until they are idle or stopped, and tells what the stand-in saw. `then` may go on from there. */
async function measure(
  scene: Scene,
  then: (run: { work: () => Promise<void>; command: Command; sandbox: Sandbox }) => Promise<void> = async () =>
    undefined,
): Promise<Measured> {
  const dir = await mkdtemp(join(tmpdir(), 'zia-measure-'));
  const redis = await openDurableRedis();
  const sandbox = await startSandbox(scene.sandbox);
  const env = {
    REDIS_URL: redis.url,
    ZOHO_CLIENT_ID: 'sandbox',
    ZOHO_CLIENT_SECRET: 'sandbox',
    ZOHO_REFRESH_TOKEN: 'sandbox',
    ZOHO_ACCOUNTS_URL: sandbox.url,
    ZOHO_API_DOMAIN: sandbox.url,
    ZIA_RATE_LIMIT_PER_SECOND: String(scene.callsPerSecond),
    ZIA_MAX_IN_FLIGHT: String(scene.maxInFlight),
  };
  const command: Command = (words) => cli(words, { cwd: dir, env });
  const work = async () => {
    const workers = Array.from({ length: scene.workers }, (_, index) =>
      createMember(`worker ${index + 1}`, ['worker', '--until-idle'], { cwd: dir, env }),
    );
    for (const worker of workers) worker.start();
    await Promise.all(workers.map((worker) => worker.finished()));
  };
  try {
    await writeFile(join(dir, 'a.csv'), csvOf(scene.rows));
    await command(['enqueue', 'a.csv']);
    await work();
    await then({ work, command, sandbox });
    const times = sandbox.log().flatMap(({ kind, atMs }) => (kind === 'token' ? [] : [atMs]));
    return {
      summary: summarise(sandbox.log()),
      spanSeconds: ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000,
      sandbox,
    };
  } finally {
    await sandbox.close();
    await redis.close();
    await removeFolder(dir);
  }
}

type Command = (words: readonly string[]) => ReturnType<typeof cli>;

async function pace(): Promise<void> {
  console.log('Pace: calls that reached Zoho’s stand-in, 100 ms latency');
  console.log('limit/s  workers  calls  most in any sliding second  reached  most in flight (allowed 20)');
  for (const callsPerSecond of [20, 100]) {
    for (const workers of [1, 4]) {
      const rows = callsPerSecond * 12;
      const { summary, spanSeconds } = await measure({
        rows,
        workers,
        callsPerSecond,
        maxInFlight: 20,
        sandbox: { latencyMs: 100 },
      });
      const reached = (100 * (summary.posts - 1)) / spanSeconds / callsPerSecond;
      console.log(
        [
          String(callsPerSecond).padStart(7),
          String(workers).padStart(7),
          String(summary.posts).padStart(5),
          String(summary.maxCallsInAnySecond).padStart(26),
          `${reached.toFixed(1)}%`.padStart(7),
          String(summary.maxInFlight).padStart(14),
        ].join('  '),
      );
    }
  }
}

async function stop(): Promise<void> {
  console.log(`\nStop: 4 workers, 20 in flight, 20 ms latency, quota spent after 300 rows, ${STOP_RUNS} runs`);
  console.log(
    'run  accepted  LIMIT_EXCEEDED answers  last POST after the first one, ms  POSTs of a resume into a spent quota',
  );
  const lateness: number[] = [];
  for (let run = 1; run <= STOP_RUNS; run++) {
    let first: Summary | undefined;
    const { summary } = await measure(
      { rows: 1_000, workers: 4, callsPerSecond: 1_000, maxInFlight: 20, sandbox: { latencyMs: 20, quota: 300 } },
      async ({ work, command, sandbox }) => {
        first = summarise(sandbox.log());
        await command(['resume']);
        await work();
      },
    );
    if (first === undefined) throw new Error('The run was not measured.');
    lateness.push(first.lastPostAfterLimitMs);
    console.log(
      [
        String(run).padStart(3),
        String(first.accepted).padStart(8),
        String(first.limitExceeded).padStart(22),
        first.lastPostAfterLimitMs.toFixed(1).padStart(32),
        String(summary.posts - first.posts).padStart(37),
      ].join('  '),
    );
  }
  console.log(`median of the last POST after the first LIMIT_EXCEEDED: ${median(lateness).toFixed(1)} ms`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function csvOf(rows: number): string {
  const lines = Array.from({ length: rows }, (_, index) => `Firm ${index},info@firm-${index}.example`);
  return ['Name,Email', ...lines, ''].join('\n');
}

await pace();
await stop();
