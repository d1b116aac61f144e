/** What the stand-in saw and did: tests assert on this, never on the program's own counters. */
export interface SandboxEvent {
  readonly kind: 'token' | 'post' | 'list' | 'get' | 'coql' | 'other';
  readonly method: string;
  readonly path: string;
  /** When the request had arrived whole, epoch milliseconds with fractions, by a clock that never jumps. */
  readonly atMs: number;
  /** API calls being answered when it arrived, itself included; 0 for token calls. */
  readonly inFlight: number;
  /** Null while unanswered, and for good when the connection was cut or never answered. */
  answeredAtMs: number | null;
  status: number | null;
  code: string | null;
  /** The enrichment this call scheduled, also when its answer never left. */
  enrichmentId: string | null;
  sent: SentValues | null;
}

export interface SentValues {
  readonly module: string;
  readonly recordId?: string;
  readonly name?: string;
  readonly email?: string;
  readonly website?: string;
}

/** An accepted submission. */
export interface SandboxEnrichment {
  readonly id: string;
  readonly sent: SentValues;
  readonly createdAtMs: number;
  /** Zoho's id of the user who made it. */
  readonly createdBy: string;
}

const START_MS = Date.now() - performance.now();

/** Epoch milliseconds that only go forward. */
export function nowMs(): number {
  return START_MS + performance.now();
}

export interface Summary {
  readonly posts: number;
  readonly accepted: number;
  /** Submissions accepted although the same values had been accepted before. */
  readonly acceptedTwice: number;
  readonly limitExceeded: number;
  readonly lists: number;
  readonly gets: number;
  readonly queries: number;
  readonly tokenCalls: number;
  readonly tokensIssued: number;
  readonly maxInFlight: number;
  readonly maxPostsInAnySecond: number;
  readonly maxCallsInAnySecond: number;
  /** POSTs that arrived after the first LIMIT_EXCEEDED had been answered, and how late the last of them was. */
  readonly postsAfterLimit: number;
  readonly lastPostAfterLimitMs: number;
}

/** The numbers that promises are about, from a log. */
export function summarise(log: readonly SandboxEvent[]): Summary {
  const posts = log.filter(({ kind }) => kind === 'post');
  const calls = log.filter(({ kind }) => kind !== 'token');
  const accepted = posts.filter(({ enrichmentId }) => enrichmentId !== null);
  const tokens = log.filter(({ kind }) => kind === 'token');
  const limited = posts.filter(({ code }) => code === 'LIMIT_EXCEEDED');
  const firstLimitMs = Math.min(...limited.map(({ answeredAtMs }) => answeredAtMs ?? Number.POSITIVE_INFINITY));
  const late = posts.filter(({ atMs }) => atMs > firstLimitMs);
  return {
    posts: posts.length,
    accepted: accepted.length,
    acceptedTwice: accepted.length - new Set(accepted.map(({ sent }) => JSON.stringify(sent))).size,
    limitExceeded: limited.length,
    lists: log.filter(({ kind }) => kind === 'list').length,
    gets: log.filter(({ kind }) => kind === 'get').length,
    queries: log.filter(({ kind }) => kind === 'coql').length,
    tokenCalls: tokens.length,
    tokensIssued: tokens.filter(({ code }) => code === 'TOKEN').length,
    maxInFlight: Math.max(0, ...chunkMaxima(calls.map(({ inFlight }) => inFlight))),
    maxPostsInAnySecond: mostInAnySecond(posts),
    maxCallsInAnySecond: mostInAnySecond(calls),
    postsAfterLimit: late.length,
    lastPostAfterLimitMs: Math.max(0, ...chunkMaxima(late.map(({ atMs }) => atMs - firstLimitMs))),
  };
}

/** Most events in any sliding window of one second. */
export function mostInAnySecond(events: readonly { readonly atMs: number }[]): number {
  const times = events.map(({ atMs }) => atMs).sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [last, time] of times.entries()) {
    while ((times[first] ?? time) <= time - 1_000) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Spreading a long array into Math.max overflows the stack. */
function chunkMaxima(values: readonly number[]): number[] {
  const maxima: number[] = [];
  for (let at = 0; at < values.length; at += 10_000) maxima.push(Math.max(...values.slice(at, at + 10_000)));
  return maxima;
}
