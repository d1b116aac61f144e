import { AppError } from './errors.js';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full: free some space, then start again',
  EDQUOT: 'your quota of its disk is used up: free some space, then start again',
  EFBIG: 'files may not become that large there: choose another place',
  EIO: 'its disk fails: choose another place',
};

/**
 * What to reject with when writing to `path` failed: the system's own error names no file. An error that has nothing to do
 * with the disk comes back as it is.
 */
export function writeFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return error;
  const reason = REASONS[error.code];
  if (reason === undefined) return error;
  return new AppError('DISK_FULL', `${path} cannot be written (${error.code}), because ${reason}.`, 1, {
    cause: error,
  });
}
