import { type BackoffPolicy, backoffMs } from './backoff.js';
import { type Lease, leaseTaken } from './lease.js';

/**
 * The fleet's one access token, kept in the store; only the pure functions in this file change it. All times are
 * milliseconds on the store's clock. A function that has nothing to change returns undefined.
 */
export interface TokenState {
  /** Fingerprint of the credentials and servers the rest of this state belongs to. */
  readonly credentialsId: string;
  readonly token: StoredToken | null;
  /** Where the latest token was good for, kept when the token itself is gone. */
  readonly apiDomain: string | null;
  /** The one refresh under way; it ends by itself when its worker dies. */
  readonly lease: Lease | null;
  /** Nobody asks for a token before this time; 0 when nothing forbids it. */
  readonly notBeforeMs: number;
  /** Why the latest refresh failed; null after a success. */
  readonly failure: RefreshFailure | null;
  /** Failed refreshes in a row, for growing waits. */
  readonly failures: number;
  /** When tokens were refused lately, oldest first. */
  readonly rejectedAtMs: readonly number[];
  /** The state of other credentials, which these have taken the place of to try a refresh; absent when there is none. */
  readonly displaced?: TokenState;
}

export interface StoredToken {
  readonly accessToken: string;
  readonly apiDomain: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export type RefreshFailure =
  | { readonly kind: 'throttled'; readonly code: string; readonly retryAfterMs: number | null }
  /** The accounts server is away. `answered`: it said something nobody can read, which may be a throttle in disguise. */
  | { readonly kind: 'outage'; readonly code: string; readonly answered: boolean }
  /** Only a person can help. */
  | { readonly kind: 'permanent'; readonly code: string; readonly message: string };

export type TokenPlan =
  /** Good to use; look again in `lookAgainMs`. */
  | { readonly kind: 'use'; readonly token: StoredToken; readonly lookAgainMs: number }
  /** Ask for a new token, once `next` is stored; `usable` still serves meanwhile. */
  | { readonly kind: 'refresh'; readonly next: TokenState; readonly usable: StoredToken | null }
  /** Another worker asks. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'failed'; readonly failure: RefreshFailure; readonly waitMs: number };

/** Refreshed this long before its end, or 10% of its life before when that is less. */
const REFRESH_AHEAD_MS = 60_000;
const REFRESH_AHEAD_SHARE = 0.1;
/** While another worker refreshes a token that is still good. */
const LOOK_AGAIN_MS = 1_000;
/** Zoho blocks for the rest of a window of 10 minutes, and longer while one goes on asking. */
const THROTTLE_MS = 600_000;
const MAX_THROTTLE_MS = 3_600_000;
/** Short, because the breaker of the fleet holds calls back as well. */
const AWAY: BackoffPolicy = { baseMs: 500, capMs: 5_000 };
const UNREADABLE: BackoffPolicy = { baseMs: 2_000, capMs: 600_000 };
/** Long enough that a fleet asks once, short enough that a person who mended something need not wait. */
const PERMANENT_MS = 10_000;
/** Zoho grants 10 tokens in 10 minutes: refusals may ask for a few of them, then wait. */
const REJECTIONS_WINDOW_MS = 600_000;
const MAX_REJECTIONS = 6;

/** What `holder` should do now. A state of other credentials counts as none. */
export function planToken(
  stored: TokenState | null,
  request: { readonly credentialsId: string; readonly holder: string; readonly leaseMs: number },
  nowMs: number,
): TokenPlan {
  const state = stateOf(stored, request.credentialsId);
  const usable = state.token !== null && state.token.expiresAtMs > nowMs ? state.token : null;
  if (usable !== null && refreshDueMs(usable) > nowMs) {
    return { kind: 'use', token: usable, lookAgainMs: refreshDueMs(usable) - nowMs };
  }
  if (state.notBeforeMs > nowMs && state.failure !== null) {
    const waitMs = state.notBeforeMs - nowMs;
    return usable === null ? { kind: 'failed', failure: state.failure, waitMs } : useOn(usable, waitMs, nowMs);
  }
  const lease = leaseTaken(state.lease, request.holder, nowMs, request.leaseMs);
  if (lease !== undefined) return { kind: 'refresh', next: { ...state, lease }, usable };
  if (usable !== null) return useOn(usable, LOOK_AGAIN_MS, nowMs);
  return { kind: 'wait', waitMs: (state.lease?.untilMs ?? nowMs) - nowMs };
}

/** A new token came, asked for at `askedAtMs`. Also a late one is welcome, unless a newer one is there. */
export function tokenRefreshed(
  stored: TokenState | null,
  credentialsId: string,
  granted: { readonly accessToken: string; readonly apiDomain: string; readonly lifeMs: number },
  askedAtMs: number,
): TokenState | undefined {
  const { displaced: _others, ...state } = stateOf(stored, credentialsId);
  if (state.token !== null && state.token.issuedAtMs > askedAtMs) return undefined;
  const { accessToken, apiDomain, lifeMs } = granted;
  const token = { accessToken, apiDomain, issuedAtMs: askedAtMs, expiresAtMs: askedAtMs + lifeMs };
  return { ...state, token, apiDomain, lease: null, notBeforeMs: 0, failure: null, failures: 0 };
}

/** The refresh of `holder` failed; nothing changes when its lease has gone to another. `random` in [0, 1) spreads waits. */
export function refreshFailed(
  stored: TokenState | null,
  { credentialsId, holder }: { readonly credentialsId: string; readonly holder: string },
  failure: RefreshFailure,
  nowMs: number,
  random: number,
): TokenState | undefined {
  const state = stateOf(stored, credentialsId);
  if (state.lease?.holder !== holder) return undefined;
  // Refused for good beside credentials that work: the fault is this worker's alone, and the fleet keeps what it had.
  if (failure.kind === 'permanent' && state.displaced && isUsable(state.displaced, nowMs)) return state.displaced;
  const failures = state.failure?.kind === failure.kind ? state.failures + 1 : 1;
  const notBeforeMs = nowMs + waitAfter(failure, failures, random);
  return { ...state, lease: null, notBeforeMs, failure, failures };
}

/** Whether the fleet has a good token of other credentials than these. */
export function othersHaveToken(stored: TokenState | null, credentialsId: string, nowMs: number): boolean {
  const others = stored?.credentialsId === credentialsId ? stored.displaced : stored;
  return others != null && isUsable(others, nowMs);
}

function isUsable({ token }: TokenState, nowMs: number): boolean {
  return token !== null && token.expiresAtMs > nowMs;
}

/** Zoho refused this token. Only the current one counts, so however many workers say so it is refreshed once. */
export function tokenRejected(stored: TokenState | null, accessToken: string, nowMs: number): TokenState | undefined {
  if (stored === null || stored.token?.accessToken !== accessToken) return undefined;
  const recent = stored.rejectedAtMs.filter((atMs) => atMs > nowMs - REJECTIONS_WINDOW_MS);
  const rejected = { ...stored, token: null, rejectedAtMs: [...recent, nowMs] };
  const [oldest] = recent;
  if (recent.length < MAX_REJECTIONS || oldest === undefined) return rejected;
  const failure: RefreshFailure = { kind: 'throttled', code: 'TOKENS_REFUSED_TOO_OFTEN', retryAfterMs: null };
  return { ...rejected, failure, notBeforeMs: Math.max(stored.notBeforeMs, oldest + REJECTIONS_WINDOW_MS) };
}

function waitAfter(failure: RefreshFailure, failures: number, random: number): number {
  switch (failure.kind) {
    case 'throttled': {
      const stepMs = Math.min(MAX_THROTTLE_MS, THROTTLE_MS * 2 ** Math.min(failures - 1, 10));
      return Math.max(failure.retryAfterMs ?? 0, Math.round(stepMs * (1 + random / 5)));
    }
    case 'outage':
      return backoffMs(failures, failure.answered ? UNREADABLE : AWAY, random);
    case 'permanent':
      return PERMANENT_MS;
  }
}

function useOn(token: StoredToken, waitMs: number, nowMs: number): TokenPlan {
  return { kind: 'use', token, lookAgainMs: Math.min(waitMs, token.expiresAtMs - nowMs) };
}

function refreshDueMs({ issuedAtMs, expiresAtMs }: StoredToken): number {
  return expiresAtMs - Math.min(REFRESH_AHEAD_MS, (expiresAtMs - issuedAtMs) * REFRESH_AHEAD_SHARE);
}

function stateOf(stored: TokenState | null, credentialsId: string): TokenState {
  if (stored?.credentialsId === credentialsId) return stored;
  if (stored?.displaced?.credentialsId === credentialsId) return stored.displaced;
  const { displaced: _others, ...displaced } = stored ?? {};
  return {
    ...(stored !== null && { displaced: displaced as TokenState }), // a whole state without what it displaced itself
    credentialsId,
    token: null,
    apiDomain: null,
    lease: null,
    notBeforeMs: 0,
    failure: null,
    failures: 0,
    rejectedAtMs: [],
  };
}
