import type { Credentials } from './client.js';

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
  /** The current token, refreshed before its end; never two refreshes at once in the whole fleet. */
  get(): Promise<TokenAnswer>;
  /** Zoho refused this token: the next `get` refreshes it, once, however many workers say so. */
  reject(accessToken: string): Promise<void>;
}
