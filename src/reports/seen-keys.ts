import type { IdentityKey } from '../lib/core/ids.js';

/** A growing set of keys in at most 21 bytes each: a table of 64-bit fingerprints, three quarters full at most. */
export function createSeenKeys(): { add(key: IdentityKey): boolean } {
  // 0 marks a free place.
  let table = new BigUint64Array(4_096);
  let size = 0;

  function place(fingerprint: bigint): boolean {
    for (let at = Number(fingerprint % BigInt(table.length)); ; at = (at + 1) % table.length) {
      if (table[at] === fingerprint) return false;
      if (table[at] !== 0n) continue;
      table[at] = fingerprint;
      return true;
    }
  }

  function grow(): void {
    const old = table;
    table = new BigUint64Array(old.length * 2);
    for (const fingerprint of old) if (fingerprint !== 0n) place(fingerprint);
  }

  return {
    /** False when the key was added before. */
    add: (key) => {
      if (size + 1 > table.length * 0.75) grow();
      const isNew = place(Buffer.from(key.slice(-22), 'base64url').readBigUInt64LE(0) || 1n);
      if (isNew) size += 1;
      return isNew;
    },
  };
}
