import { fingerprintOf } from './fingerprint.js';

/** Remembers on which line each row of a file came first. */
export interface FirstLines {
  /** The line on which this key, or digest of at least 9 bytes, was seen before; null when it is new, and remembered from now on. */
  seenOn(key: string, lineNumber: number): number | null;
}

/**
 * For up to `rows` different keys, in 16 bytes each: a table of 64-bit fingerprints, three quarters full at most. Two
 * different rows of a million share a fingerprint about once in 40 million files, and then a note is wrong, nothing else.
 */
export function createFirstLines(rows: number): FirstLines {
  const size = Math.ceil((rows + 1) / 0.75);
  const high = new Uint32Array(size);
  const low = new Uint32Array(size);
  // 0 marks a free place: no record starts on line 0.
  const lines = new Uint32Array(size);
  return {
    seenOn: (key, lineNumber) => {
      const [a, b] = fingerprintOf(key);
      for (let at = a % size; ; at = (at + 1) % size) {
        const line = lines[at];
        if (line === 0) {
          high[at] = a;
          low[at] = b;
          lines[at] = lineNumber;
          return null;
        }
        if (high[at] === a && low[at] === b) return line ?? null;
      }
    },
  };
}
