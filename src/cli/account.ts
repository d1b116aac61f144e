import { requireCredentials, type ZohoAccount, type ZohoConfig } from '../lib/config.js';
import { UsageError } from '../lib/errors.js';
import type { Store } from '../lib/store/store.js';
import { serversOf } from '../lib/zoho/data-centers.js';

/** The Zoho account a store belongs to. */
interface BoundAccount {
  readonly apiDomain: string;
  readonly clientId: string;
}

/** The account that the settings name: null when they name none, unless it is `needed`, which throws `UsageError`. */
export function accountOf(zoho: ZohoConfig, needed: boolean): ZohoAccount | null {
  const complete = [zoho.clientId, zoho.clientSecret, zoho.refreshToken].every((value) => value !== undefined);
  return needed || complete ? requireCredentials(zoho) : null;
}

/**
 * Ties the store to this account at its first use, and throws `UsageError` naming both when it belongs to another: what one
 * account paid for says nothing about the other. A new refresh token for the same account is no change. Safe to repeat.
 */
export async function bindAccount(store: Store, account: ZohoAccount): Promise<void> {
  const mine: BoundAccount = { apiDomain: serversOf(account).defaultApiDomain, clientId: account.clientId };
  const { value } = await store.cell<BoundAccount>('account').change((bound) => (bound === null ? mine : undefined));
  if (value === null || (value.apiDomain === mine.apiDomain && value.clientId === mine.clientId)) return;
  throw new UsageError(
    'OTHER_ACCOUNT',
    `This store belongs to ${described(value)}, and the settings name ${described(mine)}; use another ZIA_DATA_DIR (or ZIA_PREFIX on Redis) for another account.`,
  );
}

function described({ apiDomain, clientId }: BoundAccount): string {
  return `client ${shortened(clientId)} at ${apiDomain}`;
}

function shortened(clientId: string): string {
  return clientId.length <= 12 ? clientId : `${clientId.slice(0, 9)}…`;
}
