import { createHash } from 'node:crypto';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { processStart } from '../lib/process-identity.js';

const FOLDER = /^zia-dashboard-[0-9a-f]{8}-(\d+)-[0-9a-f]{8}-/;

/**
 * The beginning of the names of a process's folders: machine, process id, and when the process started, for an id is given
 * again, in a container at once. Undefined when no such process is alive.
 */
export function folderPrefix(pid: number): string | undefined {
  const startedAt = processStart(pid);
  if (startedAt === undefined) return undefined;
  return `zia-dashboard-${digest(hostname())}-${pid}-${digest(startedAt)}-`;
}

/** Makes a temporary folder that only this user can read, and that is known to be this process's. */
export function makeScratchFolder(): Promise<string> {
  // Without a name that tells whose it is nobody will ever remove it but we.
  return mkdtemp(join(tmpdir(), folderPrefix(process.pid) ?? 'zia-dashboard-'));
}

/** Removes the folders of this machine's processes that were killed before they could. Never rejects. */
export async function removeAbandonedFolders(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names.filter(isAbandoned)) {
    // Another user's is another dashboard's business, also for root, who could remove it.
    if (!(await isOwn(join(tmpdir(), name)))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

async function isOwn(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid);
}

function isAbandoned(name: string): boolean {
  const pid = FOLDER.exec(name)?.[1];
  if (pid === undefined || !name.startsWith(`zia-dashboard-${digest(hostname())}-`)) return false;
  const owner = folderPrefix(Number(pid));
  return owner === undefined || !name.startsWith(owner);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
