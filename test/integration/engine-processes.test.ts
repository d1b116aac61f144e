import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { type EngineSettings, openEngine } from '../../src/lib/engine/open-engine.js';
import { JOB_NAME, jobOptions } from '../../src/lib/queues.js';
import type { AdmitRequest } from '../../src/lib/store/store.js';
import { type EngineProcess, startEngineProcess } from '../support/engine-process.js';
import { ENGINE_KINDS, type EngineKind, quietLog, testOn, testPlace } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { bySuite, testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const key = (name: string) => `r1${name}` as IdentityKey;
const ask = (name: string, callId: string): AdmitRequest => ({
  key: key(name),
  callId,
  sent: { module: 'Accounts', name },
  limits: { callsPerSecond: 0, maxInFlight: 1_000, permitTtlMs: 30_000 },
  claimLostAfterMs: 60_000,
});
const job = (name: string) => ({
  name: JOB_NAME,
  data: { v: 1, module: 'Accounts', name },
  opts: jobOptions(key(name), 3),
});

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

async function place(kind: EngineKind): Promise<EngineSettings> {
  return t.closing(await testPlace(kind), (p) => p.remove()).settings;
}

async function start(settings?: EngineSettings): Promise<EngineProcess> {
  const started = t.closing(await startEngineProcess(), (p) => p.kill());
  if (settings !== undefined) await started.open(settings);
  return started;
}

async function openHere(settings: EngineSettings): Promise<Engine> {
  return t.closing(await openEngine(settings, quietLog), (e) => e.close());
}

const pgDir = ({ dataDir }: EngineSettings) => join(dataDir, 'pg');
const locks = (settings: EngineSettings) => readdirSync(pgDir(settings)).filter((name) => name.endsWith('.lock'));

describe.each(ENGINE_KINDS)('two processes on %s', (kind) => {
  testIn.short('share queue and store: of two that ask for a row one may send it', async () => {
    const settings = await place(kind);
    const first = await start(settings);
    const second = await openHere(settings);
    await first.add(['a', 'b'].map(job));
    expect(await second.counts()).toMatchObject({ waiting: 2 });
    for (let n = 0; n < 20; n++) {
      const both = await Promise.all([first.store('admit', ask(`${n}`, 'x')), second.store.admit(ask(`${n}`, 'y'))]);
      expect(both.map((answer) => answer.kind).sort()).toEqual(['claimed', 'go']);
    }
    expect(await second.store.counts()).toMatchObject({ sending: 20 });
  });

  testOn(kind)(
    'a process killed with claims leaves them to be looked up, and its places to others after the lease',
    async () => {
      const settings = await place(kind);
      const dying = await start(settings);
      const limits = { callsPerSecond: 0, maxInFlight: 2, permitTtlMs: 1_500 };
      expect(await dying.store('admit', { ...ask('a', 'c1'), limits })).toMatchObject({ kind: 'go' });
      expect(await dying.store('admit', { ...ask('b', 'c2'), limits })).toMatchObject({ kind: 'go' });
      await dying.kill();
      const { store } = await openHere(settings);
      expect(await store.admit({ ...ask('a', 'c3'), limits })).toMatchObject({ kind: 'claimed' });
      await waitFor(async () => (await store.admit({ ...ask('c', 'c4'), limits })).kind === 'go');
      expect(await store.expireClaims(1_000, 10)).toEqual([key('a'), key('b')]);
      expect(await store.admit({ ...ask('a', 'c5'), limits })).toEqual({ kind: 'uncertain', held: false });
    },
  );
});

describe('the host of the embedded database', () => {
  testIn.long(
    'when killed, is followed at once by one of those attached, with all data there',
    async () => {
      const settings = await place('embedded');
      const host = await start(settings);
      const others = [await start(settings), await start(settings)];
      await host.add(['a', 'b', 'c'].map(job));
      await host.store('admit', ask('a', 'c1'));
      await host.kill();
      const before = performance.now();
      const answers = await Promise.all(others.map((other) => other.store('admit', ask('a', 'c2'))));
      expect(performance.now() - before).toBeLessThan(10_000);
      expect(answers).toMatchObject([{ kind: 'claimed' }, { kind: 'claimed' }]);
      for (const other of others) expect(await other.counts()).toMatchObject({ waiting: 3 });
      const hosted = await Promise.all(others.map((other) => other.events()));
      expect(hosted.flat().filter((event) => event === 'engine.hosting')).toHaveLength(1);
      expect(locks(settings)).toHaveLength(1);
    },
    60_000,
  );

  testIn.long(
    'when it ends in good order, is followed by one of those attached',
    async () => {
      const settings = await place('embedded');
      const host = await start(settings);
      const other = await openHere(settings);
      const queue = t.closing(other.openQueue(), (q) => q.close());
      await host.store('settle', key('a'), 'c1', '1' as never);
      await host.close();
      await queue.addBulk([job('b')] as never);
      expect(await other.store.counts()).toMatchObject({ scheduled: 1 });
      expect(await other.counts()).toMatchObject({ waiting: 1 });
      await host.open(settings);
      expect(await host.store('counts')).toMatchObject({ scheduled: 1 });
    },
    60_000,
  );

  test.each(
    bySuite<readonly [string, (host: EngineProcess) => Promise<unknown>]>(
      [['is killed', (host) => host.kill()]],
      [['ends', (host) => host.close()]],
    ),
  )(
    'that %s in the middle of what others send fails none of it, and nothing runs in two halves',
    async (_, end) => {
      const settings = await place('embedded');
      const hosts = [await start(settings), await start(settings)];
      const here = await openHere(settings);
      const queue = t.closing(here.openQueue(), (q) => q.close());
      const names = Array.from({ length: 150 }, (_, n) => `m${n}`);
      const sent = Promise.all(
        names.map(async (name) => {
          await queue.addBulk([job(name), job(`${name}b`)] as never);
          return here.jobStatuses([key(name), key(`${name}b`)]);
        }),
      );
      for (const host of hosts) {
        const before = (await here.counts()).waiting;
        await waitFor(async () => (await here.counts()).waiting > before || before === 300);
        await end(host);
      }
      for (const fates of await sent)
        expect([...fates.values()].map(({ state }) => state)).toEqual(['waiting', 'waiting']);
      expect(await here.counts()).toMatchObject({ waiting: 300 });
    },
    60_000,
  );

  testIn.long.each([4, 8])(
    'is one of %i processes that find a dead host at the same moment',
    async (processes) => {
      const settings = await place('embedded');
      const racers = await Promise.all(Array.from({ length: processes }, () => start()));
      for (let round = 0; round < 2; round++) {
        const dead = await start(settings);
        await dead.kill();
        await Promise.all(racers.map((racer) => racer.open(settings)));
        await Promise.all(
          racers.map((racer, n) => racer.store('settle', key(`${round}.${n}`), 'c', `${round * 10 + n}` as never)),
        );
        const seen = (await Promise.all(racers.map((racer) => racer.events()))).flat();
        expect(seen.filter((event) => event === 'engine.hosting')).toHaveLength(round + 1);
        expect(await racers[0]?.store('counts')).toMatchObject({ scheduled: processes * (round + 1) });
        expect(locks(settings)).toHaveLength(1);
        if (round === 0) {
          // All but the host first, so that nobody takes over now.
          const hosts = await Promise.all(
            racers.map(async (racer) => (await racer.events()).includes('engine.hosting')),
          );
          for (const [n, racer] of racers.entries()) if (!hosts[n]) await racer.close();
          for (const [n, racer] of racers.entries()) if (hosts[n]) await racer.close();
        }
      }
    },
    120_000,
  );

  testIn.long(
    'when frozen keeps its place: another process is refused with what to do, and let in when it goes on',
    async () => {
      const settings = await place('embedded');
      const host = await start(settings);
      await host.store('settle', key('a'), 'c1', '1' as never);
      host.signal('SIGSTOP');
      const hasty = { ...settings, hostAnswerMs: 1_500 };
      await expect(openEngine(hasty, quietLog)).rejects.toMatchObject({
        name: 'StoreUnavailableError',
        message: expect.stringMatching(new RegExp(`^Process ${host.pid} hosts the database .*kill -CONT ${host.pid}`)),
      });
      host.signal('SIGCONT');
      const other = await openHere(settings);
      expect(await other.store.counts()).toMatchObject({ scheduled: 1 });
      expect(await host.store('counts')).toMatchObject({ scheduled: 1 });
    },
    60_000,
  );

  testIn.long('goes on serving when a client dies inside a transaction, and when a statement is wrong', async () => {
    const settings = await place('embedded');
    const { store } = await openHere(settings);
    const [lock = ''] = locks(settings);
    const port = Number(/\d+/.exec(lock)?.[0]);
    const connect = async () => {
      const client = new pg.Client({ host: pgDir(settings), port, user: 'postgres', database: 'postgres' });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    const dying = await connect();
    await dying.query('begin');
    await dying.query('delete from zia.gauge');
    const answer = store.settle(key('a'), 'c1', '1' as never);
    // Not in pg's types: the socket, cut as a killed process cuts it.
    (dying as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect(await answer).toMatchObject({ kind: 'settled' });
    expect(await store.counts()).toMatchObject({ scheduled: 1 });

    const wrong = t.closing(await connect(), (client) => client.end());
    await expect(wrong.query('select nonsense', [])).rejects.toThrow('nonsense');
    await expect(wrong.query('begin; select 1/0')).rejects.toThrow('zero');
    await wrong.query('rollback');
    expect(await store.counts()).toMatchObject({ scheduled: 1 });
  });

  testIn.long(
    'keeps the statements of many clients apart, also those that arrive in pieces',
    async () => {
      const settings = await place('embedded');
      const { store } = await openHere(settings);
      const port = Number(/\d+/.exec(locks(settings)[0] ?? '')?.[0]);
      const pool = t.closing(
        new pg.Pool({ host: pgDir(settings), port, user: 'postgres', database: 'postgres', max: 15 }),
        (p) => p.end(),
      );
      const long = 'x'.repeat(300_000);
      await Promise.all(
        Array.from({ length: 150 }, async (_, n) => {
          const text = n % 3 === 0 ? `${n}${long}` : `${n}`;
          const { rows } = await pool.query('select $1::text as text, $2::int as n', [text, n]);
          expect(rows).toEqual([{ text, n }]);
          await store.entries([key(`${n}`)]);
        }),
      );
    },
    60_000,
  );

  testIn.long('on another machine is not replaced: the message says what to delete', async () => {
    const settings = await place('embedded');
    const directory = pgDir(settings);
    for (const name of locks(settings)) await rm(join(directory, name));
    writeFileSync(join(directory, 'host.7.lock'), JSON.stringify({ pid: 1, startedAt: 'x', hostname: 'far-away' }));
    await expect(openEngine(settings, quietLog)).rejects.toThrow(
      `was last hosted on far-away, which cannot be asked from here; if process 1 no longer runs there, delete ${join(directory, 'host.7.lock')}`,
    );
  });

  testIn.long('whose process id was given to another process is dead', async () => {
    const settings = await place('embedded');
    const { hostname } = await import('node:os');
    for (const name of locks(settings)) await rm(join(pgDir(settings), name));
    const stale = { pid: process.pid, startedAt: 'long ago', hostname: hostname() };
    writeFileSync(join(pgDir(settings), 'host.7.lock'), JSON.stringify(stale));
    await openHere(settings);
    expect(locks(settings)).toEqual(['host.8.lock']);
    expect(JSON.parse(readFileSync(join(pgDir(settings), 'host.8.lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  });

  testIn.long(
    'serves a directory with a path too long for a socket',
    async () => {
      const short = await place('embedded');
      const settings = { ...short, dataDir: join(short.dataDir, 'long'.repeat(40)) };
      mkdirSync(settings.dataDir);
      renameSync(pgDir(short), pgDir(settings));
      const here = await openHere(settings);
      const other = await start(settings);
      await other.store('settle', key('a'), 'c1', '1' as never);
      expect(await here.store.counts()).toMatchObject({ scheduled: 1 });
    },
    60_000,
  );
});
