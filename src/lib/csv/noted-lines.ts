import { MAX_LINES_SHOWN } from '../core/input-check.js';

/** What lines have in common: how many times, and the first ten of these lines. */
export interface NotedLines {
  count: number;
  readonly lines: number[];
}

export const noLines = (): NotedLines => ({ count: 0, lines: [] });

export function noteLine(noted: NotedLines, line: number): void {
  noted.count += 1;
  if (noted.lines.length < MAX_LINES_SHOWN && noted.lines.at(-1) !== line) noted.lines.push(line);
}
