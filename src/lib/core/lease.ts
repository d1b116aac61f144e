/** A role that one worker of the fleet holds for a while. Times are milliseconds on the store's clock. */
export interface Lease {
  readonly holder: string;
  readonly untilMs: number;
  /** How long it was given for; workers may differ in that. */
  readonly durationMs: number;
}

/** The lease taken or renewed by `holder`; undefined while another holder's is alive. */
export function leaseTaken(lease: Lease | null, holder: string, nowMs: number, durationMs: number): Lease | undefined {
  if (lease !== null && lease.holder !== holder && isAlive(lease, nowMs)) return undefined;
  return { holder, untilMs: nowMs + durationMs, durationMs };
}

/** One that ends later than it can is from before the clock was set back. */
function isAlive({ untilMs, durationMs }: Lease, nowMs: number): boolean {
  return untilMs > nowMs && untilMs <= nowMs + durationMs;
}
