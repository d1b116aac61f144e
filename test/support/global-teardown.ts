import { readdirSync } from 'node:fs';
// Jest loads this file with require, where .js does not lead to a TypeScript file.
// @ts-expect-error TS5097
import { endRedis } from './redis.ts';

/** What the run itself keeps there. */
const OURS = ['template', 'costs'];

/** A run that is over ends; what keeps it is named. */
const END_WITHIN_MS = 10_000;

/** Ends the Redis this run started, and no other; rejects when something else of the run is left. */
export default async function globalTeardown(): Promise<void> {
  const { describeHandle, killAll, openHandles, processesOf } = await import('./run/leftovers.mjs');
  const { TEST_RUN_FOLDER: folder = '', TEST_REDIS_OWN: own } = process.env;
  if (own !== undefined) await endRedis(JSON.parse(own) as { pid: number; dir: string });
  setTimeout(() => {
    console.error(`The run is kept from ending by:\n${openHandles().map(describeHandle).join('\n')}`);
    process.exit(1);
  }, END_WITHIN_MS).unref();
  const processes = processesOf(folder);
  killAll(processes);
  const files = readdirSync(folder).filter((name) => !OURS.includes(name));
  const left = [...processes.map(({ pid, command }) => `process ${pid}: ${command}`), ...files];
  if (left.length > 0) throw new Error(`This run left something behind:\n${left.join('\n')}`);
}
