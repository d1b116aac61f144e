import type { Scene } from './scene.js';
import { type Spread, spreadOf } from './statistics.js';

/** A figure with what it should reach. */
export interface Figure {
  readonly what: string;
  /** For people, such as `at least 0.9`. */
  readonly goal: string;
  readonly unit: string;
  readonly spread: Spread;
  /** Null when there is nothing to reach. */
  readonly reached: boolean | null;
  /** Counts and memory: the same on every machine, so a check may fail on them. Times are not. */
  readonly kind: 'count' | 'memory' | 'time';
  /** What the figure was computed from, by name. */
  readonly from: Readonly<Record<string, Spread>>;
  /** The same on the embedded engine, against the same peer; nothing is to be reached there. */
  readonly embedded?: Spread;
}

/** A line of a chart: y over x. */
export interface Series {
  readonly question: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly { readonly label: string; readonly points: readonly (readonly [number, number])[] }[];
}

export interface Measured {
  readonly figures: readonly Figure[];
  readonly series?: readonly Series[];
}

/** How much is measured; each benchmark takes what it needs. */
export interface Sizes {
  /** Pairs of runs, or runs. */
  readonly runs: number;
  /** Rows of the file that is enqueued. */
  readonly rows: number;
  /** Rows of the files whose peak memory is compared, at least two; the limit is on the growth between the last two. */
  readonly memoryRows: readonly number[];
  /** Rows submitted without latency, and at 200 ms. */
  readonly submitRows: number;
  readonly slowRows: number;
  /** Rows already queued when the cost of one more is measured. */
  readonly queued: readonly number[];
  readonly exportRows: number;
  /** Rows of a file on the embedded engine, where they take longer. */
  readonly embeddedRows: number;
}

/** A benchmark that can be asked for by name. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(sizes: Sizes, scene: Scene): Promise<Measured>;
}

type Limit = { readonly atLeast: number } | { readonly atMost: number } | null;

interface Described {
  readonly what: string;
  readonly unit: string;
  readonly kind: Figure['kind'];
  readonly limit: Limit;
  readonly values: readonly number[];
  readonly from?: Readonly<Record<string, readonly number[]>>;
  readonly embedded?: readonly number[];
}

/** The median decides whether a limit is kept. */
export function figureOf({ what, unit, kind, limit, values, from = {}, embedded }: Described): Figure {
  const spread = spreadOf(values);
  const named = Object.entries(from).map(([name, numbers]) => [name, spreadOf(numbers)] as const);
  const there = embedded === undefined ? {} : { embedded: spreadOf(embedded) };
  return { what, unit, kind, spread, from: Object.fromEntries(named), ...there, ...judged(limit, spread.median, unit) };
}

function judged(limit: Limit, median: number, unit: string): Pick<Figure, 'goal' | 'reached'> {
  const named = (value: number) => `${value.toLocaleString('en')}${unit === '' ? '' : ` ${unit}`}`;
  if (limit === null) return { goal: 'measured', reached: null };
  if ('atLeast' in limit) return { goal: `at least ${named(limit.atLeast)}`, reached: median >= limit.atLeast };
  return { goal: `at most ${named(limit.atMost)}`, reached: median <= limit.atMost };
}
