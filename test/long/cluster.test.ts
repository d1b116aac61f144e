import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type { RunningCli } from '../support/cli.js';
import type { Scene } from '../support/cli-scene.js';
import { withScene } from '../support/cli-scene.js';
import { type RedisServer, startCluster, startSentinelSet, startServer } from '../support/redis-topologies.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

/** The commands themselves, each in its own process, on the forms of Redis that one server is not. */
const t = setup();
afterEach(() => t.close());

const fixture = (name: string) => new URL(`../fixtures/tls/${name}.pem`, import.meta.url).pathname;

function untilStopped(...workers: readonly RunningCli[]): Promise<boolean> {
  return waitFor(() => workers.every((worker) => worker.stderr().includes('"fleet.stopped"')), {
    what: 'the stop',
  });
}

/** The sandbox accepted each of so many rows once, and the export says of each that it was submitted. */
async function expectEachOnce(scene: Scene, file: string, rows: number, env: Readonly<Record<string, string>>) {
  expect(scene.sandbox.enrichments()).toHaveLength(rows);
  const exported = await scene.run(['export', file, '--out', 'out.csv'], env);
  expect(exported).toMatchObject({ code: 0 });
  const written: Record<string, string>[] = parse(await readFile(join(scene.folder, 'out.csv')), { columns: true });
  expect(written).toHaveLength(rows);
  expect(new Set(written.map(({ zia_status: outcome }) => outcome))).toEqual(new Set(['submitted']));
  expect(new Set(written.map(({ zia_enrichment_id: id }) => id)).size).toBe(rows);
}

test('on a cluster of three nodes two workers stop with the quota, and finish every row once after a resume', async () => {
  const nodes = await startCluster(t);
  await withScene('redis', { quota: 12, completeAfterMs: 3_600_000 }, async (scene) => {
    const env = { REDIS_URL: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}` };
    const file = await scene.csv('a.csv', 30);
    const enqueued = await scene.run(['enqueue', file], env);
    expect(enqueued).toMatchObject({ code: 0, stderr: expect.stringContaining('(cluster)') });

    const workers = [1, 2].map(() => scene.start(['worker'], { ...env, ZIA_METRICS_PORT: '0' }));
    await untilStopped(...workers);
    const { stdout } = await scene.run(['status', '--json'], env);
    expect(JSON.parse(stdout)).toMatchObject({
      queue: { completed: 12, waiting: 18, active: 0, failed: 0 },
      stop: { code: 'LIMIT_EXCEEDED' },
    });

    scene.sandbox.configure({ quota: null });
    expect(await scene.run(['resume'], env)).toMatchObject({ code: 0 });
    await waitFor(() => scene.sandbox.enrichments().length === 30, { what: 'all rows' });
    for (const { child } of workers) child.kill('SIGTERM');
    for (const { ended } of workers) expect((await ended).code).toBe(0);
    await expectEachOnce(scene, file, 30, env);
  });
  const keys = await Promise.all(nodes.map(({ client }) => client.dbsize()));
  expect(keys.filter((count) => count > 0)).toHaveLength(1);
}, 60_000);

test('a slot that moves under live workers is whole in the end, and no row is sent twice', async () => {
  const nodes = await startCluster(t);
  await withScene('redis', { completeAfterMs: 3_600_000 }, async (scene) => {
    const env = {
      REDIS_URL: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      ZIA_METRICS_PORT: '0',
      ZIA_RATE_LIMIT_PER_SECOND: '20',
    };
    const file = await scene.csv('a.csv', 150);
    expect(await scene.run(['enqueue', file], env)).toMatchObject({ code: 0 });
    const workers = [1, 2].map(() => scene.start(['worker'], env));
    await waitFor(() => scene.sandbox.enrichments().length >= 20, { what: 'the first rows' });
    const sizes = await Promise.all(nodes.map(({ client }) => client.dbsize()));
    const from = nodes[sizes.findIndex((size) => size > 0)];
    const to = nodes[sizes.indexOf(0)];
    if (from === undefined || to === undefined) throw new Error('no node owns the store alone');
    await moveSlot(`{${scene.env.ZIA_PREFIX}}`, from, to, nodes);
    await waitFor(() => scene.sandbox.enrichments().length >= 150, { what: 'all rows' });
    for (const { child } of workers) child.kill('SIGTERM');
    for (const { ended } of workers) expect((await ended).code).toBe(0);
    await expectEachOnce(scene, file, 150, env);
    expect(await from.client.dbsize()).toBe(0);
  });
}, 120_000);

/** Key by key, as `redis-cli --cluster reshard --cluster-pipeline 1` does. Rejects when a key is on both sides. */
async function moveSlot(tag: string, from: RedisServer, to: RedisServer, nodes: readonly RedisServer[]): Promise<void> {
  const slot = String(await from.client.cluster('KEYSLOT', tag));
  const [fromId, toId] = [String(await from.client.cluster('MYID')), String(await to.client.cluster('MYID'))];
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  for (;;) {
    const [key] = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, '1')) as string[];
    if (key === undefined) break;
    await from.client.call('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000');
    await sleep(5);
  }
  for (const { client } of [to, from, ...nodes]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
}

test('a worker goes on with the replica that Sentinel made the primary, and no row is sent twice', async () => {
  const { primary, replica, sentinel, name } = await startSentinelSet(t);
  await withScene('redis', { quota: 5, completeAfterMs: 3_600_000 }, async (scene) => {
    const env = {
      REDIS_URL: `redis+sentinel://127.0.0.1:${sentinel.port}/${name}/0`,
      ZIA_METRICS_PORT: '0',
      // Claims of before the failover are waited for, and those live for as long as a request.
      ZIA_REQUEST_TIMEOUT_MS: '3000',
    };
    const file = await scene.csv('a.csv', 12);
    expect(await scene.run(['enqueue', file], env)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('(sentinel)'),
    });
    const worker = scene.start(['worker'], env);
    await untilStopped(worker);
    // Redis waits for what this very client wrote.
    await primary.client.set('in-step', '1');
    await waitFor(async () => (await primary.client.wait(1, 1_000)) === 1, { what: 'the replica to be in step' });
    await primary.kill();
    const named = () => sentinel.client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
    await waitFor(async () => String(await named()).endsWith(`,${replica.port}`), {
      what: 'the failover',
    });
    scene.sandbox.configure({ quota: null });
    expect(await scene.run(['resume'], env)).toMatchObject({ code: 0 });
    await waitFor(() => scene.sandbox.enrichments().length === 12, { what: 'all rows' });
    worker.child.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
    await expectEachOnce(scene, file, 12, env);
  });
}, 60_000);

test('in a planned failover a confirmed pause holds at once, and a quota spent meanwhile stays spent', async () => {
  const { replica, sentinel, name } = await startSentinelSet(t);
  await withScene('redis', { completeAfterMs: 3_600_000 }, async (scene) => {
    const env = {
      REDIS_URL: `redis+sentinel://127.0.0.1:${sentinel.port}/${name}/0`,
      ZIA_METRICS_PORT: '0',
      ZIA_REQUEST_TIMEOUT_MS: '3000',
      ZIA_RATE_LIMIT_PER_SECOND: '20',
    };
    const posts = () => scene.sandbox.log().filter(({ kind }) => kind === 'post').length;
    const file = await scene.csv('a.csv', 600);
    expect(await scene.run(['enqueue', file], env)).toMatchObject({ code: 0 });
    const workers = [1, 2].map(() => scene.start(['worker'], env));
    await waitFor(() => posts() >= 20, { what: 'the first rows' });

    const primary = async () => String(await sentinel.client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name));
    await sentinel.client.call('SENTINEL', 'FAILOVER', name);
    await waitFor(async () => (await primary()).endsWith(`,${replica.port}`), {
      what: 'the switch',
    });
    const paused = await scene.run(['pause', '--json'], env);
    expect(paused).toMatchObject({ code: 0 });
    await waitFor(() => workers.every((worker) => worker.stderr().includes('"fleet.stopped"')), {
      what: 'both workers to know of the pause',
    });
    const atPause = posts();
    // Longer than the old primary goes on taking writes.
    await sleep(12_000);
    expect(posts() - atPause).toBe(0);
    expect(JSON.parse((await scene.run(['status', '--json'], env)).stdout)).toMatchObject({ stop: { code: 'PAUSED' } });

    scene.sandbox.configure({ quota: scene.sandbox.enrichments().length });
    expect(await scene.run(['resume'], env)).toMatchObject({ code: 4 });
    const spent = posts();
    await sentinel.client.call('SENTINEL', 'FAILOVER', name).catch(() => undefined);
    await sleep(12_000);
    expect(posts()).toBe(spent);
    expect(JSON.parse((await scene.run(['status', '--json'], env)).stdout)).toMatchObject({
      stop: { code: 'LIMIT_EXCEEDED' },
    });
    for (const { child } of workers) child.kill('SIGTERM');
    for (const { ended } of workers) expect((await ended).code).toBe(0);
    const sent = scene.sandbox.enrichments().map(({ sent: values }) => JSON.stringify(values));
    expect(new Set(sent).size).toBe(sent.length);
  });
}, 150_000);

test('over TLS with a password, and a certificate that only NODE_EXTRA_CA_CERTS knows', async () => {
  const server = await startServer(t, { tls: { cert: fixture('cert'), key: fixture('key') } });
  await server.client.config('SET', 'requirepass', 'p@ss');
  await withScene('redis', { completeAfterMs: 3_600_000 }, async (scene) => {
    const REDIS_URL = `rediss://default:p%40ss@127.0.0.1:${server.port}/0`;
    const env = { REDIS_URL, NODE_EXTRA_CA_CERTS: fixture('cert'), ZIA_METRICS_PORT: '0' };
    const file = await scene.csv('a.csv', 5);
    expect(await scene.run(['enqueue', file], env)).toMatchObject({ code: 0 });
    expect(await scene.run(['worker', '--until-idle', '--no-wait'], env)).toMatchObject({ code: 0 });
    await expectEachOnce(scene, file, 5, env);
    const untrusted = await scene.run(['status'], { REDIS_URL });
    expect(untrusted).toMatchObject({ code: 1, stderr: expect.stringContaining('certificate') });
    expect(untrusted.stderr).not.toContain('p%40ss');
  });
}, 60_000);

describe('where certificates name hosts and everybody asks for a password', () => {
  const secured = { tls: { cert: fixture('redis-cert'), key: fixture('redis-key') }, password: 'p@ss' };
  const more = { NODE_EXTRA_CA_CERTS: fixture('redis-cert'), ZIA_METRICS_PORT: '0' };

  async function expectToWork(env: Readonly<Record<string, string>>): Promise<void> {
    await withScene('redis', { completeAfterMs: 3_600_000 }, async (scene) => {
      const file = await scene.csv('a.csv', 5);
      expect(await scene.run(['enqueue', file], env)).toMatchObject({ code: 0 });
      expect(await scene.run(['worker', '--until-idle', '--no-wait'], env)).toMatchObject({ code: 0 });
      const { stdout } = await scene.run(['status', '--json'], env);
      expect(JSON.parse(stdout)).toMatchObject({ queue: { completed: 5, waiting: 0 }, stop: null });
      await expectEachOnce(scene, file, 5, env);
    });
  }

  test('commands and a worker use a cluster', async () => {
    const nodes = await startCluster(t, secured);
    const hosts = nodes.map(({ port }) => `localhost:${port}`).join(',');
    await expectToWork({ ...more, REDIS_URL: `rediss+cluster://default:p%40ss@${hosts}` });
  }, 60_000);

  test('commands and a worker use what Sentinel names', async () => {
    const { sentinel, name } = await startSentinelSet(t, secured);
    const host = `localhost:${sentinel.port}`;
    const REDIS_URL = `rediss+sentinel://default:p%40ss@${host}/${name}/0?sentinelPassword=p%40ss`;
    await expectToWork({ ...more, REDIS_URL });
  }, 60_000);
});

test('a cluster that lost its quorum is named as such', async () => {
  const [one, ...others] = await startCluster(t);
  await withScene('redis', {}, async (scene) => {
    const env = { REDIS_URL: `redis+cluster://127.0.0.1:${one?.port},127.0.0.1:${others[0]?.port}` };
    expect(await scene.run(['status'], env)).toMatchObject({ code: 0 });
    for (const other of others) await other.kill();
    await waitFor(async () => /cluster_state:fail/.test(String(await one?.client.cluster('INFO'))));
    expect(await scene.run(['status'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: Redis at .* \(cluster\) has lost its quorum, .* try again in a moment/m),
    });
  });
}, 60_000);
