import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';
import type { OperationName, Operations, Reply } from '../operations.js';

const SCRIPTS: readonly (OperationName | 'read-cell' | 'change-cell')[] = [
  'admit',
  'admit-call',
  'finish-call',
  'settle',
  'release',
  'doubt',
  'clear',
  'hold',
  'expire-claims',
  'uncertain',
  'sending',
  'owners',
  'entries',
  'counts',
  'vitals',
  'scan',
  'import',
  'heartbeat',
  'leave',
  'pending',
  'failed',
  'finish',
  'results',
  'server',
  'read-cell',
  'change-cell',
];

/** In the order the scripts' prelude names them. */
const KEYS = [
  'ledger',
  'ids',
  'sending',
  'uncertain',
  'held',
  'pending',
  'inflight',
  'workers',
  'pace',
  'cell:control',
  'results',
  'cell:server',
  'failed',
];

type Script = (...keysAndArgs: readonly (string | number)[]) => Promise<Reply>;

/**
 * The store's operations as Lua scripts. `prefix` is the hash tag all keys share, such as `{zia}`.
 * `explain` turns a failure into the error to reject with.
 */
export function createRedisOperations(
  client: Redis | Cluster,
  prefix: string,
  explain: (error: unknown) => Error,
): Operations {
  const keys = KEYS.map((name) => keyOf(prefix, name));
  const scripts = defineScripts(client);

  async function call(name: (typeof SCRIPTS)[number], extraKeys: readonly string[], args: readonly string[]) {
    try {
      return await scripts[name](keys.length + extraKeys.length, ...keys, ...extraKeys, ...args);
    } catch (error) {
      throw explain(error);
    }
  }

  return {
    run: (name, args) => call(name, [], args),
    readCell: (cell) => call('read-cell', [keyOf(prefix, `cell:${cell}`)], []),
    changeCell: (cell, expected, next) => call('change-cell', [keyOf(prefix, `cell:${cell}`)], [expected, next]),
  };
}

function keyOf(prefix: string, name: string): string {
  return `${prefix}:store:${name}`;
}

function defineScripts(client: Redis | Cluster): Record<(typeof SCRIPTS)[number], Script> {
  const read = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  const prelude = read('prelude');
  const scripts: Partial<Record<string, Script>> = {};
  for (const name of SCRIPTS) {
    const command = `zia:${name}`;
    client.defineCommand(command, { lua: prelude + read(name) });
    // `defineCommand` puts this method on the client; its type cannot say so.
    const method = (client as unknown as Record<string, Script>)[command];
    scripts[name] = (...args) => (method as Script).apply(client, args as (string | number)[]);
  }
  // Every name was defined in the loop above.
  return scripts as Record<(typeof SCRIPTS)[number], Script>;
}
