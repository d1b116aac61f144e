import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreUnavailableError, UsageError } from '../../errors.js';

/** What pg calls host and port; together they name a socket: `<host>/.s.PGSQL.<port>`. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Systems cut socket paths at 104 to 108 characters. */
const MAX_PATH = 100;

/**
 * The socket of host number `number` in `directory` (absolute, mode 0700): in the directory itself, or in a private
 * folder of the system's temporary one when the path would be too long.
 */
export function socketAddress(directory: string, number: number): SocketAddress {
  if (process.platform === 'win32') return address(`//./pipe/zia-${digest(directory)}`, number); // Untested.
  if (fitsSocket(directory, number)) return address(directory, number);
  const folder = join(tmpdir(), `zia-${digest(directory)}`);
  makePrivate(folder);
  return address(folder, number);
}

/** Whether a socket in the directory itself has a path that is short enough. */
export function fitsSocket(directory: string, number: number): boolean {
  return address(directory, number).path.length <= MAX_PATH;
}

/**
 * Where the next host listens until it has its number: beside its later socket, to which it is then renamed. Pipes of
 * Windows cannot be renamed, and nobody else can listen at one that is taken.
 */
export function draftOf({ host, path }: SocketAddress): string {
  return process.platform === 'win32' ? path : `${host}/.s.${randomBytes(4).toString('hex')}`;
}

/** Makes a folder only this user can enter; refuses one that belongs to somebody else. Safe to repeat. */
export function makePrivate(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException; // fs throws nothing else
    throw new UsageError(
      'DATA_DIR_REFUSED',
      `${folder} cannot be made or entered (${code}): start in a folder that is yours, or set ZIA_DATA_DIR to one.`,
      { cause },
    );
  }
  const found = lstatSync(folder);
  const owner = process.getuid?.() ?? found.uid;
  if (!found.isDirectory() || found.uid !== owner) {
    throw new StoreUnavailableError(
      `${folder} belongs to somebody else: work as that user, make the folder yours (chown -R), or choose another ZIA_DATA_DIR.`,
    );
  }
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

function address(host: string, port: number): SocketAddress {
  return { host, port, path: `${host}/.s.PGSQL.${port}` };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
