import type { Answer } from './answer.js';
import { parseReply } from './reply.js';

/** What the answer to a read means. Reads may be repeated freely, so everything unclear is `unavailable`: try again later. */
export type ReadMeaning =
  | { readonly kind: 'body'; readonly body: unknown; readonly dateMs: number | null }
  /** 204: no such enrichment, or none at all. */
  | { readonly kind: 'empty'; readonly dateMs: number | null }
  | { readonly kind: 'token'; readonly code: string }
  /** The account may not read this; a person has to change something first. */
  | { readonly kind: 'forbidden'; readonly code: string }
  | { readonly kind: 'unavailable'; readonly code: string };

const REFUSED_TOKEN = new Set(['INVALID_TOKEN', 'AUTHENTICATION_FAILURE', 'INVALID_OAUTHTOKEN', 'UNAUTHORIZED']);
const FORBIDDEN = new Set(['OAUTH_SCOPE_MISMATCH', 'NO_PERMISSION', 'FEATURE_NOT_ENABLED', 'FEATURE_NOT_SUPPORTED']);

export function classifyRead(answer: Answer): ReadMeaning {
  if (answer.kind === 'no-response') return { kind: 'unavailable', code: answer.code };
  const { dateMs } = answer.headers;
  if (answer.status === 204) return { kind: 'empty', dateMs };
  if (answer.status === 200) {
    return answer.body === undefined
      ? { kind: 'unavailable', code: answer.tooLarge ? 'TOO_LARGE' : 'UNREADABLE' }
      : { kind: 'body', body: answer.body, dateMs };
  }
  const code = parseReply(answer.body)?.code ?? `HTTP_${answer.status}`;
  if (FORBIDDEN.has(code) || answer.status === 403) return { kind: 'forbidden', code };
  if (REFUSED_TOKEN.has(code) || answer.status === 401) return { kind: 'token', code };
  return { kind: 'unavailable', code };
}
