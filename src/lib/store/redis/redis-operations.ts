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
  'alias-owners',
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

  async function run(name: (typeof SCRIPTS)[number], args: readonly string[]) {
    try {
      return await scripts[name](`${prefix}:store`, ...args);
    } catch (error) {
      throw explain(error);
    }
  }

  return {
    run,
    readCell: (cell) => run('read-cell', [cell]),
    changeCell: (cell, expected, next) => run('change-cell', [cell, expected, next]),
  };
}

function defineScripts(client: Redis | Cluster): Record<(typeof SCRIPTS)[number], Script> {
  const read = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  const prelude = read('prelude');
  const scripts: Partial<Record<string, Script>> = {};
  for (const name of SCRIPTS) {
    const command = `zia:${name}`;
    client.defineCommand(command, { numberOfKeys: 1, lua: prelude + read(name) });
    // `defineCommand` puts this method on the client; its type cannot say so.
    const method = (client as unknown as Record<string, Script>)[command];
    scripts[name] = (...args) => (method as Script).apply(client, args);
  }
  // Every name was defined in the loop above.
  return scripts as Record<(typeof SCRIPTS)[number], Script>;
}
