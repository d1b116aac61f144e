import type { WriteStream } from 'node:tty';
import stringWidth from 'fast-string-width';
import { wrapAnsi } from 'fast-wrap-ansi';
import picocolors from 'picocolors';
import { formatCount } from '../lib/core/format.js';
import { asStarted } from '../lib/invocation.js';
import { writeAbove } from './live-area.js';

type Stream = typeof process.stdout | WriteStream;

/** Colours where the stream shows them: none where it is no terminal, TERM is `dumb` or NO_COLOR is set. */
export function coloursOf(stream: Stream): ReturnType<typeof picocolors.createColors> {
  return picocolors.createColors(stream.isTTY === true && stream.hasColors());
}

/** Columns of a terminal; no limit elsewhere. */
export function widthOf(stream: Stream): number {
  return stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY;
}

/** A line for people: progress, notes, warnings. Stdout belongs to results. */
export function note(text: string): void {
  writeAbove(`${wrapped(asStarted(text), process.stderr)}\n`);
}

/** The result of a command: one JSON document, or text. */
export function printResult(json: boolean, document: unknown, text: () => string): void {
  const result = json ? JSON.stringify(document, worded) : wrapped(asStarted(text()), process.stdout);
  process.stdout.write(`${result}\n`);
}

/** Messages may name commands; every other text of a document is data. */
function worded(key: string, value: unknown): unknown {
  return key === 'message' && typeof value === 'string' ? asStarted(value) : value;
}

/** A command is copied as it stands: a line break in it would be typed, too. */
const COMMAND = /^ *(npm|npx|zia-enrich) /;
/** What ends with a command: `To finish: npm start -- accounts.csv`. */
const ENDS_WITH_COMMAND = /^( *)(.*:) (\S*(?:npm|npx|zia-enrich) .*)$/;

/**
 * Broken at words where a terminal would break inside them; what goes on keeps the indent of its line. A word that is wider
 * than the terminal, such as a path or a list of scopes, is left to it: what it breaks is still copied whole.
 */
export function wrapped(text: string, room: Stream | number): string {
  const width = typeof room === 'number' ? room : widthOf(room);
  if (!Number.isFinite(width)) return text;
  return text
    .split('\n')
    .map((line) => (stringWidth(line) <= width || COMMAND.test(line) ? line : wrappedLine(line, width)))
    .join('\n');
}

function wrappedLine(line: string, width: number): string {
  const [, outer = '', why, command] = ENDS_WITH_COMMAND.exec(line) ?? [];
  if (why !== undefined) return `${wrapped(`${outer}${why}`, width)}\n${outer}  ${command}`;
  const indent = /^ */.exec(line)?.[0] ?? '';
  const room = Math.max(20, width - indent.length);
  return wrapAnsi(line.slice(indent.length), room).replace(/^/gm, indent);
}

/** Whether somebody watches the progress. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true;
}

/** Labels and values, one pair a line, the values aligned. */
export function table(pairs: readonly (readonly [label: string, value: string | number])[]): string {
  const width = Math.max(...pairs.map(([label]) => stringWidth(label)));
  return pairs
    .map(([label, value]) => `${padded(label, width)}  ${typeof value === 'number' ? formatCount(value) : value}`)
    .join('\n');
}

/** Cut to `width` columns, between characters as people see them, with a mark where something is missing; text without colours. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let columns = 1;
  for (const { segment, index } of new Intl.Segmenter().segment(text)) {
    columns += stringWidth(segment);
    if (columns > width) return `${text.slice(0, index)}…`;
  }
  return text;
}

/** Filled up with blanks to `width` columns. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** A column of a table on a terminal. */
export interface Column {
  readonly title: string;
  /** Narrower than this it is not made. */
  readonly min: number;
}

const GAP = '  ';

/**
 * Records under their titles. Where they are wider than `width`, the widest columns give way first, down to their `min`, and
 * their cells are cut.
 */
export function grid(columns: readonly Column[], records: readonly (readonly string[])[], width: number): string {
  const all = [columns.map(({ title }) => title), ...records];
  const widths = columns.map((_, at) => Math.max(...all.map((cells) => stringWidth(cells[at] ?? ''))));
  const total = () => widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1));
  while (total() > width) {
    const shrinkable = widths.map((each, at) => (each > (columns[at]?.min ?? 0) ? each : 0));
    const widest = shrinkable.indexOf(Math.max(...shrinkable));
    if ((shrinkable[widest] ?? 0) === 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const line = (cells: readonly string[]) =>
    widths
      .map((each, at) => padded(cut(cells[at] ?? '', each), each))
      .join(GAP)
      .trimEnd();
  return all.map(line).join('\n');
}
