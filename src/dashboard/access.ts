import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { UsageError } from '../lib/errors.js';
import { hostOf, isLoopback, unbracketed } from '../lib/loopback.js';

export interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * The login the dashboard asks for, or null when it asks for none, which only a loopback address may do.
 * Throws `UsageError` when one half is missing, or both are and other machines could reach `host`.
 */
export function requiredLogin(host: string, user: string | undefined, password: string | undefined): Login | null {
  if (user?.includes(':')) {
    throw new UsageError(
      'DASHBOARD_BAD_USER',
      'ZIA_DASHBOARD_USER has a colon, which no browser can send in a user name: choose one without.',
    );
  }
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

export interface KnownHosts {
  /** The address it listens on. */
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly hasLogin: boolean;
}

/**
 * Refuses requests whose Host header is not one of ours: that is how a web page the user visits would read the dashboard
 * through a name of its own that it points at this machine (DNS rebinding). An address instead of a name cannot be
 * pointed anywhere, so behind a login any address will do.
 */
export function knownHostOnly({ host, allowedHosts, hasLogin }: KnownHosts): MiddlewareHandler {
  const names = new Set([...allowedHosts, ...(hasLogin ? [unbracketed(host)] : [])]);
  return async (c, next) => {
    const asked = hostOf(c.req.header('host'));
    const isKnown = isLoopback(asked) || names.has(asked) || (hasLogin && isIP(asked) !== 0);
    if (!isKnown) {
      return c.text('This dashboard does not answer to that name: add it to ZIA_DASHBOARD_ALLOWED_HOSTS.\n', 421);
    }
    await next();
    return undefined;
  };
}

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'];

/**
 * Refuses what a proxy passes on, for a dashboard without a login: it answers only to this machine, and a proxy on this
 * machine would let everybody in who reaches the proxy.
 */
export function notForwarded(): MiddlewareHandler {
  return async (c, next) => {
    if (FORWARDED.some((name) => c.req.header(name) !== undefined)) {
      const text =
        'This dashboard has no login, so it answers to no proxy: set ZIA_DASHBOARD_USER and ZIA_DASHBOARD_PASSWORD.\n';
      return c.text(text, 403);
    }
    await next();
    return undefined;
  };
}

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Lets a request that changes something through only when a page of this dashboard made it, and lets no other site load
 * anything as part of its own page. Browsers tell by Sec-Fetch-Site; over plain http to another machine only by Origin.
 */
export function ownPagesOnly(): MiddlewareHandler {
  return async (c, next) => {
    const site = c.req.header('sec-fetch-site');
    const isSafe = SAFE_METHODS.includes(c.req.method);
    const isVisit = isSafe && c.req.header('sec-fetch-mode') === 'navigate';
    const isOwn =
      site === undefined
        ? isSafe || isSameHost(c.req.header('origin'), c.req.header('host'))
        : site === 'same-origin' || (isSafe && site === 'none');
    if (!isOwn && !isVisit) return c.text('Only the pages of this dashboard may ask for that.\n', 403);
    await next();
    return undefined;
  };
}

/** The scheme is left aside: a proxy that adds TLS changes it. */
function isSameHost(origin: string | undefined, host: string | undefined): boolean {
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
