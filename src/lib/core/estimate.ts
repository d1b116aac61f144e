/** What submitting rows takes. */
export interface Estimate {
  readonly posts: number;
  /** Calls for results, at most. */
  readonly polls: number;
  /** At the configured pace, results included. */
  readonly seconds: number;
}

/** A result costs one call, and a page of the list serves a hundred of them; in the long run at most so much a row. */
const POLLS_PER_ROW = 1.1;
/** The share of the rate that the pace uses: the headroom that keeps any sliding second at Zoho's side within the limit. */
export const USED_SHARE = 0.98;

/** What `rows` submissions and their results take at `callsPerSecond`, above 0. Latency is not known, and not counted. */
export function estimateOf(rows: number, callsPerSecond: number): Estimate {
  const polls = Math.ceil(rows * POLLS_PER_ROW);
  return { posts: rows, polls, seconds: Math.ceil((rows + polls) / (callsPerSecond * USED_SHARE)) };
}
