import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from './errors.js';
import type { Store } from './store/store.js';

/** The store's `pulled` document: from which module each file was pulled, by its absolute path, oldest first. */
export type PulledFiles = readonly { readonly path: string; readonly module: string }[];

/** The document is small and rewritten whole. */
const MAX_REMEMBERED = 200;

/** Notes that the file holds records of this module. Calling it twice is safe. */
export async function rememberPulled(store: Pick<Store, 'document'>, path: string, module: string): Promise<void> {
  const entry = { path: await absolute(path), module };
  await store
    .document<PulledFiles>('pulled')
    .change((value) => [...(value ?? []).filter((one) => one.path !== entry.path), entry].slice(-MAX_REMEMBERED));
}

/** The module that the file was pulled from; null for a file that was not. */
export async function pulledModule(store: Pick<Store, 'document'>, path: string): Promise<string | null> {
  if (path === '-') return null;
  const wanted = await absolute(path);
  const { value } = await store.document<PulledFiles>('pulled').read();
  return value?.find((one) => one.path === wanted)?.module ?? null;
}

/** Throws `UsageError` when the file was pulled from another module: its record ids would name records that are not there. */
export async function assertPulledModule(store: Pick<Store, 'document'>, path: string, module: string): Promise<void> {
  const pulled = await pulledModule(store, path);
  if (pulled === null || pulled === module) return;
  throw new UsageError(
    'OTHER_MODULE',
    `${path} was pulled from ${pulled}, and ZIA_MODULE is ${module}: set ZIA_MODULE=${pulled} for this file.`,
  );
}

async function absolute(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
