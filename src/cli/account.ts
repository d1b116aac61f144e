import { requireCredentials, type ZohoAccount, type ZohoConfig } from '../lib/config.js';
import { UsageError } from '../lib/errors.js';
import type { LedgerAccount } from '../lib/store/ledger-file.js';
import type { Store } from '../lib/store/store.js';
import { serversOf } from '../lib/zoho/data-centers.js';

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
  await bindStore(store, ledgerAccountOf(account), THE_SETTINGS);
}

/** The same for an account known by other means; `source` says in the message where it comes from. */
export async function bindStore(store: Store, mine: LedgerAccount, source: string): Promise<void> {
  const { value } = await store
    .document<LedgerAccount>('account')
    .change((bound) => (bound === null ? mine : undefined));
  if (value !== null && !isSameAccount(value, mine)) throw otherAccountError(value, mine, source);
}

/** The error of a store bound to `bound` under these settings; null when there is none. */
export function otherAccount(bound: LedgerAccount | null, account: ZohoAccount): UsageError | null {
  const mine = ledgerAccountOf(account);
  return bound === null || isSameAccount(bound, mine) ? null : otherAccountError(bound, mine, THE_SETTINGS);
}

const THE_SETTINGS = 'the settings name';

function ledgerAccountOf(account: ZohoAccount): LedgerAccount {
  return { apiDomain: serversOf(account).defaultApiDomain, clientId: account.clientId };
}

function otherAccountError(bound: LedgerAccount, mine: LedgerAccount, source: string): UsageError {
  return new UsageError(
    'OTHER_ACCOUNT',
    `This store belongs to ${described(bound)}, and ${source} ${described(mine)}; use another ZIA_DATA_DIR (or ZIA_PREFIX on Redis) for another account.`,
  );
}

function isSameAccount(one: LedgerAccount, other: LedgerAccount): boolean {
  return one.apiDomain === other.apiDomain && one.clientId === other.clientId;
}

function described({ apiDomain, clientId }: LedgerAccount): string {
  return `client ${shortened(clientId)} at ${apiDomain}`;
}

function shortened(clientId: string): string {
  return clientId.length <= 12 ? clientId : `${clientId.slice(0, 9)}…`;
}
