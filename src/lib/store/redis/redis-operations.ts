import { readFileSync } from 'node:fs';
import { Cluster, type Redis } from 'ioredis';
import { OPERATIONS, type OperationName, type Operations, type Reply } from '../operations.js';

type Script = (...args: readonly string[]) => Promise<Reply>;

/**
 * The store's operations as Lua scripts. `prefix` is the hash tag all keys share, such as `{zia}`.
 * `explain` turns a failure into the error to reject with.
 */
export function createRedisOperations(
  client: Redis | Cluster,
  prefix: string,
  explain: (error: unknown) => Error,
): Operations {
  const scripts = defineScripts(client, `${prefix}:store`);
  const connections = countConnections(client);
  return {
    run: async (name, args) => {
      try {
        return await scripts[name](...args);
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

function defineScripts(client: Redis | Cluster, base: string): Record<OperationName, Script> {
  const read = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  const texts = new Map(OPERATIONS.map((name) => [name, read(name)]));
  const prelude = read('prelude');
  const named = client instanceof Cluster ? namesIn([prelude, ...texts.values()]) : [];
  const scripts: Partial<Record<string, Script>> = {};
  for (const [name, text] of texts) {
    const command = `zia:${name}`;
    // The first argument of these two is the document's name.
    const ofCell = client instanceof Cluster && (name === 'read-document' || name === 'change-document');
    const keys = [base, ...named.map((key) => base + key)];
    client.defineCommand(command, { numberOfKeys: keys.length + (ofCell ? 1 : 0), lua: prelude + text });
    // `defineCommand` puts this method on the client; its type cannot say so.
    const method = (client as unknown as Record<string, Script>)[command] as Script;
    scripts[name] = (...args) =>
      method.apply(client, [...keys, ...(ofCell ? [`${base}:document:${args[0]}`] : []), ...args]);
  }
  // Every name was defined in the loop above.
  return scripts as Record<OperationName, Script>;
}

/**
 * The keys that these scripts name. While a cluster moves the slot, some keys are on each side: a script that is given all
 * of them is told to try again until the slot is whole. One that is given the base alone, which is no key, would be sent to
 * the new side and begin an empty store there.
 */
function namesIn(texts: readonly string[]): readonly string[] {
  const names = texts.flatMap((text) => [...text.matchAll(/base \.\. '(:[\w:-]*\w)'/g)].map(([, name]) => name ?? ''));
  return [...new Set(names)];
}
