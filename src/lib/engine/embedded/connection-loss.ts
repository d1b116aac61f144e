import { types } from 'node:util';

const LOST = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ENOTCONN']);

/** Whether an error says that the host of the database went away, rather than that a statement is wrong. */
export function isConnectionLoss(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if ('code' in error && typeof error.code === 'string' && LOST.has(error.code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|not queryable|Cannot use a pool/.test(
    error.message,
  );
}
