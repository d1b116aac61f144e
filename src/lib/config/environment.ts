import { join } from 'node:path';
import { config as loadDotenv } from 'dotenv';
import type { Environment } from '../config.js';
import { UsageError } from '../errors.js';

/**
 * The process's environment over the `.env` of `cwd`, if there is one: a variable set outside wins, even when it is empty.
 * Changes neither. Throws `UsageError` when there is a `.env` that cannot be read.
 */
export function readEnvironment(cwd: string = process.cwd()): Environment {
  const file: Record<string, string> = {};
  const path = join(cwd, '.env');
  const { error } = loadDotenv({ path, quiet: true, processEnv: file });
  if (error !== undefined && codeOf(error) !== 'ENOENT') {
    throw new UsageError('ENV_FILE_UNREADABLE', `${path} cannot be read (${codeOf(error)}); check its permissions.`, {
      cause: error,
    });
  }
  return { ...file, ...process.env };
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}
