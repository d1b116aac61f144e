import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { MiddlewareHandler } from 'hono';
import { auth as basicCredentials } from 'hono/utils/basic-auth';
import type { Logger } from '../lib/logger.js';
import type { Login } from './access.js';
import type { FailedLogins } from './failed-logins.js';

const KEY = randomBytes(32);

/** Whether two texts are the same, in a time that tells nothing about where or by how much they differ. */
export function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHmac('sha256', KEY).update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Whether this is the login. Both halves are always compared, so that the time does not tell which of them was wrong. */
export function isLogin(
  given: { readonly user?: string | undefined; readonly password?: string | undefined },
  { user, password }: Login,
): boolean {
  const isUser = isSameSecret(given.user ?? '', user);
  const isPassword = isSameSecret(given.password ?? '', password);
  return isUser && isPassword;
}

export interface LoginRules {
  readonly login: Login;
  readonly failures: FailedLogins;
  /** The address of a proxy that tells in `X-Forwarded-For` who asks; nobody else is believed. */
  readonly trustedProxy: string | undefined;
  readonly log: Logger;
}

/** Asks for the login on every request, and stops listening to an address that keeps getting it wrong. */
export function loginRequired({ login, failures, trustedProxy, log }: LoginRules): MiddlewareHandler {
  return async (c, next) => {
    const address = addressOf(getConnInfo(c).remote.address, c.req.header('x-forwarded-for'), trustedProxy);
    const waitMs = failures.blockedForMs(address);
    if (waitMs > 0) {
      c.header('Retry-After', String(Math.ceil(waitMs / 1000)));
      return c.text('Too many failed logins from this address; wait some minutes.\n', 429);
    }
    const given = basicCredentials(c.req.raw);
    if (isLogin({ user: given?.username, password: given?.password }, login)) {
      await next();
      return undefined;
    }
    // A browser's first request carries no credentials, which is no attempt to guess them.
    if (c.req.header('authorization') !== undefined) {
      failures.add(address);
      log.warn('dashboard.login-failed', { address });
    }
    c.header('WWW-Authenticate', 'Basic realm="zia-bulk-enrich", charset="UTF-8"');
    return c.text('This dashboard needs a login.\n', 401);
  };
}

/** Who asks: the peer, or, when that is the trusted proxy, the last address it adds; those before it are anybody's claim. */
export function addressOf(peer: string | undefined, forwardedFor: string | undefined, trustedProxy?: string): string {
  const address = plainAddress(peer ?? 'unknown');
  const forwarded = forwardedFor?.split(',').at(-1)?.trim() ?? '';
  const isTrusted = trustedProxy !== undefined && address === plainAddress(trustedProxy);
  return isTrusted && isIP(forwarded) !== 0 ? plainAddress(forwarded) : address;
}

/** An IPv4 address that a socket for both shows as IPv6. */
function plainAddress(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}
