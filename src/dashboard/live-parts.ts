import type { Html } from './markup.js';
import type { Point } from './monitor.js';

/** What an open page asks for every second: the parts that may have changed, each as the text that fills its element. */
export interface PageUpdate {
  /** Title and icon of the tab. */
  readonly tab: { readonly title: string; readonly icon: string };
  readonly parts: Readonly<Record<string, string>>;
  /** New points of the chart: seconds, rows sent per second, open requests. */
  readonly points?: readonly (readonly [number, number, number])[];
}

/** Parts by the id of the element they fill, rendered. */
export async function renderedParts(parts: Readonly<Record<string, Html>>): Promise<Readonly<Record<string, string>>> {
  const texts = Object.entries(parts).map(async ([id, part]) => [id, String(await part)] as const);
  return Object.fromEntries(await Promise.all(texts));
}

/** The points of the chart after `afterSeconds`, which is the latest that the page has. */
export function pointsAfter(history: readonly Point[], afterSeconds: number): NonNullable<PageUpdate['points']> {
  return history
    .map(({ atMs, perSecond, inFlight }) => [Math.round(atMs / 1000), round(perSecond), inFlight] as const)
    .filter(([atSeconds]) => atSeconds > afterSeconds);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
