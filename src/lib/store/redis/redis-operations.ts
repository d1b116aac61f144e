import { readFileSync } from 'node:fs';
import { Cluster, type Redis } from 'ioredis';
import { OPERATIONS, type OperationName, type Operations, type Reply } from '../operations.js';
import { SCRIPT_NUMBERS } from '../script-numbers.js';

type Script = (...args: readonly string[]) => Promise<Reply>;

/** What is put in front of every script, in this order: a function needs those above it. */
const SHARED = ['keys', 'basics', 'ledger', 'jobs', 'control', 'budget', 'pace', 'workers', 'orphans'];

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
  const numbers = Object.entries(SCRIPT_NUMBERS).map(([name, value]) => `local ${name} = ${value}`);
  const shared = [...numbers, ...SHARED.map((part) => read(`shared/${part}`))].join('\n');
  const named = client instanceof Cluster ? namesIn([shared, ...texts.values()]) : [];
  const scripts: Partial<Record<string, Script>> = {};
  for (const [name, text] of texts) {
    const command = `zia:${name}`;
    const keys = [base, ...named.map((key) => base + key)];
    const more = client instanceof Cluster ? KEYS_OF[name] : undefined;
    client.defineCommand(command, { ...(!more && { numberOfKeys: keys.length }), lua: `${shared}\n${text}` });
    // `defineCommand` puts this method on the client; its type cannot say so.
    const method = (client as unknown as Record<string, (...args: readonly (string | number)[]) => Promise<Reply>>)[
      command
    ] as (...args: readonly (string | number)[]) => Promise<Reply>;
    scripts[name] = (...args) => {
      const all = more ? [...keys, ...more(base, args)] : keys;
      return method.apply(client, [...(more ? [all.length] : []), ...all, ...args]);
    };
  }
  // Every name was defined in the loop above.
  return scripts as Record<OperationName, Script>;
}

/** Keys of an operation beside those that its script names: a document, or the jobs of rows. */
const KEYS_OF: Partial<Record<OperationName, (base: string, args: readonly string[]) => readonly string[]>> = {
  'read-document': (base, [name]) => [`${base}:document:${name}`],
  'change-document': (base, [name]) => [`${base}:document:${name}`],
  forget: (_base, [queue = '', , , ...rows]) =>
    jobKeys(
      queue,
      rows.filter((_, at) => at % 2 === 0),
    ),
  'remove-values': (_base, [queue = '', ...rows]) =>
    jobKeys(
      queue,
      rows.filter((_, at) => at % 3 === 0),
    ),
};

function jobKeys(queue: string, keys: readonly string[]): readonly string[] {
  const lists = ['wait', 'paused', 'active', 'prioritized', 'delayed', 'completed', 'failed'];
  const jobs = keys.flatMap((key) => [key, `${key}:lock`, `${key}:logs`]);
  return [...lists, ...jobs].map((name) => `${queue}:${name}`);
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
