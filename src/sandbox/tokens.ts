import { randomBytes } from 'node:crypto';
import type { SandboxAnswer } from './answers.js';
import { nowMs } from './effects.js';
import type { SandboxOptions } from './options.js';

const ACCOUNT = 'sandbox';
/** Of one refresh token; the next one ends the oldest, as at Zoho. */
const MAX_ACTIVE_TOKENS = 15;
const WINDOW_MS = 600_000;

/** Zoho's accounts server: client id, secret, refresh token and grant code are all `sandbox`. */
export interface TokenDesk {
  answer(params: URLSearchParams, options: SandboxOptions, apiDomain: string): SandboxAnswer;
  revoke(params: URLSearchParams): SandboxAnswer;
  isValid(token: string): boolean;
  reset(): void;
}

export function createTokenDesk(): TokenDesk {
  const active = new Map<string, number>();
  let issuedAtMs: number[] = [];
  let grantUsed = false;
  let revoked = false;

  function issue(options: SandboxOptions, apiDomain: string, extra: object): SandboxAnswer {
    const token = `1000.${randomBytes(16).toString('hex')}.${randomBytes(16).toString('hex')}`;
    active.set(token, nowMs() + options.tokenLifeSeconds * 1_000);
    issuedAtMs.push(nowMs());
    for (const oldest of active.keys()) {
      if (active.size <= MAX_ACTIVE_TOKENS) break;
      active.delete(oldest);
    }
    const body = {
      access_token: token,
      ...extra,
      api_domain: apiDomain,
      token_type: 'Bearer',
      expires_in: options.tokenLifeSeconds,
    };
    return { status: 200, code: 'TOKEN', body };
  }

  function isThrottled({ tokenThrottled, tokensPerTenMinutes }: SandboxOptions): boolean {
    issuedAtMs = issuedAtMs.filter((atMs) => atMs > nowMs() - WINDOW_MS);
    return tokenThrottled || (tokensPerTenMinutes !== null && issuedAtMs.length >= tokensPerTenMinutes);
  }

  return {
    answer: (params, options, apiDomain) => {
      if (options.accountsOutage) return OUTAGE;
      if (isThrottled(options)) return THROTTLED;
      if (params.get('client_id') !== ACCOUNT || options.wrongDataCenter === 'accounts')
        return refusal('invalid_client');
      if (params.get('client_secret') !== ACCOUNT) return refusal('invalid_client_secret');
      const grant = params.get('grant_type');
      if (grant === 'refresh_token') {
        if (params.get('refresh_token') !== ACCOUNT || revoked) return refusal('invalid_code');
        return issue(options, apiDomain, {});
      }
      if (grant === 'authorization_code') {
        if (params.get('code') !== ACCOUNT || grantUsed) return refusal('invalid_code');
        grantUsed = true;
        return issue(options, apiDomain, { refresh_token: ACCOUNT, scope: options.scopes.join(' ') });
      }
      return refusal('unsupported_grant_type');
    },
    revoke: (params) => {
      if (params.get('token') !== ACCOUNT) return refusal('invalid_token');
      revoked = true;
      active.clear();
      return { status: 200, code: 'REVOKED', body: { status: 'success' } };
    },
    isValid: (token) => (active.get(token) ?? 0) > nowMs(),
    reset: () => {
      active.clear();
      issuedAtMs = [];
      grantUsed = false;
      revoked = false;
    },
  };
}

const refusal = (error: string): SandboxAnswer => ({ status: 200, code: error, body: { error } });

const OUTAGE: SandboxAnswer = { status: 503, code: 'HTTP_503', body: '<html>Service Unavailable</html>' };

const THROTTLED: SandboxAnswer = {
  status: 400,
  code: 'Access Denied',
  body: {
    error_description: 'You have made too many requests continuously. Please try again after some time.',
    error: 'Access Denied',
    status: 'failure',
  },
};

/** Parameters of a token call: query, urlencoded and multipart are all taken, as Zoho does. */
export function formParams(url: URL, contentType: string, body: string): URLSearchParams {
  const params = new URLSearchParams(url.searchParams);
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (boundary === undefined) {
    for (const [name, value] of new URLSearchParams(body)) params.set(name, value);
    return params;
  }
  for (const part of body.split(`--${boundary}`)) {
    const [head = '', ...rest] = part.split('\r\n\r\n');
    const name = /name="([^"]+)"/.exec(head)?.[1];
    if (name !== undefined) params.set(name, rest.join('\r\n\r\n').replace(/\r\n$/, ''));
  }
  return params;
}
