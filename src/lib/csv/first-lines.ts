import { createFingerprintTable } from './fingerprint.js';

/** Remembers on which line each row of a file came first. */
export interface FirstLines {
  /** The line on which this key, or digest of at least 9 bytes, was seen before; null when it is new, and remembered from now on. */
  seenOn(key: string, lineNumber: number): number | null;
}

/** For up to `rows` different keys. Where two of them share a fingerprint a note is wrong, nothing else. */
export function createFirstLines(rows: number): FirstLines {
  // No record starts on line 0.
  const { numbers: lines, indexOf } = createFingerprintTable(rows);
  return {
    seenOn: (key, lineNumber) => {
      const at = indexOf(key);
      if (lines[at]) return lines[at];
      lines[at] = lineNumber;
      return null;
    },
  };
}
