import type { Store } from '../../src/lib/store/store.js';

/** A store that remembers no mapping. */
export function createMemoryCells(): Pick<Store, 'document'> {
  const empty = { read: async () => ({ value: null, nowMs: 0 }), change: async () => undefined };
  // Choosing columns reads one document and writes none.
  return { cell: () => empty } as unknown as Pick<Store, 'document'>;
}
