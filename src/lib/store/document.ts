import type { Operations } from './operations.js';
import type { Document, DocumentName } from './store.js';

export function createDocument<T>(operations: Operations, name: DocumentName): Document<T> {
  // Each document is written by the one module that owns its type.
  const parse = (json = ''): T | null => (json === '' ? null : (JSON.parse(json) as T));

  async function read() {
    const [json = '', nowMs] = await operations.run('read-document', [name]);
    return { json, nowMs: Number(nowMs) };
  }

  return {
    read: async () => {
      const { json, nowMs } = await read();
      return { value: parse(json), nowMs };
    },
    change: async (next) => {
      let seen = await read();
      for (;;) {
        const value = parse(seen.json);
        const changed = next(value, seen.nowMs);
        if (changed === undefined) return { value, nowMs: seen.nowMs, changed: false };
        const [won, json = '', nowMs] = await operations.run('change-document', [
          name,
          seen.json,
          JSON.stringify(changed),
        ]);
        if (won === '1') return { value: changed, nowMs: Number(nowMs), changed: true };
        seen = { json, nowMs: Number(nowMs) };
      }
    },
  };
}
