import type { Logger } from '../lib/logger.js';
import type { Html } from './layout.js';
import type { Monitor, Picture, Point } from './monitor.js';

export interface LiveOptions {
  readonly monitor: Monitor;
  readonly parts: (picture: Picture) => Readonly<Record<string, Html>>;
  readonly log: Logger;
}

/** Server-sent events: what changed on the overview, rendered once for all viewers. */
export interface LiveOverview {
  /** The body of one viewer's event stream; null when there are too many viewers. */
  open(): ReadableStream<Uint8Array> | null;
  close(): void;
}

const MOST_VIEWERS = 100;
/** Events a slow viewer may be behind before it is skipped; each later one brings all that changed in between. */
const MOST_BEHIND = 4;
const KEEP_ALIVE_MS = 15_000;

interface Viewer {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly seen: Map<string, string>;
  pointAtMs: number;
  toldAtMs: number;
}

export function createLiveOverview({ monitor, parts, log }: LiveOptions): LiveOverview {
  const viewers = new Set<Viewer>();
  const encoder = new TextEncoder();
  let unwatch: (() => void) | null = null;

  async function tellAll(picture: Picture): Promise<void> {
    try {
      const rendered = await renderedParts(parts(picture));
      for (const viewer of viewers) tell(viewer, rendered, picture);
    } catch (error) {
      log.error('dashboard.cannot-tell', { message: error instanceof Error ? error.message : String(error) });
    }
  }

  function tell(viewer: Viewer, rendered: ReadonlyMap<string, string>, picture: Picture): void {
    if ((viewer.controller.desiredSize ?? 0) <= 0) return;
    const changed = [...rendered].filter(([id, text]) => viewer.seen.get(id) !== text);
    const points = picture.history.filter(({ atMs }) => atMs > viewer.pointAtMs);
    const nowMs = performance.now();
    if (changed.length === 0 && points.length === 0 && nowMs - viewer.toldAtMs < KEEP_ALIVE_MS) return;
    for (const [id, text] of changed) viewer.seen.set(id, text);
    viewer.pointAtMs = points.at(-1)?.atMs ?? viewer.pointAtMs;
    viewer.toldAtMs = nowMs;
    viewer.controller.enqueue(encoder.encode(eventOf(changed, points)));
  }

  function leave(viewer: Viewer): void {
    viewers.delete(viewer);
    if (viewers.size > 0) return;
    unwatch?.();
    unwatch = null;
  }

  return {
    open: () => {
      if (viewers.size >= MOST_VIEWERS) return null;
      let viewer: Viewer;
      return new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            viewer = { controller, seen: new Map(), pointAtMs: 0, toldAtMs: 0 };
            viewers.add(viewer);
            controller.enqueue(encoder.encode('retry: 2000\n\n'));
            unwatch ??= monitor.watch((picture) => void tellAll(picture));
          },
          cancel: () => leave(viewer),
        },
        { highWaterMark: MOST_BEHIND },
      );
    },
    close: () => {
      for (const viewer of viewers) {
        leave(viewer);
        viewer.controller.close();
      }
    },
  };
}

function eventOf(changed: readonly (readonly [string, string])[], points: readonly Point[]): string {
  const data = {
    parts: Object.fromEntries(changed),
    points: points.map(({ atMs, perSecond, inFlight }) => [Math.round(atMs / 1000), round(perSecond), inFlight]),
  };
  return `data: ${JSON.stringify(data)}\n\n`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Parts as the text that fills their elements. */
export async function renderedParts(parts: Readonly<Record<string, Html>>): Promise<ReadonlyMap<string, string>> {
  const texts = Object.entries(parts).map(async ([id, part]) => [id, String(await part)] as const);
  return new Map(await Promise.all(texts));
}
