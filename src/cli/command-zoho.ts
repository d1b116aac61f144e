import type { Config, ZohoAccount, ZohoConfig } from '../lib/config.js';
import type { TokenState } from '../lib/core/token-lease.js';
import type { Logger } from '../lib/logger.js';
import type { Limits, Store } from '../lib/store/store.js';
import { openZoho } from '../lib/zoho/open-zoho.js';
import type { TransportSettings } from '../lib/zoho/transport.js';
import { version } from './version.js';

/** A permit of a command that was killed is free again after this time. */
const PERMIT_TTL_MS = 30_000;

/** The limits of the fleet, for the calls of a command. */
export function commandLimits({ ratePerSecond, maxInFlight }: Config['work']): Limits {
  return { callsPerSecond: ratePerSecond, maxInFlight, permitTtlMs: PERMIT_TTL_MS };
}

/** The way of a process to Zoho, with the token that the fleet shares in `store`. The caller closes it. */
export function openZohoWith(
  account: ZohoAccount,
  store: Pick<Store, 'document'>,
  requestTimeoutMs: number,
  log: Logger,
): ReturnType<typeof openZoho> {
  const document = store.document<TokenState>('token');
  return openZoho(account, transportSettings(account, requestTimeoutMs), { document, log });
}

/** How this program calls Zoho, and a webhook. */
export function transportSettings({ proxy }: ZohoConfig, requestTimeoutMs: number): TransportSettings {
  return {
    requestTimeoutMs,
    userAgent: `zia-bulk-enrich/${version()}`,
    ...(proxy === undefined ? {} : { proxy }),
  };
}
