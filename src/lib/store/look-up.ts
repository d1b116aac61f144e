import type { Operations } from './operations.js';

/** Keys asked for in one round trip: large enough to be fast, small enough not to hold up the engine. */
const CHUNK = 1_000;

/** What an operation that answers each of its arguments says of these; those without an answer are left out. */
export async function* lookUp<K extends string>(
  operations: Operations,
  name: 'owners' | 'alias-owners' | 'entries' | 'results' | 'orphans' | 'orphans-like',
  keys: readonly K[],
): AsyncGenerator<readonly [K, string]> {
  for (let at = 0; at < keys.length; at += CHUNK) {
    const chunk = keys.slice(at, at + CHUNK);
    const reply = await operations.run(name, chunk);
    for (const [index, key] of chunk.entries()) {
      const found = reply[index];
      if (found) yield [key, found];
    }
  }
}
