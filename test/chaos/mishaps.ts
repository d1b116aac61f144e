import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetUnderTest } from './fleet-under-test.js';
import type { Member } from './member.js';
import type { Dice } from './random.js';

/** Something that goes wrong. It may take a while and heals by itself, except where the run's healing says so. */
export interface Mishap {
  readonly name: string;
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

const FLUSH: Mishap = { name: 'Redis is emptied', happen: async ({ redis }) => redis?.flush() };

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
];
const ON_REDIS: readonly Mishap[] = [CUT_REDIS, REDIS_AWAY, RESTART_REDIS, REDIS_REFUSES];

const LOSING: readonly Mishap[] = [OLDER_COPY, OLDER_COPY, FLUSH];

/** What can go wrong on this engine; some things twice, because they do so more often. */
export function mishapsOf(engine: FleetUnderTest['engine'], losing: boolean): readonly Mishap[] {
  if (engine === 'embedded') return EVERYWHERE;
  return [...EVERYWHERE, ...ON_REDIS, ...(losing ? LOSING : [])];
}

async function freeze(member: Member, durationMs: number): Promise<void> {
  member.freeze();
  await sleep(durationMs);
  member.thaw();
}
