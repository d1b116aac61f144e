import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../support/wait.js';
import { openDurableRedis } from './durable-redis.js';
import { type FleetUnderTest, OTHER_FILES } from './fleet-under-test.js';
import type { Member } from './member.js';
import type { Dice } from './random.js';

/** Something that goes wrong. It may take a while and heals by itself, except where the run's healing says so. */
export interface Mishap {
  readonly name: string;
  /** Nothing else goes wrong meanwhile. */
  readonly alone?: boolean;
  readonly happen: (fleet: FleetUnderTest, dice: Dice) => Promise<void>;
}

const KILL_WORKER: Mishap = {
  name: 'kill a worker',
  happen: async ({ workers }, dice) => {
    const worker = dice.pick(workers);
    await worker.kill();
    await sleep(dice.between(0, 800));
    worker.start();
  },
};

const FREEZE_WORKER: Mishap = {
  name: 'freeze a worker',
  // Up to 25 s: longer than the claim, its margin and BullMQ's lock together.
  happen: async ({ workers }, dice) => freeze(dice.pick(workers), dice.pick([300, 2_000, 7_000, 25_000])),
};

const KILL_PRODUCER: Mishap = {
  name: 'kill the producer',
  happen: async ({ producer }, dice) => {
    await producer.kill();
    await sleep(dice.between(0, 300));
    producer.start();
  },
};

const CUT_ZOHO: Mishap = { name: 'cut connections to Zoho', happen: async ({ toZoho }) => toZoho.cut() };

const ZOHO_AWAY: Mishap = {
  name: 'Zoho cannot be reached',
  happen: async ({ toZoho }, dice) => {
    await toZoho.setMode(dice.pick(['refuse', 'black-hole', 'delay'] as const));
    await sleep(dice.between(300, 3_000));
    toZoho.cut();
    await toZoho.setMode('pass');
  },
};

const STORM: Mishap = {
  name: 'storm of bad answers',
  happen: async ({ sandbox }, dice) => {
    const kind = dice.pick([
      '429',
      'http-500',
      'http-502-html',
      'cut-before',
      'cut-after',
      'never-answer-after',
      'never-answer-before',
    ] as const);
    sandbox.configure({ faults: [{ kind, on: 'post', share: dice.pick([0.05, 0.3, 1]) }] });
    await sleep(dice.between(200, 1_500));
    sandbox.configure({ faults: [] });
  },
};

/** Longer than a request's timeout, and within what a lost row waits for. */
const ACCEPTED_LATE: Mishap = {
  name: 'Zoho accepts after the timeout',
  happen: async ({ sandbox }, dice) => {
    const delayMs = dice.between(4_000, 12_000);
    sandbox.configure({ faults: [{ kind: 'accepted-late', on: 'post', share: dice.pick([0.1, 0.5]), delayMs }] });
    await sleep(dice.between(200, 1_000));
    sandbox.configure({ faults: [] });
  },
};

const QUOTA: Mishap = {
  name: 'the quota is spent, then raised and resumed',
  happen: async ({ sandbox, command }, dice) => {
    sandbox.configure({ quota: sandbox.enrichments().length });
    await sleep(dice.between(300, 1_500));
    // Resuming into a spent quota must cost one call and change nothing.
    if (dice.next() < 0.5) await command(['resume']);
    sandbox.configure({ quota: null });
    await command(['resume']);
  },
};

const ECHO_DIFFERS: Mishap = {
  name: 'Zoho echoes a website with its scheme',
  happen: async ({ sandbox }, dice) => {
    sandbox.configure({ echo: 'scheme' });
    await sleep(dice.between(2_000, 10_000));
    sandbox.configure({ echo: 'sent' });
  },
};

/** It may fail, and then changes nothing. */
const OTHER_COLUMNS: Mishap = {
  name: 'the file is queued with other columns',
  happen: async ({ command }, dice) => {
    const mapped = ['accounts.csv', '--map', dice.pick(['email=', 'website=', 'email=Email', 'website=Website'])];
    await command(['enqueue', ...dice.pick([...OTHER_FILES.map((file) => [file]), mapped])]);
  },
};

const CUT_REDIS: Mishap = { name: 'cut connections to Redis', happen: async ({ toRedis }) => toRedis?.cut() };

const REDIS_AWAY: Mishap = {
  name: 'Redis cannot be reached',
  happen: async ({ toRedis }, dice) => {
    await toRedis?.setMode(dice.pick(['refuse', 'black-hole'] as const));
    await sleep(dice.between(200, 2_500));
    toRedis?.cut();
    await toRedis?.setMode('pass');
  },
};

const RESTART_REDIS: Mishap = {
  name: 'Redis restarts',
  happen: async ({ redis }, dice) => {
    await redis?.end(dice.pick(['SIGTERM', 'SIGKILL'] as const));
    await sleep(dice.between(0, 1_500));
    await redis?.start();
  },
};

const REDIS_REFUSES: Mishap = {
  name: 'Redis refuses writes, again and again',
  happen: async ({ redis }, dice) => {
    for (let times = dice.pick([1, 2, 4]); times > 0; times -= 1) {
      await redis?.takeWrites(false);
      await sleep(dice.between(500, 4_000));
      await redis?.takeWrites(true);
      await sleep(dice.between(200, 1_000));
    }
  },
};

/** All that was written since is lost: `losing` runs only. */
const OLDER_COPY: Mishap = {
  name: 'Redis comes back on an older copy',
  happen: async ({ redis }, dice) => {
    await redis?.snapshot();
    await sleep(dice.between(500, 4_000));
    await redis?.end('SIGKILL');
    await redis?.start();
  },
};

/** While a worker lives, and until one has seen it: nobody else knows what was there. */
const FLUSH: Mishap = {
  name: 'Redis is emptied',
  alone: true,
  happen: async ({ redis, workers }) => {
    if (!workers.some((worker) => worker.isRunning() && !worker.isFrozen())) return;
    const looks = () =>
      workers.map((worker) => worker.stderr().split('history.look-due').length).reduce((a, b) => a + b);
    const before = looks();
    await redis?.flush();
    await waitFor(() => looks() > before, { what: 'a worker that has seen it', timeoutMs: 20_000 }).catch(
      () => undefined,
    );
  },
};

/** What was written meanwhile is lost, and the servers are the ones it was known by. */
const LAGGING_REPLICA: Mishap = {
  name: 'a lagging replica is promoted, and the old primary again',
  alone: true,
  happen: async ({ redis, serveFrom }, dice) => {
    if (redis === null) return;
    const replica = await openDurableRedis({}, { persistence: 'none' });
    await replica.copyOf(redis.port);
    await sleep(dice.between(500, 4_000));
    // Either nobody has looked when the old primary is back, or they work on the replica.
    const isBackAtOnce = dice.next() < 0.5;
    if (!isBackAtOnce) {
      serveFrom(replica);
      await sleep(dice.between(500, 8_000));
    }
    await redis.copyOf(replica.port);
    if (!isBackAtOnce) serveFrom(redis);
    await replica.close();
  },
};

/** Copied while its host stands still, as a snapshot of the disk is. */
const OLDER_FOLDER: Mishap = {
  name: 'an older copy of the folder is put back',
  alone: true,
  happen: async ({ dir, sandbox, workers, producer }, dice) => {
    const [folder, copy] = ['.zia', 'copy'].map((name) => join(dir, name, 'pg')) as [string, string];
    const members = [...workers, producer];
    for (const member of members) member.freeze();
    // A copy that is half made when the database is just being made is none.
    const filter = (path: string) => !/PGSQL|\.lock$/.test(path);
    const hasBegun = sandbox.enrichments().length > 0;
    if (hasBegun) await cp(folder, copy, { recursive: true, filter });
    for (const member of members) member.thaw();
    if (!hasBegun) return;
    await sleep(dice.between(500, 4_000));
    await Promise.all(members.map((member) => member.kill()));
    await rm(folder, { recursive: true });
    await cp(copy, folder, { recursive: true });
    await rm(copy, { recursive: true });
    for (const member of members) member.start();
  },
};

const FAIL_OVER: Mishap = {
  name: 'a failover',
  alone: true,
  happen: async ({ topology }, dice) => topology?.failOver(dice.next() < 0.5),
};

const EVERYWHERE: readonly Mishap[] = [
  KILL_WORKER,
  FREEZE_WORKER,
  KILL_PRODUCER,
  CUT_ZOHO,
  ZOHO_AWAY,
  STORM,
  STORM,
  ACCEPTED_LATE,
  QUOTA,
  ECHO_DIFFERS,
  OTHER_COLUMNS,
];
const ON_REDIS: readonly Mishap[] = [CUT_REDIS, REDIS_AWAY, RESTART_REDIS, REDIS_REFUSES];

const LOSING: Readonly<Record<FleetUnderTest['engine'], readonly Mishap[]>> = {
  redis: [OLDER_COPY, OLDER_COPY, FLUSH, LAGGING_REPLICA, LAGGING_REPLICA],
  embedded: [OLDER_FOLDER, OLDER_FOLDER],
};

/** What can go wrong with this fleet; some things twice, because they do so more often. */
export function mishapsOf({ engine, topology }: FleetUnderTest, losing: boolean): readonly Mishap[] {
  if (topology !== null) return [...EVERYWHERE, FAIL_OVER, FAIL_OVER];
  return [...EVERYWHERE, ...(engine === 'redis' ? ON_REDIS : []), ...(losing ? LOSING[engine] : [])];
}

async function freeze(member: Member, durationMs: number): Promise<void> {
  member.freeze();
  await sleep(durationMs);
  member.thaw();
}
