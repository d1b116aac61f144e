import { setTimeout as sleep } from 'node:timers/promises';
import {
  addReplica,
  isReplicaOf,
  type RedisServer,
  startCluster,
  startSentinelSet,
} from '../support/redis-topologies.js';
import type { TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

/** Redis with a replica that takes the primary's place. */
export interface Topology {
  readonly url: string;
  /** Planned, or the primary is killed, and comes back as a replica. Resolves when the next one may come. */
  failOver(planned: boolean): Promise<void>;
}

export type TopologyKind = 'sentinel' | 'cluster';

/** `tag` is what the keys of the store have in common. */
export async function openTopology(t: TestScope, kind: TopologyKind, tag: string): Promise<Topology> {
  return kind === 'sentinel' ? openSentinel(t) : openCluster(t, tag);
}

async function openSentinel(t: TestScope): Promise<Topology> {
  const { primary, replica, sentinel, name } = await startSentinelSet(t);
  const primaryPort = async () =>
    Number(((await sentinel.client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[])[1]);
  const failOver = swapper(primary, replica, {
    plan: () => sentinel.client.call('SENTINEL', 'FAILOVER', name),
    isPrimary: async ({ port }) => (await primaryPort()) === port,
  });
  return { url: `redis+sentinel://127.0.0.1:${sentinel.port}/${name}/0`, failOver };
}

async function openCluster(t: TestScope, tag: string): Promise<Topology> {
  const nodes = await startCluster(t);
  const [owner, replica] = await addReplica(t, nodes, tag);
  const failOver = swapper(owner, replica, {
    plan: ({ client }) => client.cluster('FAILOVER'),
    isPrimary: async ({ client }) => (await client.info('replication')).includes('role:master'),
  });
  const hosts = [...nodes, replica].map(({ port }) => `127.0.0.1:${port}`);
  return { url: `redis+cluster://${hosts.join(',')}`, failOver };
}

interface Ways {
  /** Asks for this one to be made the primary. */
  readonly plan: (next: RedisServer) => Promise<unknown>;
  readonly isPrimary: (server: RedisServer) => Promise<boolean>;
}

const ASK_AGAIN_MS = 6_000;

function swapper(primary: RedisServer, replica: RedisServer, { plan, isPrimary }: Ways) {
  let [now, next] = [primary, replica];
  return async (planned: boolean): Promise<void> => {
    if (!planned) await now.kill();
    let askAgainAt = 0;
    await waitFor(
      async () => {
        // Refused, or given up after 5 s, while not everybody knows of the replica.
        if (planned && performance.now() > askAgainAt) {
          askAgainAt = performance.now() + ASK_AGAIN_MS;
          await plan(next).catch(() => undefined);
        }
        return isPrimary(next);
      },
      { what: 'the replica to be the primary' },
    );
    if (!planned) {
      await sleep(1_000);
      await now.start();
    }
    // On a busy machine a cluster may take the new primary for dead at once, and the old one is primary again.
    await waitFor(async () => (await isReplicaOf(now, next)) || (await isReplicaOf(next, now)), {
      what: 'one of the two to be the replica of the other',
    });
    if (await isReplicaOf(now, next)) [now, next] = [next, now];
  };
}
