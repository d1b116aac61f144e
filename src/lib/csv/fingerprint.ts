import { BASE64URL } from '../core/identity.js';

/** The two halves of a 64-bit fingerprint. */
export type Fingerprint = readonly [number, number];

/** Made of the first 9 bytes of a digest in base64url, or of an identity key: those are random already. */
export function fingerprintOf(digest: string): Fingerprint {
  const from = Math.max(0, digest.length - KEY_CHARACTERS);
  return [wordAt(digest, from), wordAt(digest, from + WORD_CHARACTERS)];
}

/** For each of many digests a number above 0; see `createFingerprintTable`. */
export interface FingerprintTable {
  /** Where the number of this digest is, or may be put. */
  indexOf(digest: string): number;
  /** 0 where there is none yet. */
  readonly numbers: Uint32Array;
}

/**
 * For up to `digests` different ones, in 16 bytes each: a table of 64-bit fingerprints, three quarters full at most. Two
 * different ones of a million share a fingerprint about once in 40 million files.
 */
export function createFingerprintTable(digests: number): FingerprintTable {
  const size = Math.ceil((digests + 1) / 0.75);
  const high = new Uint32Array(size);
  const low = new Uint32Array(size);
  const numbers = new Uint32Array(size);
  return {
    numbers,
    indexOf: (digest) => {
      const [a, b] = fingerprintOf(digest);
      let at = a % size;
      while (numbers[at] !== 0 && (high[at] !== a || low[at] !== b)) at = (at + 1) % size;
      high[at] = a;
      low[at] = b;
      return at;
    },
  };
}

/** Without the version in front. */
const KEY_CHARACTERS = 22;
const WORD_CHARACTERS = 6;
const VALUES = new Uint8Array(128);
for (let at = 0; at < BASE64URL.length; at += 1) VALUES[BASE64URL.charCodeAt(at)] = at;

/** The lowest 32 of the 36 bits of six characters; a buffer would be made for each. */
function wordAt(text: string, from: number): number {
  let word = 0;
  for (let at = from; at < from + WORD_CHARACTERS; at += 1) word = (word << 6) | (VALUES[text.charCodeAt(at)] ?? 0);
  return word >>> 0;
}
