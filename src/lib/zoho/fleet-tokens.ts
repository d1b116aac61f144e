import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever } from '../core/assert-never.js';
import {
  othersHaveToken,
  planToken,
  type RefreshFailure,
  refreshFailed,
  type StoredToken,
  type TokenPlan,
  type TokenState,
  tokenRefreshed,
  tokenRejected,
} from '../core/token-lease.js';
import type { Logger } from '../logger.js';
import type { Document } from '../store/store.js';
import type { AccessTokens, TokenAnswer } from './access-tokens.js';
import type { RefreshAnswer } from './oauth.js';

export interface AccessTokensOptions {
  readonly document: Document<TokenState>;
  /** One call to the accounts server. */
  readonly refresh: () => Promise<RefreshAnswer>;
  /** Fingerprint of what `refresh` asks with, and whom: the token of other credentials is never used. */
  readonly credentialsId: string;
  /** API base while no answer has named one. */
  readonly defaultApiDomain: string;
  readonly workerId: string;
  /** A refresh that takes longer than this belongs to a dead worker: the longest `refresh` and a margin. */
  readonly leaseMs: number;
  /** How long `get` waits for a refresh that another worker does. Default 5 s. */
  readonly patienceMs?: number;
  /** Local clock, milliseconds; only differences count. Default `Date.now`. */
  readonly now?: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

const PATIENCE_MS = 5_000;
const POLL_MS = 150;

/** The fleet's token over a document of the store; `get` reads the document only when the token it remembers needs a look. */
export function createAccessTokens(options: AccessTokensOptions): AccessTokens {
  const { document, log, credentialsId, now = Date.now } = options;
  let remembered: { readonly token: StoredToken; readonly lookAgainAt: number } | null = null;
  let looking: Promise<TokenAnswer> | null = null;
  let refreshes = 0;

  return {
    get: async () => {
      if (remembered !== null && now() < remembered.lookAgainAt) return answerWith(remembered.token);
      looking ??= look().finally(() => {
        looking = null;
      });
      return looking;
    },
    reject: async (accessToken) => {
      if (remembered?.token.accessToken === accessToken) remembered = null;
      const { changed } = await document.change((state, nowMs) => tokenRejected(state, accessToken, nowMs));
      if (changed) log.warn('token.rejected');
    },
  };

  async function look(): Promise<TokenAnswer> {
    const deadline = now() + (options.patienceMs ?? PATIENCE_MS);
    for (;;) {
      const { plan, holder, nowMs } = await planned();
      switch (plan.kind) {
        case 'use':
          return remember(plan.token, plan.lookAgainMs);
        case 'refresh': {
          const refreshing = refresh(holder, nowMs);
          if (plan.usable === null) return refreshing;
          // Nobody waits while the old token is good, and a failure is remembered in the document.
          refreshing.catch((error: unknown) => log.warn('token.refresh-unrecorded', { reason: nameOf(error) }));
          return remember(plan.usable, Math.min(POLL_MS, plan.usable.expiresAtMs - nowMs));
        }
        case 'failed':
          return answerTo(plan.failure, plan.waitMs, false);
        case 'wait':
          if (now() >= deadline) return { kind: 'wait', waitMs: POLL_MS, reason: 'refreshing' };
          await sleep(Math.min(POLL_MS, Math.max(1, plan.waitMs)));
          break;
        default:
          return assertNever(plan);
      }
    }
  }

  /** The plan for this moment, with the lease stored when it is to refresh. */
  async function planned(): Promise<{ plan: TokenPlan; holder: string; nowMs: number }> {
    const request = { credentialsId, holder: `${options.workerId}-${++refreshes}`, leaseMs: options.leaseMs };
    const seen = await document.read();
    const first = planToken(seen.value, request, seen.nowMs);
    if (first.kind !== 'refresh') return { plan: first, holder: request.holder, nowMs: seen.nowMs };
    let plan: TokenPlan = first;
    const { nowMs } = await document.change((state, atMs) => {
      plan = planToken(state, request, atMs);
      return plan.kind === 'refresh' ? plan.next : undefined;
    });
    return { plan, holder: request.holder, nowMs };
  }

  async function refresh(holder: string, askedAtMs: number): Promise<TokenAnswer> {
    const answer = await options.refresh();
    if (answer.kind !== 'token') return failed(holder, answer);
    const { value, nowMs } = await document.change((state) => {
      const known = state?.credentialsId === credentialsId ? state.apiDomain : null;
      const apiDomain = answer.apiDomain ?? known ?? options.defaultApiDomain;
      return tokenRefreshed(state, credentialsId, { ...answer, apiDomain }, askedAtMs);
    });
    log.info('token.refreshed', { lifeMs: answer.lifeMs });
    const plan = planToken(value, { credentialsId, holder, leaseMs: options.leaseMs }, nowMs);
    if (plan.kind === 'use') return remember(plan.token, plan.lookAgainMs);
    // Due again already: a token that short-lived is used, not asked for in a circle.
    return { kind: 'token', accessToken: answer.accessToken, apiDomain: value?.apiDomain ?? options.defaultApiDomain };
  }

  async function failed(holder: string, failure: RefreshFailure): Promise<TokenAnswer> {
    const { value, nowMs } = await document.change((state, atMs) =>
      refreshFailed(state, { credentialsId, holder }, failure, atMs, options.random()),
    );
    log[failure.kind === 'permanent' ? 'error' : 'warn']('token.refresh-failed', {
      reason: failure.kind,
      code: failure.code,
    });
    const alone = othersHaveToken(value, credentialsId, nowMs);
    return answerTo(failure, Math.max(POLL_MS, (value?.notBeforeMs ?? 0) - nowMs), alone);
  }

  function remember(token: StoredToken, lookAgainMs: number): TokenAnswer {
    remembered = { token, lookAgainAt: now() + lookAgainMs };
    return answerWith(token);
  }
}

function answerWith({ accessToken, apiDomain }: StoredToken): TokenAnswer {
  return { kind: 'token', accessToken, apiDomain };
}

function answerTo(failure: RefreshFailure, waitMs: number, alone: boolean): TokenAnswer {
  switch (failure.kind) {
    case 'throttled':
      return { kind: 'wait', waitMs, reason: 'throttled' };
    case 'outage':
      return { kind: 'outage', code: failure.code };
    case 'permanent':
      return { kind: 'permanent', code: failure.code, message: failure.message, alone };
    default:
      return assertNever(failure);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
