import { AppError, StoreUnavailableError } from '../../errors.js';

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /NOAUTH|WRONGPASS|invalid password|no password is set/i,
    'refuses the password; check user and password in REDIS_URL',
  ],
  [/NOPERM/, 'does not permit this user what is needed; give the user of REDIS_URL access to all commands on its keys'],
  [/READONLY/, 'is a read-only replica; point REDIS_URL at the primary'],
  [/OOM/, 'is out of memory; raise its maxmemory, with the policy noeviction, then start again'],
  [/MISCONF/, 'cannot write to its disk and refuses changes; look at its log and its disk space'],
  [/LOADING/, 'is still loading its data; try again in a moment'],
  [/CLUSTERDOWN|MASTERDOWN/, 'is without a working primary; look at its replication or cluster state'],
  [
    /certificate|\bCERT_|_CERT\b|ALTNAME/i,
    'shows a TLS certificate that is not trusted here; name its authority with NODE_EXTRA_CA_CERTS, or correct the host in REDIS_URL',
  ],
  [/WRONGTYPE/, 'keeps something else under the names used here; choose another ZIA_PREFIX'],
  [/unknown command/i, 'is too old or restricted; Redis 6.2 or later with Lua scripts is needed'],
];

/** One sentence for people about a failed connection or command: which server, what it said, what to do. */
export function redisUnavailable(error: unknown, where: string): AppError {
  if (error instanceof AppError) return error;
  const text = messagesOf(error).join(' ');
  const known = ADVICE.find(([pattern]) => pattern.test(text));
  if (known !== undefined) return new StoreUnavailableError(`Redis at ${where} ${known[1]}.`, { cause: error });
  const reason = /\b(E[A-Z]{4,}\b)/.exec(text)?.[1] ?? (/timed out/i.test(text) ? 'ETIMEDOUT' : undefined);
  return new StoreUnavailableError(
    `Redis at ${where} cannot be reached${reason === undefined ? '' : ` (${reason})`}; start it, or correct REDIS_URL.`,
    { cause: error },
  );
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
