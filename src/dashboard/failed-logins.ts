/** Counts failed logins by address. */
export interface FailedLogins {
  /** How long nothing from this address is looked at; 0 when it may try. */
  blockedForMs(address: string): number;
  add(address: string): void;
}

const MAX_FAILURES = 10;
const WINDOW_MS = 300_000;
/** Bounds memory: whoever has so many addresses is not stopped by counting them. */
const MAX_ADDRESSES = 10_000;

/**
 * Ten failures within five minutes block an address until those minutes are over, whatever succeeds in between: whoever
 * shares the address and has the right login must not wipe out what a guesser did. `nowMs` is any clock that goes forward.
 */
export function createFailedLogins(nowMs: () => number = () => performance.now()): FailedLogins {
  const windows = new Map<string, { failures: number; readonly endsAtMs: number }>();

  function windowOf(address: string) {
    const found = windows.get(networkOf(address));
    return found !== undefined && found.endsAtMs > nowMs() ? found : undefined;
  }

  return {
    blockedForMs: (address) => {
      const window = windowOf(address);
      return window === undefined || window.failures < MAX_FAILURES ? 0 : window.endsAtMs - nowMs();
    },
    add: (address) => {
      const window = windowOf(address) ?? { failures: 0, endsAtMs: nowMs() + WINDOW_MS };
      window.failures += 1;
      const network = networkOf(address);
      windows.delete(network);
      windows.set(network, window);
      const [oldest] = windows.keys();
      if (windows.size > MAX_ADDRESSES && oldest !== undefined) windows.delete(oldest);
    },
  };
}

/** One subscriber has a whole /64 of IPv6 addresses. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head.split(':');
  const missing = 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  return [...groups, ...new Array<string>(Math.max(0, missing)).fill('0')].slice(0, 4).join(':');
}
