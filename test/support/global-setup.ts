import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Jest loads this file with require, where .js does not lead to a TypeScript file.
// @ts-expect-error TS5097
import { findRedis } from './redis.ts';

/** What the whole run shares: a folder, in which all its files are, and one Redis, ours unless the environment names one. */
export default async function globalSetup(): Promise<void> {
  const folder = mkdtempSync(join(placeOfRun(), 'zia-run-'));
  process.env.TEST_RUN_FOLDER = folder;
  process.env.TMPDIR = folder;
  await endWithThisProcess(folder);
  const redis = await findRedis(process.env);
  process.env.TEST_REDIS_URL = redis.url;
  if (redis.server !== null) process.env.TEST_REDIS_OWN = JSON.stringify(redis.server);
}

const MEMORY = '/dev/shm';
/** A database takes 40 MB, and some dozens are open at once. */
const ENOUGH_BYTES = 4 * 2 ** 30;

/** In memory where there is enough of it: each new database is a thousand files, which a disk may take a second to make. */
function placeOfRun(): string {
  if (process.env.TMPDIR !== undefined || !existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  const runsPrograms = !/ \/dev\/shm \S+ \S*\bnoexec\b/.test(readFileSync('/proc/mounts', 'utf8'));
  return runsPrograms && bavail * bsize >= ENOUGH_BYTES ? MEMORY : tmpdir();
}

/** Also when the run is interrupted, or fails before its teardown: what still runs of it ends with it. */
async function endWithThisProcess(folder: string): Promise<void> {
  const { killAll, processesOf } = await import('./run/leftovers.mjs');
  process.once('exit', () => {
    killAll(processesOf(folder));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  // A terminal sends Ctrl-C to all processes of the run, which pass it on: the second must not cut short what the first began.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
}
