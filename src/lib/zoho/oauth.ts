import { createHash } from 'node:crypto';
import type { Answer } from '../core/answer.js';
import type { RefreshFailure } from '../core/token-lease.js';
import { trustedApiDomain, type ZohoServers } from './data-centers.js';
import { parseTokenBody, type TokenBody } from './shapes.js';
import type { Transport } from './transport.js';

export interface OAuthSettings {
  readonly transport: Transport;
  readonly servers: ZohoServers;
}

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface RefreshCredentials extends ClientCredentials {
  readonly refreshToken: string;
}

export interface GrantedToken {
  readonly accessToken: string;
  /** Null when the answer names none and no setting does: keep the one in use. */
  readonly apiDomain: string | null;
  readonly lifeMs: number;
}

export type RefreshAnswer = ({ readonly kind: 'token' } & GrantedToken) | RefreshFailure;

export type GrantAnswer = ({ readonly kind: 'granted'; readonly refreshToken: string } & GrantedToken) | RefreshFailure;

export type RevokeAnswer = { readonly kind: 'revoked' } | RefreshFailure;

/** Zoho's access tokens live an hour; an answer that forgets to say so means the same. */
const USUAL_LIFE_MS = 3_600_000;

/** Asks the accounts server for a new access token, once. Never throws; secrets go into the body, never into the address. */
export async function refreshAccessToken(
  settings: OAuthSettings,
  { clientId, clientSecret, refreshToken }: RefreshCredentials,
): Promise<RefreshAnswer> {
  const answer = await post(settings, '/oauth/v2/token', {
    grant_type: 'refresh_token',
    client_id: clientId,
    client_secret: clientSecret,
    refresh_token: refreshToken,
  });
  const read = readToken(answer, settings.servers);
  return read.kind === 'token' ? read.token : read;
}

/** Turns the code of a self client into a refresh token. A code works once, so a lost answer needs a new code. */
export async function exchangeGrantCode(
  settings: OAuthSettings,
  { clientId, clientSecret }: ClientCredentials,
  code: string,
): Promise<GrantAnswer> {
  const answer = await post(settings, '/oauth/v2/token', {
    grant_type: 'authorization_code',
    client_id: clientId,
    client_secret: clientSecret,
    code,
  });
  const read = readToken(answer, settings.servers);
  if (read.kind !== 'token') return read;
  const { refreshToken } = read.body;
  if (refreshToken === null) return NO_REFRESH_TOKEN;
  const { accessToken, apiDomain, lifeMs } = read.token;
  return { kind: 'granted', refreshToken, accessToken, apiDomain, lifeMs };
}

/** Makes a refresh token and its access tokens useless. Safe to repeat. */
export async function revokeRefreshToken(settings: OAuthSettings, refreshToken: string): Promise<RevokeAnswer> {
  const answer = await post(settings, '/oauth/v2/token/revoke', { token: refreshToken });
  const body = answer.kind === 'response' ? parseTokenBody(answer.body) : undefined;
  return body?.status === 'success' ? { kind: 'revoked' } : failureOf(answer, body);
}

/** Tells one set of credentials and servers from another without giving any of them away. */
export function credentialsId(servers: ZohoServers, credentials: RefreshCredentials): string {
  const { clientId, clientSecret, refreshToken } = credentials;
  const parts = [servers.accountsUrl, servers.fixedApiDomain, clientId, clientSecret, refreshToken];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}

const NO_REFRESH_TOKEN: RefreshFailure = {
  kind: 'permanent',
  code: 'NO_REFRESH_TOKEN',
  message: 'Zoho took the code but gave no refresh token; make a new code in the API console and try again.',
};

function post({ transport, servers }: OAuthSettings, path: string, form: Record<string, string>): Promise<Answer> {
  return transport.send({
    method: 'POST',
    url: new URL(`${servers.accountsUrl}${path}`),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
}

type ReadToken =
  | {
      readonly kind: 'token';
      readonly token: { readonly kind: 'token' } & GrantedToken;
      readonly body: TokenBody;
    }
  | RefreshFailure;

/** An access token is the only sign of success: errors come with status 200 as well. */
function readToken(answer: Answer, servers: ZohoServers): ReadToken {
  const body = answer.kind === 'response' ? parseTokenBody(answer.body) : undefined;
  if (body === undefined || body.accessToken === null) return failureOf(answer, body);
  const apiDomain = apiDomainOf(body, servers);
  if (apiDomain === undefined) return UNTRUSTED_DOMAIN;
  const { accessToken, lifeMs } = body;
  return { kind: 'token', token: { kind: 'token', accessToken, apiDomain, lifeMs: lifeMs ?? USUAL_LIFE_MS }, body };
}

function apiDomainOf({ apiDomain }: TokenBody, servers: ZohoServers): string | null | undefined {
  if (servers.fixedApiDomain !== null) return servers.fixedApiDomain;
  return apiDomain === null ? null : trustedApiDomain(apiDomain, servers.accountsUrl);
}

const UNTRUSTED_DOMAIN: RefreshFailure = {
  kind: 'permanent',
  code: 'UNKNOWN_API_DOMAIN',
  message:
    'The accounts server named an API domain that is none of Zoho’s, and no token is sent there; check ZOHO_ACCOUNTS_URL, or set ZOHO_API_DOMAIN.',
};

/** Codes that are permanent whatever comes with them. */
const PERMANENT = new Set(['invalid_client', 'invalid_client_secret', 'invalid_code', 'invalid_grant']);
/** OAuth's own words for a server in trouble. */
const TEMPORARY = new Set(['server_error', 'temporarily_unavailable', 'internal_error']);

/** The body tells a throttled account from a wrong one; the status does not, and the texts may be in any language. */
function failureOf(answer: Answer, body: TokenBody | undefined): RefreshFailure {
  if (answer.kind === 'no-response') return { kind: 'outage', code: answer.code, answered: false };
  const throttled: RefreshFailure = {
    kind: 'throttled',
    code: 'OAUTH_THROTTLED',
    retryAfterMs: answer.headers.retryAfterMs,
  };
  const unreadable: RefreshFailure = { kind: 'outage', code: `OAUTH_HTTP_${answer.status}`, answered: true };
  if (answer.status >= 500) return { ...unreadable, answered: false };
  const error = body?.error ?? null;
  if (body !== undefined && error !== null && PERMANENT.has(error)) return permanent(error);
  if (answer.status === 429) return throttled;
  if (body === undefined) return unreadable;
  if (body.status === 'failure' || body.hasErrorDescription || error?.toLowerCase() === 'access denied') {
    return throttled;
  }
  return error === null || TEMPORARY.has(error) ? unreadable : permanent(error);
}

const ADVICE: Readonly<Record<string, string>> = {
  invalid_client: 'check ZOHO_CLIENT_ID and the data center (ZOHO_DC)',
  invalid_client_secret: 'check ZOHO_CLIENT_SECRET',
  invalid_code: 'the refresh token or code is wrong, used, expired or revoked: make a new one (npm run login)',
  invalid_grant: 'the refresh token or code is wrong, used, expired or revoked: make a new one (npm run login)',
  access_denied: 'too many codes were made lately: wait ten minutes',
};

/** Only what looks like a code is repeated: an accounts server may echo what it was sent. */
function permanent(error: string): RefreshFailure {
  const code = /^[A-Za-z][A-Za-z_]{1,39}$/.test(error) ? error : 'OAUTH_REFUSED';
  const advice = (Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined) ?? 'check the credentials and ZOHO_DC';
  return { kind: 'permanent', code, message: `Zoho refused the credentials (${code}): ${advice}, then resume.` };
}
