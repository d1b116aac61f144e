import { readFileSync } from 'node:fs';

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
  return PARTS.map((part) => readFileSync(new URL(`./${part}.sql`, import.meta.url), 'utf8')).join('\n');
}
