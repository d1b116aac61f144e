import { readFileSync } from 'node:fs';
import { SCRIPT_NUMBERS } from '../script-numbers.js';

/** In the order in which they are applied: a function in SQL needs those it calls. */
const PARTS = [
  'tables',
  'basics',
  'pace',
  'workers',
  'orphans',
  'budget',
  'admit',
  'outcomes',
  'reads',
  'import',
  'erasure',
];

/** Tables and functions of the store, as one script that may be run again. */
export function readSchema(): string {
  const parts = PARTS.map((part) => readFileSync(new URL(`./${part}.sql`, import.meta.url), 'utf8'));
  return parts.join('\n').replaceAll(/(?<!:):([A-Z_]+)/g, (_, name: string) => {
    const number = SCRIPT_NUMBERS[name];
    if (number === undefined) throw new Error(`The schema names a number that is not there: ${name}.`);
    return String(number);
  });
}
