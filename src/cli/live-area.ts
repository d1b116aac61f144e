import type { createLogUpdate } from 'log-update';

/** The lines at the bottom of the screen that are drawn anew in place. */
export interface LiveArea {
  /** Draws `text` in place of what was there; lines must fit the width. */
  show(text: string): void;
  /** Takes the text off the screen and ends the area. Safe to call twice. */
  clear(): void;
  /** Leaves the text on the screen and ends the area. Safe to call twice. */
  keep(): void;
}

let current: { readonly above: (text: string) => void } | null = null;

/** A live area on a terminal, the only one of the process. What `writeAbove` writes meanwhile scrolls by above it. */
export function openLiveArea(stream: NodeJS.WriteStream): LiveArea {
  let update: ReturnType<typeof createLogUpdate> | null = null;
  let shown = '';
  const mine = {
    above: (text: string) => {
      update?.clear();
      stream.write(text);
      if (shown !== '') update?.(shown);
    },
  };
  current = mine;
  // Loading it takes a fifth of a short command, and most commands draw nothing.
  void import('log-update').then((library) => {
    if (current !== mine) return;
    update = library.createLogUpdate(stream);
    if (shown !== '') update(shown);
  });
  const end = (last: () => void) => {
    if (current !== mine) return;
    current = null;
    last();
    update?.done();
  };
  return {
    show: (text) => {
      shown = text;
      update?.(text);
    },
    clear: () => end(() => update?.clear()),
    keep: () => end(() => undefined),
  };
}

/** Writes whole lines to stderr, above a live area if there is one. */
export function writeAbove(text: string): void {
  if (current === null) process.stderr.write(text);
  else current.above(text);
}
