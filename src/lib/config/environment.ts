import { join } from 'node:path';
import { config as loadDotenv } from 'dotenv';
import type { Environment } from '../config.js';
import { UsageError } from '../errors.js';
import { PROFILE_NAME } from './values.js';

/**
 * The process's environment over the settings file of `cwd`, if there is one: a variable set outside wins, even when it is
 * empty. The file is `.env`, or `.env.acme` with the profile `acme`, which then reads nothing of `.env`. Changes neither.
 * Throws `UsageError` when the file cannot be read, or names a profile itself.
 */
export function readEnvironment(cwd: string = process.cwd()): Environment {
  const file: Record<string, string> = {};
  const path = join(cwd, envFileName(process.env));
  const { error } = loadDotenv({ path, quiet: true, processEnv: file });
  if (error !== undefined && codeOf(error) !== 'ENOENT') {
    throw new UsageError('ENV_FILE_UNREADABLE', `${path} cannot be read (${codeOf(error)}); check its permissions.`, {
      cause: error,
    });
  }
  if (file.ZIA_PROFILE !== undefined && file.ZIA_PROFILE !== '') {
    throw new UsageError(
      'PROFILE_IN_ENV_FILE',
      `${path} sets ZIA_PROFILE, which decides which file is read: use --profile, or set it in the environment.`,
    );
  }
  return { ...file, ...process.env };
}

/** The settings file that goes with the profile of this environment. */
export function envFileName(env: Environment): string {
  const profile = env.ZIA_PROFILE?.trim() ?? '';
  // A name of another form is refused when the settings are checked; until then it must not lead out of the folder.
  return PROFILE_NAME.test(profile) ? `.env.${profile}` : '.env';
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}
