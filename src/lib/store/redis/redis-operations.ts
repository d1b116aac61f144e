import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';
import { OPERATIONS, type OperationName, type Operations, type Reply } from '../operations.js';

type Script = (base: string, ...args: readonly string[]) => Promise<Reply>;

/**
 * The store's operations as Lua scripts. `prefix` is the hash tag all keys share, such as `{zia}`.
 * `explain` turns a failure into the error to reject with.
 */
export function createRedisOperations(
  client: Redis | Cluster,
  prefix: string,
  explain: (error: unknown) => Error,
): Operations {
  const scripts = defineScripts(client);
  const connections = countConnections(client);
  return {
    run: async (name, args) => {
      try {
        return await scripts[name](`${prefix}:store`, ...args);
      } catch (error) {
        throw explain(error);
      }
    },
    connections,
  };
}

function countConnections(client: Redis | Cluster): () => number {
  let connections = 0;
  const watch = (one: Redis | Cluster) =>
    one.on('ready', () => {
      connections += 1;
    });
  watch(client);
  // A node of a cluster is connected when it is first asked.
  if ('nodes' in client) {
    client.nodes('all').forEach(watch);
    client.on('+node', watch);
  }
  return () => connections;
}

function defineScripts(client: Redis | Cluster): Record<OperationName, Script> {
  const read = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  const prelude = read('prelude');
  const scripts: Partial<Record<string, Script>> = {};
  for (const name of OPERATIONS) {
    const command = `zia:${name}`;
    client.defineCommand(command, { numberOfKeys: 1, lua: prelude + read(name) });
    // `defineCommand` puts this method on the client; its type cannot say so.
    const method = (client as unknown as Record<string, Script>)[command];
    scripts[name] = (...args) => (method as Script).apply(client, args);
  }
  // Every name was defined in the loop above.
  return scripts as Record<OperationName, Script>;
}
