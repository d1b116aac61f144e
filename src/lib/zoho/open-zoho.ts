import { randomUUID } from 'node:crypto';
import type { ZohoAccount } from '../config.js';
import type { TokenState } from '../core/token-lease.js';
import type { Logger } from '../logger.js';
import type { Document } from '../store/store.js';
import { type AccessTokens, FleetTokens } from './access-tokens.js';
import { createZohoClient, createZohoReadApi, type ZohoClient, type ZohoReadApi } from './client.js';
import { serversOf } from './data-centers.js';
import { credentialsId, refreshAccessToken } from './oauth.js';
import { createTransport, type Transport, type TransportSettings, within } from './transport.js';

export interface OpenZoho {
  readonly zoho: ZohoClient;
  readonly readApi: ZohoReadApi;
  readonly tokens: AccessTokens;
  /** Carries every call of the above; others may use it too. */
  readonly transport: Transport;
  /** The same API and token for questions that nobody waits longer for, neither for a new token nor for an answer. */
  within(timeoutMs: number): Pick<OpenZoho, 'zoho' | 'readApi' | 'tokens'>;
  /** As of `Transport`. */
  close(): void;
}

/** On top of the longest refresh: turns of the event loop, the store's round trip. */
const LEASE_MARGIN_MS = 5_000;

/** An account's API and its token. `document` is the store's `token` document, shared by the whole fleet. */
export function openZoho(
  account: ZohoAccount,
  settings: TransportSettings,
  { document, log }: { readonly document: Document<TokenState>; readonly log: Logger },
): OpenZoho {
  const servers = serversOf(account);
  const transport = createTransport(settings);
  const tokens = new FleetTokens({
    document,
    refresh: (timeoutMs = settings.requestTimeoutMs) =>
      refreshAccessToken({ transport: within(transport, timeoutMs), servers }, account),
    credentialsId: credentialsId(servers, account),
    defaultApiDomain: servers.defaultApiDomain,
    workerId: randomUUID(),
    leaseMs: settings.requestTimeoutMs + LEASE_MARGIN_MS,
    random: Math.random,
    log,
  });
  const over = (carrier: Transport) => ({
    zoho: createZohoClient(carrier, account.apiVersion),
    readApi: createZohoReadApi(carrier, account.apiVersion),
  });
  return {
    ...over(transport),
    tokens,
    transport,
    within: (timeoutMs) => ({
      ...over(within(transport, timeoutMs)),
      tokens: { get: () => tokens.get(timeoutMs), reject: (accessToken) => tokens.reject(accessToken) },
    }),
    close: () => transport.close(),
  };
}
