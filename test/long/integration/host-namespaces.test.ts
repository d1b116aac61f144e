import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { IdentityKey } from '../../../src/lib/core/ids.js';
import type { Engine } from '../../../src/lib/engine/engine.js';
import { type EngineSettings, openEngine } from '../../../src/lib/engine/open-engine.js';
import { type EngineProcess, startEngineProcess } from '../../support/engine-process.js';
import { quietLog, testPlace } from '../../support/engines.js';
import { setup, type TestScope } from '../../support/setup.js';

/** Runs a command in a process namespace of its own, as a container does; a user namespace lets it work without root. */
const WRAPPERS = [
  ['unshare', '-pf', '--mount-proc', '--kill-child'],
  ['unshare', '-Urpf', '--mount-proc', '--kill-child'],
];
const wrapper = WRAPPERS.find(([program = '', ...flags]) => spawnSync(program, [...flags, 'true']).status === 0);
if (wrapper === undefined) {
  console.warn('Skipped: this machine lets nobody make process namespaces (unshare -pf --mount-proc).');
}

const key = (name: string) => `r1${name}` as IdentityKey;

jest.setTimeout(120_000);

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

async function place(): Promise<EngineSettings> {
  return t.closing(await testPlace('embedded'), (p) => p.remove()).settings;
}

async function start(within: readonly string[] = []): Promise<EngineProcess> {
  return t.closing(await startEngineProcess(within), (p) => p.kill());
}

/** Closed at the end, also when it was expected to be refused. */
async function openHere(settings: EngineSettings): Promise<Engine> {
  return t.closing(await openEngine(settings, quietLog), (engine) => engine.close());
}

/** The process that `unshare` started. */
function processWithin({ pid }: EngineProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

const pgDir = ({ dataDir }: EngineSettings) => join(dataDir, 'pg');
const locks = (settings: EngineSettings) => readdirSync(pgDir(settings)).filter((name) => name.endsWith('.lock'));

async function hosts(processes: readonly EngineProcess[]): Promise<number> {
  const events = (await Promise.all(processes.map((one) => one.events()))).flat();
  return events.filter((event) => event === 'engine.hosting').length;
}

(wrapper === undefined ? describe.skip : describe)('processes that do not see each other in /proc', () => {
  test('have one host of the embedded database, and share it, also when they start at the same moment', async () => {
    const settings = await place();
    const processes = await Promise.all([wrapper, wrapper, []].map((within) => start(within)));
    await Promise.all(processes.map((one) => one.open(settings)));
    await Promise.all(processes.map((one, n) => one.store('settle', key(`${n}`), 'c', `${n}` as never)));
    for (const one of processes) expect(await one.store('counts')).toMatchObject({ scheduled: 3 });
    expect(await hosts(processes)).toBe(1);
  });

  test('wait for a frozen host, with what to do, and go on with it', async () => {
    const settings = await place();
    const host = await start(wrapper);
    await host.open(settings);
    process.kill(processWithin(host), 'SIGSTOP');
    await expect(openHere({ ...settings, hostAnswerMs: 1_000 })).rejects.toMatchObject({
      name: 'StoreUnavailableError',
      message: expect.stringMatching(/^Process \d+ of another container hosts the database .* does not answer/),
    });
    process.kill(processWithin(host), 'SIGCONT');
    const other = await openHere(settings);
    await host.store('settle', key('a'), 'c', '1' as never);
    expect(await other.store.counts()).toMatchObject({ scheduled: 1 });
  });

  test('take the place of a host that was killed, and of one that ended', async () => {
    const settings = await place();
    const [killed, ended, last] = [await start(wrapper), await start(wrapper), await start()];
    await killed.open(settings);
    await killed.store('settle', key('a'), 'c', '1' as never);
    await killed.kill();
    await ended.open(settings);
    expect(await ended.store('counts')).toMatchObject({ scheduled: 1 });
    // The second process finds the first while that closes the database.
    await Promise.all([ended.close(), last.open(settings)]);
    expect(await last.store('counts')).toMatchObject({ scheduled: 1 });
    expect(await hosts([last])).toBe(1);
    expect(locks(settings)).toHaveLength(1);
  });
});

test('a host whose process is not found but whose socket answers is alive', async () => {
  const settings = await place();
  const host = await start();
  await host.open(settings);
  const [lock = ''] = locks(settings);
  const record = JSON.parse(readFileSync(join(pgDir(settings), lock), 'utf8')) as object;
  writeFileSync(join(pgDir(settings), lock), JSON.stringify({ ...record, pid: 1_234_567, hostname: 'another' }));
  const other = await openHere(settings);
  await host.store('settle', key('a'), 'c', '1' as never);
  expect(await other.store.counts()).toMatchObject({ scheduled: 1 });
});

test('a host of another container whose socket cannot be seen from here is not taken for dead', async () => {
  const settings = await place();
  const dataDir = join(settings.dataDir, 'long'.repeat(40));
  mkdirSync(join(dataDir, 'pg'), { recursive: true });
  const record = { pid: 1_234_567, startedAt: 'x', hostname: hostname(), namespace: 'pid:[1]' };
  const lock = join(dataDir, 'pg', 'host.7.lock');
  writeFileSync(lock, JSON.stringify(record));
  await expect(openHere({ ...settings, dataDir })).rejects.toThrow(
    `which cannot be asked from here; if process 1234567 no longer runs there, delete ${lock} and try again`,
  );
});
