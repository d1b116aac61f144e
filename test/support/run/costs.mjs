// The processor time of each test file. Unlike the clock it hardly changes on a machine that does much else.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A line for each file that has ended: `{ path, seconds }`. */
export const costsFile = () => join(process.env.TEST_RUN_FOLDER, 'costs');

/** Seconds by path. */
export function readCosts() {
  if (!existsSync(costsFile())) return new Map();
  const lines = readFileSync(costsFile(), 'utf8').trim().split('\n');
  return new Map(lines.map((line) => JSON.parse(line)).map(({ path, seconds }) => [path, seconds]));
}

/** Clock ticks a second in /proc, on every Linux. */
const TICKS = 100;

/** Of this process and of the children that it waited for, theirs included; of this process alone where there is no /proc. */
export function processorSeconds() {
  if (!existsSync('/proc/self/stat')) {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  }
  // After the name, which is in parentheses: utime, stime, cutime and cstime are the 12th to the 15th.
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}
