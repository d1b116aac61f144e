import { randomUUID } from 'node:crypto';
import type { ZohoAccount } from '../config.js';
import type { TokenState } from '../core/token-lease.js';
import type { Logger } from '../logger.js';
import type { Document } from '../store/store.js';
import type { AccessTokens } from './access-tokens.js';
import { FleetTokens } from './access-tokens.js';
import { createZohoClient, createZohoReadApi, type ZohoClient, type ZohoReadApi } from './client.js';
import { serversOf } from './data-centers.js';
import { credentialsId, refreshAccessToken } from './oauth.js';
import { createTransport, type TransportSettings } from './transport.js';

export interface OpenZoho {
  readonly zoho: ZohoClient;
  readonly readApi: ZohoReadApi;
  readonly tokens: AccessTokens;
  /** Destroys idle sockets. Safe to call twice. */
  close(): void;
}

/** On top of the longest refresh: turns of the event loop, the store's round trip. */
const LEASE_MARGIN_MS = 5_000;

/** An account's API and its token. `document` is the store's `token` document, shared by the whole fleet. */
export function openZoho(
  account: ZohoAccount,
  given: TransportSettings,
  { document, log }: { readonly document: Document<TokenState>; readonly log: Logger },
): OpenZoho {
  const settings = account.proxy === undefined ? given : { ...given, proxy: account.proxy };
  const servers = serversOf(account);
  const transport = createTransport(settings);
  const tokens = new FleetTokens({
    document,
    refresh: () => refreshAccessToken({ transport, servers }, account),
    credentialsId: credentialsId(servers, account),
    defaultApiDomain: servers.defaultApiDomain,
    workerId: randomUUID(),
    leaseMs: settings.requestTimeoutMs + LEASE_MARGIN_MS,
    random: Math.random,
    log,
  });
  return {
    zoho: createZohoClient(transport, account.apiVersion),
    readApi: createZohoReadApi(transport, account.apiVersion),
    tokens,
    close: () => transport.close(),
  };
}
