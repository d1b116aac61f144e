import { linkSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { StoreUnavailableError } from '../../errors.js';
import { processStart } from '../../process-identity.js';
import { type HostListener, isListening, listen } from './host-listener.js';
import { draftOf, fitsSocket, type SocketAddress, socketAddress } from './socket-address.js';

/** Who hosts, or hosted, the database of a directory. */
export interface HostRecord {
  readonly pid: number;
  readonly startedAt: string;
  readonly hostname: string;
  /** Of process ids: in another one they name other processes. Absent where the system has none. */
  readonly namespace?: string;
  /** The name of its socket before it had a number; absent when the socket is not in the directory. */
  readonly draft?: string;
  /** The host ended in good order. */
  readonly released?: true;
}

export type HostLock =
  /** This process hosts, and listens at `address`. The number is new with each host. */
  | {
      readonly kind: 'owned';
      readonly address: SocketAddress;
      readonly listener: HostListener;
      release(): Promise<void>;
    }
  | { readonly kind: 'held'; readonly address: SocketAddress; readonly owner: HostRecord };

const LOCK = /^host\.(\d+)\.lock$/;

/**
 * Takes the right to host the database in `directory`, or tells who has it. Two hosts destroy data, so the lock goes by
 * process identity (id and start time), never by age: a frozen or sleeping host keeps it, a dead one's is free at once.
 *
 * Each host adds a lock with the next number; the highest number counts. A lock appears in one step with its content
 * (a hard link), so only one process gets a number. The highest lock is never deleted, not even when its host ends: a
 * process that looked at the directory long ago can then never win a number that was used before, or it sees a higher one.
 *
 * A process id says nothing across containers, so a host that is not found is dead only when nobody listens at its socket
 * either. For that a host listens from before it has the lock until after it gave it back.
 */
export async function takeHostLock(directory: string): Promise<HostLock> {
  const self = thisProcess();
  for (;;) {
    const highest = lockNumbers(directory)[0] ?? 0;
    if (highest > 0) {
      const owner = readLock(directory, highest);
      if (owner === undefined) continue;
      const address = socketAddress(directory, highest);
      if (await isHeld(owner, directory, highest)) return { kind: 'held', address, owner };
    }
    const owned = await claim(directory, highest + 1, self);
    if (owned !== undefined) return owned;
  }
}

function thisProcess(): HostRecord {
  const startedAt = processStart(process.pid);
  if (startedAt === undefined) {
    throw new StoreUnavailableError(
      'The start time of this process cannot be read, so it cannot host the database; use REDIS_URL.',
    );
  }
  const namespace = processNamespace();
  return { pid: process.pid, startedAt, hostname: hostname(), ...(namespace === undefined ? {} : { namespace }) };
}

function processNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}

/** Undefined when somebody else got the number, or a higher one. */
async function claim(directory: string, number: number, self: HostRecord): Promise<HostLock | undefined> {
  const address = socketAddress(directory, number);
  const draft = draftOf(address);
  const listener = await listen(draft).catch((error: unknown) => {
    if (isCode(error, 'EADDRINUSE')) return undefined;
    throw error;
  });
  if (listener === undefined) return undefined;
  const record = dirname(draft) === directory ? { ...self, draft: basename(draft) } : self;
  if (!createLock(directory, number, record)) {
    await listener.close();
    return undefined;
  }
  const [first, ...lower] = lockNumbers(directory);
  if (first !== number) {
    rmSync(pathOf(directory, number), { force: true });
    await listener.close();
    return undefined;
  }
  if (draft !== address.path) renameSync(draft, address.path);
  for (const old of lower) rmSync(pathOf(directory, old), { force: true });
  removeOtherSockets(address);
  const release = async () => {
    writeLock(directory, number, { ...self, released: true });
    await listener.close();
    rmSync(address.path, { force: true });
  };
  return { kind: 'owned', address, listener, release };
}

/** Those of hosts that were killed, and of processes that just lost against this one: they will draft anew. */
function removeOtherSockets({ host, path }: SocketAddress): void {
  if (process.platform === 'win32') return;
  for (const name of readdirSync(host)) {
    if (name.startsWith('.s.') && join(host, name) !== path) rmSync(join(host, name), { force: true });
  }
}

/** Who hosts the database in `directory` as far as its lock tells; undefined when nobody does. */
export function currentHost(directory: string): HostRecord | undefined {
  const highest = lockNumbers(directory)[0];
  const owner = highest === undefined ? undefined : readLock(directory, highest);
  return owner === undefined || owner.released ? undefined : owner;
}

async function isHeld(owner: HostRecord, directory: string, number: number): Promise<boolean> {
  if (owner.released) return false;
  const isOurs = owner.hostname === hostname() && isSameNamespace(owner);
  if (isOurs && processStart(owner.pid) === owner.startedAt) return true;
  const sockets = socketsOf(owner, directory, number);
  for (const socket of sockets) if (await isListening(socket)) return true;
  if (isOurs || (owner.hostname === hostname() && sockets.length > 0)) return false;
  throw new StoreUnavailableError(
    `The database in ${directory} was last hosted ${whereOf(owner)}, which cannot be asked from here; if process ` +
      `${owner.pid} no longer runs there, delete ${pathOf(directory, number)} and try again.`,
  );
}

/** True for the records of versions that did not name it. */
export function isSameNamespace({ namespace }: HostRecord): boolean {
  return namespace === undefined || namespace === processNamespace();
}

function whereOf(owner: HostRecord): string {
  return owner.hostname === hostname() ? 'in another container' : `on ${owner.hostname}`;
}

/**
 * Where this host may listen, the earlier name first: it is renamed once. None when another container could not see it,
 * because the path would be too long, here or there.
 */
function socketsOf({ draft, ...owner }: HostRecord, directory: string, number: number): readonly string[] {
  if (draft !== undefined && fitsSocket(directory, number)) {
    return [join(directory, draft), socketAddress(directory, number).path];
  }
  return draft === undefined && isSameNamespace(owner) ? [socketAddress(directory, number).path] : [];
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
