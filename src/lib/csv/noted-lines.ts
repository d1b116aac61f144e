import { MAX_LINES_SHOWN } from '../core/input-check.js';

/** Lines that have something in common: how many, and the first ten. */
export interface NotedLines {
  count: number;
  readonly lines: number[];
}

export const noLines = (): NotedLines => ({ count: 0, lines: [] });

export function noteLine(noted: NotedLines, line: number): void {
  noted.count += 1;
  if (noted.lines.length < MAX_LINES_SHOWN) noted.lines.push(line);
}
