/** A role that one worker of the fleet holds for a while. Times are milliseconds on the store's clock. */
export interface Lease {
  readonly holder: string;
  readonly untilMs: number;
}

/** The lease taken or renewed by `holder`; undefined while another holder's is alive. */
export function leaseTaken(lease: Lease | null, holder: string, nowMs: number, durationMs: number): Lease | undefined {
  if (lease !== null && lease.holder !== holder && isAlive(lease, nowMs, durationMs)) return undefined;
  return { holder, untilMs: nowMs + durationMs };
}

/** One that ends later than any can is from before the clock was set back. */
function isAlive({ untilMs }: Lease, nowMs: number, durationMs: number): boolean {
  return untilMs > nowMs && untilMs <= nowMs + durationMs;
}
