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
import type { Credentials } from './client.js';
import type { RefreshAnswer } from './oauth.js';

export type TokenAnswer =
  | ({ readonly kind: 'token' } & Credentials)
  /** Another worker refreshes, or Zoho throttles refreshes: ask again after `waitMs`. */
  | { readonly kind: 'wait'; readonly waitMs: number; readonly reason: 'refreshing' | 'throttled' }
  /** The accounts host cannot be reached. */
  | { readonly kind: 'outage'; readonly code: string }
  /** Refreshing cannot help until a person acts. `alone`: the fleet has a good token, got with other credentials. */
  | { readonly kind: 'permanent'; readonly code: string; readonly message: string; readonly alone: boolean };

/** The one access token of the fleet: kept in the store, refreshed by one worker at a time. */
export interface AccessTokens {
  /**
   * The current token, refreshed before its end; never two refreshes at once in the whole fleet. `timeoutMs` bounds a refresh
   * that this call begins; default: that of a call to Zoho.
   */
  get(timeoutMs?: number): Promise<TokenAnswer>;
  /** Zoho refused this token: the next `get` refreshes it, once, however many workers say so. */
  reject(accessToken: string): Promise<void>;
}

export interface AccessTokensOptions {
  readonly document: Document<TokenState>;
  /** One call to the accounts server. */
  readonly refresh: (timeoutMs?: number) => Promise<RefreshAnswer>;
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
export class FleetTokens implements AccessTokens {
  readonly #options: AccessTokensOptions;
  readonly #document: Document<TokenState>;
  readonly #log: Logger;
  readonly #credentialsId: string;
  readonly #now: () => number;
  #remembered: { readonly token: StoredToken; readonly lookAgainAt: number } | null = null;
  #looking: Promise<TokenAnswer> | null = null;
  #refreshes = 0;

  constructor(options: AccessTokensOptions) {
    this.#options = options;
    this.#document = options.document;
    this.#log = options.log;
    this.#credentialsId = options.credentialsId;
    this.#now = options.now ?? Date.now;
  }

  async get(timeoutMs?: number): Promise<TokenAnswer> {
    if (this.#remembered !== null && this.#now() < this.#remembered.lookAgainAt)
      return answerWith(this.#remembered.token);
    this.#looking ??= this.#look(timeoutMs).finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async reject(accessToken: string): Promise<void> {
    if (this.#remembered?.token.accessToken === accessToken) this.#remembered = null;
    const { changed } = await this.#document.change((state, nowMs) => tokenRejected(state, accessToken, nowMs));
    if (changed) this.#log.warn('token.rejected');
  }

  async #look(timeoutMs: number | undefined): Promise<TokenAnswer> {
    const deadline = this.#now() + (this.#options.patienceMs ?? PATIENCE_MS);
    for (;;) {
      const { plan, holder, nowMs } = await this.#planned();
      switch (plan.kind) {
        case 'use':
          return this.#remember(plan.token, plan.lookAgainMs);
        case 'refresh': {
          const refreshing = this.#refresh(holder, nowMs, timeoutMs);
          if (plan.usable === null) return refreshing;
          // Nobody waits while the old token is good, and a failure is remembered in the document.
          refreshing.catch((error: unknown) => this.#log.warn('token.refresh-unrecorded', { reason: nameOf(error) }));
          return this.#remember(plan.usable, Math.min(POLL_MS, plan.usable.expiresAtMs - nowMs));
        }
        case 'failed':
          return answerTo(plan.failure, plan.waitMs, false);
        case 'wait':
          if (this.#now() >= deadline) return { kind: 'wait', waitMs: POLL_MS, reason: 'refreshing' };
          await sleep(Math.min(POLL_MS, Math.max(1, plan.waitMs)));
          break;
        default:
          return assertNever(plan);
      }
    }
  }

  /** The plan for this moment, with the lease stored when it is to refresh. */
  async #planned(): Promise<{ plan: TokenPlan; holder: string; nowMs: number }> {
    const request = {
      credentialsId: this.#credentialsId,
      holder: `${this.#options.workerId}-${++this.#refreshes}`,
      leaseMs: this.#options.leaseMs,
    };
    const seen = await this.#document.read();
    const first = planToken(seen.value, request, seen.nowMs);
    if (first.kind !== 'refresh') return { plan: first, holder: request.holder, nowMs: seen.nowMs };
    let plan: TokenPlan = first;
    const { nowMs } = await this.#document.change((state, atMs) => {
      plan = planToken(state, request, atMs);
      return plan.kind === 'refresh' ? plan.next : undefined;
    });
    return { plan, holder: request.holder, nowMs };
  }

  async #refresh(holder: string, askedAtMs: number, timeoutMs?: number): Promise<TokenAnswer> {
    const answer = await this.#options.refresh(timeoutMs);
    if (answer.kind !== 'token') return this.#failed(holder, answer);
    const { value, nowMs } = await this.#document.change((state) => {
      const known = state?.credentialsId === this.#credentialsId ? state.apiDomain : null;
      const apiDomain = answer.apiDomain ?? known ?? this.#options.defaultApiDomain;
      return tokenRefreshed(state, this.#credentialsId, { ...answer, apiDomain }, askedAtMs);
    });
    this.#log.info('token.refreshed', { lifeMs: answer.lifeMs });
    const plan = planToken(
      value,
      { credentialsId: this.#credentialsId, holder, leaseMs: this.#options.leaseMs },
      nowMs,
    );
    if (plan.kind === 'use') return this.#remember(plan.token, plan.lookAgainMs);
    // Due again already: a token that short-lived is used, not asked for in a circle.
    return {
      kind: 'token',
      accessToken: answer.accessToken,
      apiDomain: value?.apiDomain ?? this.#options.defaultApiDomain,
    };
  }

  async #failed(holder: string, failure: RefreshFailure): Promise<TokenAnswer> {
    const { value, nowMs } = await this.#document.change((state, atMs) =>
      refreshFailed(state, { credentialsId: this.#credentialsId, holder }, failure, atMs, this.#options.random()),
    );
    this.#log[failure.kind === 'permanent' ? 'error' : 'warn']('token.refresh-failed', {
      reason: failure.kind,
      code: failure.code,
    });
    const alone = othersHaveToken(value, this.#credentialsId, nowMs);
    return answerTo(failure, Math.max(POLL_MS, (value?.notBeforeMs ?? 0) - nowMs), alone);
  }

  #remember(token: StoredToken, lookAgainMs: number): TokenAnswer {
    this.#remembered = { token, lookAgainAt: this.#now() + lookAgainMs };
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
