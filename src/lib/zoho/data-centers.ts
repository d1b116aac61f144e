import type { DataCenter, ZohoConfig } from '../config.js';

export interface DataCenterInfo {
  /** OAuth server, without trailing slash. */
  readonly accountsUrl: string;
  /** API server of production orgs, without trailing slash. */
  readonly apiDomain: string;
  /** Zoho's API description names the data center for organization enrichment; elsewhere the feature may not exist. */
  readonly listedForEnrichment: boolean;
}

/** Canada's accounts server has a name of its own, so hosts are listed and never built from a top-level domain. */
export const DATA_CENTER_INFO: Readonly<Record<DataCenter, DataCenterInfo>> = {
  us: info('accounts.zoho.com', 'zohoapis.com', true),
  eu: info('accounts.zoho.eu', 'zohoapis.eu', true),
  in: info('accounts.zoho.in', 'zohoapis.in', true),
  au: info('accounts.zoho.com.au', 'zohoapis.com.au', true),
  jp: info('accounts.zoho.jp', 'zohoapis.jp', false),
  ca: info('accounts.zohocloud.ca', 'zohoapis.ca', true),
  cn: info('accounts.zoho.com.cn', 'zohoapis.com.cn', false),
  sa: info('accounts.zoho.sa', 'zohoapis.sa', true),
  uk: info('accounts.zoho.uk', 'zohoapis.uk', false),
  ae: info('accounts.zoho.ae', 'zohoapis.ae', true),
};

/** `www` serves production orgs, the others sandbox and developer orgs. */
const API_HOST_PREFIXES = ['www.', 'sandbox.', 'developer.'];

/** The servers of an account: explicit addresses win over the data center's. */
export interface ZohoServers {
  readonly accountsUrl: string;
  /** Set when `ZOHO_API_DOMAIN` is: it wins over what a token answer names. */
  readonly fixedApiDomain: string | null;
  /** Where the API is as long as no token answer has named a domain. */
  readonly defaultApiDomain: string;
}

export function serversOf({ dc, accountsUrl, apiDomain }: ZohoConfig): ZohoServers {
  const known = DATA_CENTER_INFO[dc];
  return {
    accountsUrl: accountsUrl ?? known.accountsUrl,
    fixedApiDomain: apiDomain ?? null,
    defaultApiDomain: apiDomain ?? known.apiDomain,
  };
}

/** True for an account that pays for nothing: a stand-in on this machine, or a sandbox or developer org of Zoho's. */
export function isRehearsal(account: ZohoConfig): boolean {
  const { hostname } = new URL(serversOf(account).defaultApiDomain);
  return isLoopback(hostname) || /^(sandbox|developer)\./.test(hostname);
}

/** True for the API hosts of all data centers, those of sandbox and developer orgs included. */
export function isKnownZohoHost(hostname: string): boolean {
  return KNOWN_API_HOSTS.has(hostname.toLowerCase());
}

/**
 * The origin of an `api_domain` that a token answer names, or undefined when tokens must not be sent there: it has to be
 * https and a known Zoho host. A server on this machine may name another on this machine.
 */
export function trustedApiDomain(named: string, accountsUrl: string): string | undefined {
  if (!URL.canParse(named)) return undefined;
  const url = new URL(named);
  if (url.username !== '' || url.password !== '') return undefined;
  if (url.protocol === 'https:' && url.port === '' && isKnownZohoHost(url.hostname)) return url.origin;
  const isWeb = url.protocol === 'http:' || url.protocol === 'https:';
  return isWeb && isLoopback(url.hostname) && isLoopback(new URL(accountsUrl).hostname) ? url.origin : undefined;
}

const KNOWN_API_HOSTS: ReadonlySet<string> = new Set(
  Object.values(DATA_CENTER_INFO).flatMap(({ apiDomain }) => {
    const { hostname } = new URL(apiDomain);
    return API_HOST_PREFIXES.map((prefix) => hostname.replace('www.', prefix));
  }),
);

function info(accountsHost: string, apiHost: string, listedForEnrichment: boolean): DataCenterInfo {
  return { accountsUrl: `https://${accountsHost}`, apiDomain: `https://www.${apiHost}`, listedForEnrichment };
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
