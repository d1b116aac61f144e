/** A map from numbers to numbers for so many entries at most, in 11 bytes each; those of a `Map` take ten times as much. */
export interface NumberTable {
  get(key: number): number | undefined;
  set(key: number, value: number): void;
}

/** Keys are whole numbers from 1, values from 0, both below 2^32. */
export function createNumberTable(entries: number): NumberTable {
  const size = Math.ceil((entries + 1) / 0.75);
  // 0 marks a free place.
  const keys = new Uint32Array(size);
  const values = new Uint32Array(size);
  const placeOf = (key: number) => {
    let at = key % size;
    while (keys[at] !== 0 && keys[at] !== key) at = (at + 1) % size;
    return at;
  };
  return {
    get: (key) => {
      const at = placeOf(key);
      return keys[at] === 0 ? undefined : values[at];
    },
    set: (key, value) => {
      const at = placeOf(key);
      keys[at] = key;
      values[at] = value;
    },
  };
}
