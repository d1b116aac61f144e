import { AppError, StoreUnavailableError } from '../../errors.js';
import type { RedisAddress } from './redis-address.js';

type Advice = readonly [RegExp, string];

const PASSWORD: Advice = [
  /NOAUTH|WRONGPASS|invalid password|no password is set/i,
  'refuses the password; check user and password in REDIS_URL',
];
const SENTINELS_TOO = ' (those of the Sentinels are ?sentinelUsername=...&sentinelPassword=...)';

const ADVICE: readonly Advice[] = [
  PASSWORD,
  [/NOPERM/, 'does not permit this user what is needed; give the user of REDIS_URL access to all commands on its keys'],
  [/READONLY/, 'is a read-only replica; point REDIS_URL at the primary'],
  [/OOM/, 'is out of memory; raise its maxmemory, with the policy noeviction, then start again'],
  [/MISCONF/, 'cannot write to its disk and refuses changes; look at its log and its disk space'],
  [/LOADING/, 'is still loading its data; try again in a moment'],
  [
    /TRYAGAIN|Too many Cluster redirections/,
    'is moving the keys of this store to another node; workers go on by themselves when that is done',
  ],
  [
    /CLUSTERDOWN/,
    'has lost its quorum, or nobody serves a part of its slots; try again in a moment, and look at its nodes when that does not help',
  ],
  [
    /MASTERDOWN/,
    'is a replica that has lost its primary; try again in a moment, and look at its replication when that does not help',
  ],
  [
    /NOREPLICAS/,
    'takes no writes, because too few of its replicas keep up (min-replicas-to-write); bring them back, workers then go on by themselves',
  ],
  [
    /\bDENIED\b/,
    'is in protected mode and answers its own machine only; give it a password (requirepass) and put that into REDIS_URL',
  ],
  [
    /certificate|\bCERT_|_CERT\b|ALTNAME/i,
    'shows a TLS certificate that is not trusted here; name its authority with NODE_EXTRA_CA_CERTS, or correct the host in REDIS_URL',
  ],
  [/WRONGTYPE/, 'keeps something else under the names used here; choose another ZIA_PREFIX'],
  [
    /No such master/,
    'has Sentinels that know no primary of this name; correct it in REDIS_URL (redis+sentinel://host,host/name)',
  ],
  [
    /unknown command .sentinel/i,
    'is a Redis and no Sentinel; use redis://host:port, or name the port of its Sentinels in REDIS_URL',
  ],
  [
    /unknown command/i,
    'is too old or restricted, or a Sentinel (redis+sentinel://host/name); Redis 6.2 or later with Lua scripts is needed',
  ],
];

/** What connections say, and what ioredis says of them in its own words. */
const CONNECTION_CODE =
  /\bE(?:CONN[A-Z]+|PIPE|TIMEDOUT|NOTFOUND|AI_AGAIN|HOSTUNREACH|HOSTDOWN|NETUNREACH|NETDOWN|ADDRNOTAVAIL|ACCES|NOTCONN|PROTO|NOENT)\b/;
const TIMED_OUT = /timed out|timeout/i;
const NO_CONNECTION =
  /Connection is closed|max retries per request|Failed to refresh slots cache|sentinels are unreachable|isn't writeable|socket closed|socket hang up/i;

/** One sentence for people about a failed connection or command: which server, what it said, what to do. */
export function redisUnavailable(error: unknown, { kind, where }: RedisAddress): AppError {
  if (error instanceof AppError) return error;
  const told = (sentence: string) => new StoreUnavailableError(`Redis at ${where} ${sentence}.`, { cause: error });
  const text = messagesOf(error).join(' ');
  const known = ADVICE.find(([pattern]) => pattern.test(text));
  if (known !== undefined)
    return told(kind === 'sentinel' && known === PASSWORD ? `${known[1]}${SENTINELS_TOO}` : known[1]);
  const reason = CONNECTION_CODE.exec(text)?.[0] ?? (TIMED_OUT.test(text) ? 'ETIMEDOUT' : undefined);
  if (reason === undefined && !NO_CONNECTION.test(text)) return told(`answered: ${ownWords(error)}`);
  const moment = kind === 'single' ? '' : 'try again in a moment, for it may be failing over; if that does not help, ';
  return told(
    `cannot be reached${reason === undefined ? '' : ` (${reason})`}; ${moment}start it, or correct REDIS_URL`,
  );
}

/** A message of JSON.parse quotes what it cannot read, and that is a row. */
function ownWords(error: unknown): string {
  if (error instanceof SyntaxError) return 'a job that is no JSON';
  return (error instanceof Error ? error.message : String(error)).replace(/[.\s]+$/, '');
}

/** Cluster and retry errors keep the reason one or two levels down. */
function messagesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const { lastNodeError, previousErrors, code } = error as Error & Record<string, unknown>;
  const deeper = [error.cause, lastNodeError, ...(Array.isArray(previousErrors) ? previousErrors : [])];
  return [
    error.message,
    typeof code === 'string' ? code : '',
    ...deeper.filter((inner) => inner instanceof Error).flatMap(messagesOf),
  ];
}
