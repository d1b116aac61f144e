import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StoreUnavailableError } from '../../errors.js';
import { processStart } from '../../process-identity.js';

/** Who hosts, or hosted, the database of a directory. */
export interface HostRecord {
  readonly pid: number;
  readonly startedAt: string;
  readonly hostname: string;
  /** The host ended in good order. */
  readonly released?: true;
}

export type HostLock =
  /** This process hosts. `number` is new with each host. */
  | { readonly kind: 'owned'; readonly number: number; release(): void }
  | { readonly kind: 'held'; readonly number: number; readonly owner: HostRecord };

const LOCK = /^host\.(\d+)\.lock$/;

/**
 * Takes the right to host the database in `directory`, or tells who has it. Two hosts destroy data, so the lock goes by
 * process identity (id and start time), never by age: a frozen or sleeping host keeps it, a dead one's is free at once.
 *
 * Each host adds a lock with the next number; the highest number counts. A lock appears in one step with its content
 * (a hard link), so only one process gets a number. The highest lock is never deleted, not even when its host ends: a
 * process that looked at the directory long ago can then never win a number that was used before, or it sees a higher one.
 */
export function takeHostLock(directory: string): HostLock {
  const startedAt = processStart(process.pid);
  if (startedAt === undefined) {
    throw new StoreUnavailableError(
      'The start time of this process cannot be read, so it cannot host the database; use REDIS_URL.',
    );
  }
  const self: HostRecord = { pid: process.pid, startedAt, hostname: hostname() };
  for (;;) {
    const highest = lockNumbers(directory)[0] ?? 0;
    if (highest > 0) {
      const owner = readLock(directory, highest);
      if (owner === undefined) continue;
      if (isHeld(owner, directory, highest)) return { kind: 'held', number: highest, owner };
    }
    const mine = highest + 1;
    if (!createLock(directory, mine, self)) continue;
    const [first, ...rest] = lockNumbers(directory);
    if (first !== mine) {
      rmSync(pathOf(directory, mine), { force: true });
      continue;
    }
    for (const lower of rest) rmSync(pathOf(directory, lower), { force: true });
    return { kind: 'owned', number: mine, release: () => writeLock(directory, mine, { ...self, released: true }) };
  }
}

/** Who hosts the database in `directory` as far as its lock tells; undefined when nobody does. */
export function currentHost(directory: string): HostRecord | undefined {
  const highest = lockNumbers(directory)[0];
  const owner = highest === undefined ? undefined : readLock(directory, highest);
  return owner === undefined || owner.released ? undefined : owner;
}

function isHeld(owner: HostRecord, directory: string, number: number): boolean {
  if (owner.released) return false;
  if (owner.hostname !== hostname()) {
    throw new StoreUnavailableError(
      `The database in ${directory} was last hosted on ${owner.hostname}, which cannot be asked from here; if process ` +
        `${owner.pid} no longer runs there, delete ${pathOf(directory, number)} and try again.`,
    );
  }
  return processStart(owner.pid) === owner.startedAt;
}

/** Highest first. */
function lockNumbers(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => LOCK.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** Undefined when a newer host has deleted it meanwhile. */
function readLock(directory: string, number: number): HostRecord | undefined {
  const path = pathOf(directory, number);
  try {
    // Written by `createLock` in one step.
    return JSON.parse(readFileSync(path, 'utf8')) as HostRecord;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw new StoreUnavailableError(
      `The lock ${path} cannot be read; if nothing uses this directory, delete it and try again.`,
      { cause: error },
    );
  }
}

/** False when the number is taken. */
function createLock(directory: string, number: number, record: HostRecord): boolean {
  const draft = writeDraft(directory, record);
  try {
    linkSync(draft, pathOf(directory, number));
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeLock(directory: string, number: number, record: HostRecord): void {
  renameSync(writeDraft(directory, record), pathOf(directory, number));
}

let drafts = 0;

function writeDraft(directory: string, record: HostRecord): string {
  const draft = join(directory, `draft.${process.pid}.${Date.now()}.${++drafts}`);
  writeFileSync(draft, JSON.stringify(record), { flag: 'wx', mode: 0o600 });
  return draft;
}

function pathOf(directory: string, number: number): string {
  return join(directory, `host.${number}.lock`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
