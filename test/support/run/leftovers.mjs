// What tests left behind. Everything a test starts inherits a TMPDIR that only its file has, so a look through /proc finds
// its processes, also those that were detached, and no process of another run on the same machine.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Processes that belong to `folder`, and all they started: by their environment, their working folder or their command
 * line, because a server that sets its title writes over its environment. Empty where there is no /proc.
 */
export function processesOf(folder) {
  const ids = processIds().filter((pid) => pid !== process.pid);
  const parents = new Map(ids.map((pid) => [pid, parentOf(pid)]));
  const found = new Set(
    ids.filter((pid) =>
      [look(pid, 'environ'), look(pid, 'cmdline'), workingFolder(pid)].some((text) => text.includes(folder)),
    ),
  );
  const add = (pid) => {
    found.add(pid);
    for (const child of ids) if (parents.get(child) === pid && !found.has(child)) add(child);
  };
  for (const pid of [...found]) add(pid);
  return [...found].map(described);
}

/** Children of this process that have not ended. */
export function childProcesses() {
  return processIds()
    .filter((pid) => parentOf(pid) === process.pid)
    .map(described);
}

export function killAll(processes) {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}

/** Servers, sockets and watchers that are open in this process. */
export function openHandles() {
  // Not documented, and the only way to the objects themselves.
  return process._getActiveHandles().filter((handle) => describeHandle(handle) !== undefined);
}

/** Such as `a server on 127.0.0.1:4321`; undefined for what is none of a test's business. */
export function describeHandle(handle) {
  const kind = handle.constructor?.name;
  if (kind === 'FSWatcher') return 'a watcher of files';
  if (typeof handle.listen === 'function') return `a server on ${place(handle.address?.())}`;
  if (kind !== 'Socket' && kind !== 'TLSSocket') return undefined;
  // Standard streams, and the channel to jest.
  if (handle.fd !== undefined && handle.fd >= 0 && handle.fd <= 2) return undefined;
  // One whose peer has gone is left by a body that nobody read, and ends with the next collection of garbage.
  if (handle.remotePort === undefined || handle.localPort === undefined || !isEstablished(handle)) return undefined;
  return `a socket from ${handle.localAddress}:${handle.localPort} to ${handle.remoteAddress}:${handle.remotePort}`;
}

export function closeHandle(handle) {
  handle.closeAllConnections?.();
  if (typeof handle.destroy === 'function') handle.destroy();
  else handle.close?.();
}

/** Also true where there is no /proc. */
function isEstablished({ localPort, remotePort }) {
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} (..) `, 'm');
  const states = ['tcp', 'tcp6'].map((table) => ends.exec(look('self', `net/${table}`))?.[1]);
  return states.includes('01') || states.every((state) => state === undefined);
}

function place(address) {
  if (address === null || address === undefined) return 'an unknown address';
  return typeof address === 'string' ? address : `${address.address}:${address.port}`;
}

function processIds() {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** A file of /proc; empty when the process is gone or belongs to somebody else. */
function look(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** Undefined for a process that has ended and was not waited for. */
function parentOf(pid) {
  // After the name, which is in parentheses.
  const [state, parent] = look(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return state === 'Z' ? undefined : Number(parent);
}

function described(pid) {
  return { pid, command: commandOf(pid) };
}

function workingFolder(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function commandOf(pid) {
  return look(pid, 'cmdline').split('\0').join(' ').trim().slice(0, 200) || look(pid, 'comm').trim();
}
