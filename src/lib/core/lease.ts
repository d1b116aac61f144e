/** A role that one worker of the fleet holds for a while. Times are milliseconds on the store's clock. */
export interface Lease {
  readonly holder: string;
  readonly untilMs: number;
}

/** The lease taken or renewed by `holder`; undefined while another holder's is alive. */
export function leaseTaken(lease: Lease | null, holder: string, nowMs: number, durationMs: number): Lease | undefined {
  if (lease !== null && lease.holder !== holder && lease.untilMs > nowMs) return undefined;
  return { holder, untilMs: nowMs + durationMs };
}
