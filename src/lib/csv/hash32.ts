/** A fast hash of texts into 1 to 2^32 - 2; FNV-1a with a mixer at the end. Not for anything that somebody may attack. */
export function createHash32(seed: number): (text: string) => number {
  const start = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  return (text) => {
    let hash = start;
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return Math.min(Math.max(1, (hash ^ (hash >>> 16)) >>> 0), 0xfffffffe);
  };
}
