import { count } from '../lib/core/wording.js';

/** A line for people: progress, notes, warnings. Stdout belongs to results. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The result of a command: one JSON document, or text. */
export function printResult(json: boolean, document: unknown, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(document)}\n` : `${text()}\n`);
}

/** Whether somebody watches the progress. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true;
}

/** Labels and values, one pair a line, the values aligned. */
export function table(pairs: readonly (readonly [label: string, value: string | number])[]): string {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs
    .map(([label, value]) => `${label.padEnd(width)}  ${typeof value === 'number' ? count(value) : value}`)
    .join('\n');
}
