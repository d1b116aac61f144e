import { afterEach, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { parseRedisAddress } from '../../../src/lib/engine/redis/redis-address.js';
import { connectRedis, createRedisClient } from '../../../src/lib/engine/redis/redis-client.js';
import { startSentinelSet } from '../../support/redis-topologies.js';
import { setup } from '../../support/setup.js';
import { openTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait.js';

const t = setup();
afterEach(() => t.close());

async function proxyTo(port: number): Promise<TcpProxy> {
  return t.closing(await openTcpProxy({ host: '127.0.0.1', port }), (opened) => opened.close());
}

/** What takes what is said to it, and answers when it passes on. */
async function silentProxyTo(port: number): Promise<TcpProxy> {
  const silent = await proxyTo(port);
  await silent.setMode('black-hole');
  return silent;
}

async function connectedBy(ports: readonly number[], name: string): Promise<Redis> {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',');
  const address = parseRedisAddress(`redis+sentinel://${hosts}/${name}/0`);
  const client = t.closing(createRedisClient(address, 'commands', false) as Redis, (opened) => opened.disconnect());
  client.on('error', () => undefined);
  await connectRedis(client, address, 30_000);
  return client;
}

// ioredis ended the client for good: a worker lived on, and could do nothing any more.
test('a client that hears of a failover while it asks Sentinel for the primary goes on with the new one, or ends when it is told to', async () => {
  const { primary, replica, sentinel, name } = await startSentinelSet(t);
  const road = await proxyTo(sentinel.port);
  const [client, ended] = await Promise.all([connectedBy([road.port], name), connectedBy([road.port], name)]);
  const listeners = async () => String(await sentinel.client.client('LIST')).match(/ sub=1 /g)?.length;
  await waitFor(async () => (await listeners()) === 2, { what: 'the clients to listen' });
  const listener = t.closing(sentinel.client.duplicate({ port: road.port }), (opened) => opened.disconnect());
  const heard: string[] = [];
  listener.on('message', (channel) => heard.push(channel));
  await listener.subscribe('+switch-master');

  // From now on Sentinel answers nobody who comes anew.
  const silent = await silentProxyTo(sentinel.port);
  road.pointTo(silent.port);
  await primary.kill();
  const written = client.set('key', 'value');
  await waitFor(() => heard.length > 0, { what: 'the failover' });
  ended.disconnect();
  await silent.setMode('pass');
  expect(await written).toBe('OK');
  expect(client.stream.remotePort).toBe(replica.port);
  await waitFor(() => ended.status === 'end', { what: 'the other client to end' });
}, 120_000);

test('a Sentinel that takes connections and says nothing is passed over', async () => {
  const { primary, sentinel, name } = await startSentinelSet(t);
  const silent = await silentProxyTo(sentinel.port);
  const client = await connectedBy([silent.port, sentinel.port], name);
  expect(client.stream.remotePort).toBe(primary.port);
}, 120_000);
