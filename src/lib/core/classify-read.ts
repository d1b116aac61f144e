import type { Answer } from './answer.js';
import { REFUSED_TOKEN } from './known-faults.js';
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

/** What a read brought: its value, or why there is none. */
export type ParsedRead<T> =
  | { readonly kind: 'read'; readonly value: T; readonly zohoNowMs: number | null }
  | Exclude<ReadMeaning, { kind: 'body' | 'empty' }>;

/** `parse` gets `undefined` for an empty answer (204) and answers `undefined` for a body it cannot read. */
export function parseRead<T>(answer: Answer, parse: (body: unknown) => T | undefined): ParsedRead<T> {
  const meaning = classifyRead(answer);
  if (meaning.kind !== 'body' && meaning.kind !== 'empty') return meaning;
  const value = parse(meaning.kind === 'body' ? meaning.body : undefined);
  if (value === undefined) return { kind: 'unavailable', code: 'UNREADABLE' };
  return { kind: 'read', value, zohoNowMs: meaning.dateMs };
}
