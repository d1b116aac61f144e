import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { UsageError } from '../lib/errors.js';

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/**
 * The login the dashboard asks for, or null when it asks for none, which only a loopback address may do.
 * Throws `UsageError` when one half is missing, or both are and other machines could reach `host`.
 */
export function requiredLogin(host: string, user: string | undefined, password: string | undefined): Login | null {
  if (user && password) return { user, password };
  if (user || password) {
    throw new UsageError(
      'DASHBOARD_LOGIN_INCOMPLETE',
      'The dashboard login is incomplete: set both ZIA_DASHBOARD_USER and ZIA_DASHBOARD_PASSWORD, or neither.',
    );
  }
  if (isLoopback(host)) return null;
  throw new UsageError(
    'DASHBOARD_NEEDS_LOGIN',
    `The dashboard does not listen on ${host} without a login: set ZIA_DASHBOARD_USER and ZIA_DASHBOARD_PASSWORD, or use ZIA_DASHBOARD_HOST=127.0.0.1.`,
  );
}

/**
 * Refuses requests whose Host header names anything but this machine. Without a login this is what keeps a web page the
 * user visits from reading the dashboard through a name that it points at 127.0.0.1 (DNS rebinding).
 */
export function loopbackHostOnly(): MiddlewareHandler {
  return async (c, next) => {
    const name = (c.req.header('host') ?? '').replace(/:\d+$/, '');
    if (!isLoopback(name)) return c.text('This dashboard answers to localhost only.\n', 421);
    await next();
    return undefined;
  };
}
