import { requireCredentials, type ZohoAccount, type ZohoConfig } from '../lib/config.js';
import { UsageError } from '../lib/errors.js';
import type { LedgerAccount } from '../lib/store/ledger-file.js';
import type { Store } from '../lib/store/store.js';
import { serversOf } from '../lib/zoho/data-centers.js';
import { note } from './terminal.js';

/** The account that the settings name: null when they name none, unless it is `needed`, which throws `UsageError`. */
export function accountOf(zoho: ZohoConfig, needed: boolean): ZohoAccount | null {
  const complete = [zoho.clientId, zoho.clientSecret, zoho.refreshToken].every((value) => value !== undefined);
  return needed || complete ? requireCredentials(zoho) : null;
}

/**
 * Ties the store to this account at its first use, and throws `UsageError` naming both when it belongs to another: what one
 * account paid for says nothing about the other. A new refresh token for the same account is no change, and a client that
 * Zoho did not know makes room for the one it was meant to be. Safe to repeat.
 */
export async function bindAccount(store: Store, account: ZohoAccount): Promise<void> {
  const mine = ledgerAccountOf(account);
  const bound = await tie(store, null, mine);
  if (isSameAccount(bound, mine)) return;
  const isCorrected = (await wasMistyped(store)) && isSameAccount(await tie(store, bound, mine), mine);
  if (!isCorrected) throw otherAccountError(bound, mine, THE_SETTINGS);
  note(
    `This store belongs to ${described(mine)} now: Zoho did not know ${described(bound)}, and nothing was sent with it.`,
  );
}

/** The same for an account known by other means; `source` says in the message where it comes from. */
export async function bindStore(store: Store, mine: LedgerAccount, source: string): Promise<void> {
  const bound = await tie(store, null, mine);
  if (!isSameAccount(bound, mine)) throw otherAccountError(bound, mine, source);
}

/** Ties the store to `mine` when it is tied to `from`. Resolves with the account it is tied to. */
async function tie(store: Store, from: LedgerAccount | null, mine: LedgerAccount): Promise<LedgerAccount> {
  const { value } = await store
    .document<LedgerAccount>('account')
    .change((bound) => (bound === null || (from !== null && isSameAccount(bound, from)) ? mine : undefined));
  return value ?? mine;
}

/** The accounts server does not know the client at all, so the fleet stands still, and no row was ever claimed and kept. */
async function wasMistyped(store: Store): Promise<boolean> {
  const { value: control } = await store.control.read();
  if (control?.mode !== 'stopped' || control.stop?.code !== UNKNOWN_CLIENT) return false;
  const [{ scheduled, sending, uncertain, held }, { spent }] = await Promise.all([store.counts(), store.spending()]);
  return scheduled + sending + uncertain + held + spent === 0;
}

/** What `bindAccount` would throw; null when the store is this account's, or would be. `bound` is whom it belongs to now. */
export async function otherAccount(
  store: Store,
  account: ZohoAccount,
): Promise<{ bound: LedgerAccount | null; error: UsageError | null }> {
  const mine = ledgerAccountOf(account);
  const { value: bound } = await store.document<LedgerAccount>('account').read();
  const isFree = bound === null || isSameAccount(bound, mine) || (await wasMistyped(store));
  return { bound, error: isFree ? null : otherAccountError(bound, mine, THE_SETTINGS) };
}

const THE_SETTINGS = 'the settings name';
/** The code of the stop. */
const UNKNOWN_CLIENT = 'invalid_client';

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
