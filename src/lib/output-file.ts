import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { utf8Bytes } from './csv/encoding.js';

export interface OutputOptions {
  /** A file whose permissions the new one gets when it replaces none: its input. */
  readonly like?: string | null | undefined;
  /** Permissions when there is no such file either, such as 0o600; what the process gives new files when absent. */
  readonly mode?: number | undefined;
}

/** A file written beside its place under a name of its own, and moved there when it is complete. */
export interface OutputFile {
  append(text: string): Promise<void>;
  /**
   * Makes it durable and moves it to its place, or to another name `to` in its folder, where it replaces what is there; a
   * link is replaced, never followed. `beforeMove` runs when everything is written.
   */
  commit(move?: { readonly to?: string; readonly beforeMove?: () => Promise<void> }): Promise<void>;
  /** Leaves nothing behind. Safe to call twice, and after `commit`. */
  discard(): Promise<void>;
}

/** Files of this process that are being written: nobody's leftovers. */
const OWN = new Set<string>();
const PERMISSIONS = 0o777;
/** Whether a process of another machine or container still writes cannot be asked. */
const FOREIGN_LEFTOVER_MS = 24 * 3_600_000;

/**
 * Creates an output for `path` under a random name in its folder, exclusively, so that nothing planted there is written to.
 * Removes what killed processes left of earlier outputs for this path. Rejects as `open` does when the folder refuses it.
 */
export async function createOutput(path: string, options: OutputOptions = {}): Promise<OutputFile> {
  const mode = (await permissionsOf(path)) ?? (await permissionsOf(options.like ?? null)) ?? options.mode;
  const suffix = `${process.pid}.${randomBytes(8).toString('hex')}.tmp`;
  const temporary = join(dirname(path), `.${basename(path)}.${machine()}.${suffix}`);
  await removeLeftovers(path);
  const file = await open(temporary, 'wx', mode === undefined ? 0o666 : 0o600);
  OWN.add(temporary);
  let isOpen = true;
  const discard = async () => {
    if (isOpen) await file.close();
    isOpen = false;
    if (OWN.delete(temporary)) await rm(temporary, { force: true });
  };
  try {
    if (mode !== undefined) await file.chmod(mode);
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    append: (text) => file.appendFile(text.isWellFormed() ? text : utf8Bytes(text)),
    commit: async ({ to = path, beforeMove } = {}) => {
      await file.sync();
      await file.close();
      isOpen = false;
      await beforeMove?.();
      await rename(temporary, to);
      OWN.delete(temporary);
    },
    discard,
  };
}

/** Those of a regular file; null when there is none, or something else. */
async function permissionsOf(path: string | null): Promise<number | null> {
  const found = path === null ? null : await stat(path).catch(() => null);
  return found?.isFile() ? found.mode & PERMISSIONS : null;
}

/** In a name, and different in each container. */
function machine(): string {
  return hostname()
    .replace(/[^A-Za-z0-9-]/g, '-')
    .slice(0, 40);
}

/** Removes what killed processes left of earlier outputs for this path. Never rejects where the folder cannot be read. */
export async function removeLeftovers(path: string): Promise<void> {
  const start = `.${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names) {
    const [, host, pid] = name.startsWith(start)
      ? (/^(?:([A-Za-z0-9-]+)\.)?(\d+)(?:\.[0-9a-f]{16})?\.tmp$/.exec(name.slice(start.length)) ?? [])
      : [];
    if (pid === undefined) continue;
    const leftover = join(dirname(path), name);
    if (await isLeftover(leftover, host, Number(pid))) await rm(leftover, { force: true });
  }
}

/** An earlier version wrote no machine into the name. */
async function isLeftover(path: string, host: string | undefined, pid: number): Promise<boolean> {
  if (host === undefined || host === machine()) return pid === process.pid ? !OWN.has(path) : !isAlive(pid);
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > FOREIGN_LEFTOVER_MS;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // process.kill throws nothing else
  }
}
