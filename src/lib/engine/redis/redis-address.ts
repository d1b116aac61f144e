import { UsageError } from '../../errors.js';

export type RedisAddress =
  | { readonly kind: 'single'; readonly url: string; readonly where: string }
  | ({
      readonly kind: 'sentinel';
      readonly master: string;
      readonly db: number;
      /** Of the Sentinels themselves; `username` and `password` are those of the servers. */
      readonly sentinelUsername: string | undefined;
      readonly sentinelPassword: string | undefined;
    } & Hosts)
  | ({ readonly kind: 'cluster' } & Hosts);

interface Hosts {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  readonly where: string;
}

const FORMS =
  'redis://host:port/db, rediss://…, redis+sentinel://host,host/master-name/db or redis+cluster://host,host';

/**
 * Understands the forms of REDIS_URL:
 *
 *     redis://user:password@host:6379/0                              one server
 *     rediss://user:password@host:6379/0                             one server, TLS
 *     redis+sentinel://user:password@h1:26379,h2:26379/mymaster/0    Sentinel; the credentials are those of the servers,
 *                                                                    `?sentinelUsername=…&sentinelPassword=…` the Sentinels'
 *     redis+cluster://user:password@h1:6379,h2:6379                  Redis Cluster
 *     rediss+sentinel://…, rediss+cluster://…                        the same with TLS
 *
 * Special characters in user and password are percent-encoded. `where` names hosts for people, without credentials.
 * Throws UsageError for anything else.
 */
export function parseRedisAddress(url: string): RedisAddress {
  const many =
    /^(rediss?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/@?]+)(?:\/([^/?]*))?(?:\/(\d+))?\/?(?:\?(.*))?$/.exec(url);
  if (many !== null) return manyHosts(many);
  if (/^rediss?:\/\//.test(url) && URL.canParse(url)) {
    const { hostname, port, pathname, username, password } = new URL(url);
    for (const part of [username, password]) decoded(part);
    // What looks like a path is the rest of a password with a `/` in it.
    if (!/^\/?\d*\/?$/.test(pathname)) throw badAddress();
    const db = pathname.length > 1 ? pathname : '';
    return { kind: 'single', url, where: `${hostname || '127.0.0.1'}:${port || 6379}${db}` };
  }
  throw badAddress();
}

function manyHosts(parts: RegExpExecArray): RedisAddress {
  const [, scheme, kind, credentials = '', hostList = '', master = '', db, query] = parts;
  const defaultPort = kind === 'sentinel' ? 26379 : 6379;
  const nodes = hostList.split(',').map((item) => {
    const [, host, port] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(item.trim()) ?? [];
    if (host === undefined) throw badAddress();
    return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port ?? defaultPort) };
  });
  const colon = credentials.indexOf(':');
  const username = decoded(colon < 0 ? credentials : credentials.slice(0, colon)) || undefined;
  const password = colon < 0 ? undefined : decoded(credentials.slice(colon + 1));
  const names = nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  const hosts = { nodes, username, password, tls: scheme === 'rediss' };
  if (kind === 'cluster' && query === undefined) return { kind, ...hosts, where: `${names} (cluster)` };
  const { sentinelUsername, sentinelPassword, ...unknown } = Object.fromEntries(new URLSearchParams(query));
  if (kind === 'cluster' || master === '' || Object.keys(unknown).length > 0) throw badAddress();
  const where = `${master} of ${names} (sentinel)`;
  return { kind: 'sentinel', ...hosts, master, db: Number(db ?? 0), sentinelUsername, sentinelPassword, where };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new UsageError(
      'BAD_REDIS_URL',
      'REDIS_URL has a % that begins no escape in its user or password; write % as %25.',
      { cause },
    );
  }
}

function badAddress(): UsageError {
  return new UsageError(
    'BAD_REDIS_URL',
    `REDIS_URL is not an address of Redis; use one of ${FORMS}; in user and password write special characters as escapes (/ as %2F).`,
  );
}
