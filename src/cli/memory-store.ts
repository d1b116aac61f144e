import type { Document, LedgerCounts, Store } from '../lib/store/store.js';

type NoStore = Pick<Store, 'admitCall' | 'finishCall' | 'counts' | 'document'>;

/** In place of a store where there is none: nothing is paced, nothing outlives the process, nothing was ever sent. */
export function createMemoryStore(): NoStore {
  const documents = new Map<string, unknown>();
  return {
    admitCall: async () => ({ kind: 'go' }),
    finishCall: async () => undefined,
    counts: async (): Promise<LedgerCounts> => ({
      scheduled: 0,
      sending: 0,
      uncertain: 0,
      held: 0,
      pending: 0,
      failed: 0,
      orphans: 0,
    }),
    document: <T>(name: string): Document<T> => {
      // Each document is written by the one module that owns its type.
      const current = () => (documents.get(name) ?? null) as T | null;
      return {
        read: async () => ({ value: current(), nowMs: Date.now() }),
        change: async (next) => {
          const changed = next(current(), Date.now());
          if (changed !== undefined) documents.set(name, changed);
          return { value: current(), nowMs: Date.now(), changed: changed !== undefined };
        },
      };
    },
  };
}
