import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf } from '../figure.js';
import { type Environment, type Scene, withScene, withZoho } from '../scene.js';

/** What `docs/configuration.md` recommends for many rows. */
const COMPACT = { 'hash-max-listpack-value': '512' };
const WORKER: Environment = {
  ZIA_RATE_LIMIT_PER_SECOND: '100000',
  ZIA_MAX_IN_FLIGHT: '20',
  ZIA_RESULT_POLL_MS: '86400000',
};

/** What a row costs in Redis. */
export const redis: Benchmark = {
  name: 'redis',
  summary: 'bytes a row in Redis, waiting and submitted, and commands and round trips per submitted row',
  async run({ submitRows: rows }, scene) {
    const file = join(scene.dir, 'companies.csv');
    await writeCompanies(file, rows);
    const bare = await bytesOf(scene, rows, () => scene.peer('bare-enqueue', [file]));
    const usual = await lifeOf(scene, file, rows, () => commandsOf(scene, () => submitAll(scene)));
    const compact = await withScene(COMPACT, (other) => lifeOf(other, file, rows, () => submitAll(other)));
    return {
      figures: [
        figureOf({
          what: 'Redis bytes a waiting row, against bare enqueue, default settings',
          unit: '',
          kind: 'memory',
          limit: { atMost: 1 },
          values: [usual.waiting / bare.bytes],
          from: { bytes: [usual.waiting], 'bare bytes': [bare.bytes] },
        }),
        figureOf({
          what: 'the same with hash-max-listpack-value 512',
          unit: '',
          kind: 'memory',
          limit: { atMost: 0.6 },
          values: [compact.waiting / bare.bytes],
          from: { bytes: [compact.waiting] },
        }),
        figureOf({
          what: 'Redis bytes a submitted row, job and ledger, with hash-max-listpack-value 512',
          unit: 'bytes',
          kind: 'memory',
          limit: { atMost: 1_100 },
          values: [compact.submitted],
          from: { 'with default settings': [usual.submitted] },
        }),
        figureOf({
          what: 'commands a worker sends to Redis per submitted row',
          unit: '',
          kind: 'count',
          limit: { atMost: 3.2 },
          values: [usual.submission.sent / rows],
          from: { 'run by Redis, scripts included': [usual.submission.run / rows] },
        }),
      ],
    };
  },
};

/** Bytes of a row on its way through Redis, enqueued and then submitted, and what `submit` resolved to. */
async function lifeOf<T>(scene: Scene, file: string, rows: number, submit: () => Promise<T>) {
  const { before, bytes } = await bytesOf(scene, rows, () => scene.program(['enqueue', file]));
  const submission = await submit();
  return { waiting: bytes, submission, submitted: ((await usedBytes(scene)) - before) / rows };
}

async function bytesOf(scene: Scene, rows: number, work: () => Promise<unknown>) {
  await scene.empty();
  const before = await usedBytes(scene);
  await work();
  return { before, bytes: ((await usedBytes(scene)) - before) / rows };
}

/** Memory of the data alone: buffers of connections and of the log on disk come and go. */
async function usedBytes({ redis: client }: Scene): Promise<number> {
  const [used, overhead] = [await client.info('memory'), await client.memory('STATS')];
  const stats = overhead as (string | number)[];
  const buffers = ['clients.normal', 'aof.buffer'].map((name) => Number(stats[stats.indexOf(name) + 1] ?? 0));
  return Number(/used_memory:(\d+)/.exec(used)?.[1]) - buffers.reduce((sum, bytes) => sum + bytes, 0);
}

/** Submits what waits. */
function submitAll(scene: Scene): Promise<unknown> {
  return withZoho(scene, [], (zoho) =>
    scene.program(['worker', '--until-idle', '--no-wait'], { ...zoho.env, ...WORKER }),
  );
}

/** Commands that Redis gets while `work` goes on. `sent`: those that crossed a connection; `run`: those that scripts called too. */
async function commandsOf(scene: Scene, work: () => Promise<unknown>) {
  const client = new Redis(scene.env.REDIS_URL ?? '');
  const monitor = await client.monitor();
  const counts = { sent: 0, run: 0 };
  monitor.on('monitor', (_time: string, _command: readonly string[], source: string) => {
    counts.run += 1;
    if (source !== 'lua') counts.sent += 1;
  });
  try {
    await work();
    await sleep(200); // what is still on its way to the monitor
  } finally {
    monitor.disconnect();
    client.disconnect();
  }
  return counts;
}
