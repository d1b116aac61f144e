import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
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

/** Asks for the login on every request, and stops listening to an address that keeps getting it wrong. */
export function loginRequired(login: Login, failures: FailedLogins, log: Logger): MiddlewareHandler {
  return async (c, next) => {
    const address = getConnInfo(c).remote.address ?? 'unknown';
    const waitMs = failures.blockedForMs(address);
    if (waitMs > 0) {
      c.header('Retry-After', String(Math.ceil(waitMs / 1000)));
      return c.text('Too many failed logins from this address; wait some minutes.\n', 429);
    }
    const given = basicCredentials(c.req.raw);
    // Both are always compared, so that the time does not tell which of them was wrong.
    const isRight =
      [isSameSecret(given?.username ?? '', login.user), isSameSecret(given?.password ?? '', login.password)].every(
        Boolean,
      ) && given !== undefined;
    if (isRight) {
      failures.forget(address);
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
