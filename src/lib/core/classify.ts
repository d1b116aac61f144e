import type { Answer, AnswerHeaders, Verdict } from './answer.js';
import type { EnrichmentId } from './ids.js';
import { type Fault, faultOf, REFUSED_TOKEN } from './known-faults.js';
import { parseReply, type Reply } from './reply.js';

type Response = Extract<Answer, { kind: 'response' }>;

/** Fewer credits than a fleet may have calls in flight are as good as none. */
const CREDITS_NEARLY_GONE = 20;
const ENRICHMENT_ID = /^[1-9]\d{0,18}$/;
/** Zoho's own failures, whatever the status they come with. */
const INTERNAL_ERRORS = new Set(['INTERNAL_SERVER_ERROR', 'INTERNAL_ERROR']);
const CREDITS_MESSAGE =
  'The org has used up its API credits of the last 24 hours; wait until some are free again or buy more, then resume.';

/**
 * What the answer to a submission means: the table of the design, section 8. Pure and total. `code` and `details` decide,
 * never Zoho's message; an answer nobody knows is never a success, and only a 4xx proves that Zoho took nothing.
 */
export function classifySubmission(answer: Answer): Verdict {
  if (answer.kind === 'no-response') {
    return answer.sent
      ? { kind: 'uncertain', code: answer.code, cause: 'lost' }
      : { kind: 'outage', code: answer.code };
  }
  const reply = parseReply(answer.body);
  const code = reply?.code ?? `HTTP_${answer.status}`;
  if (isSuccess(answer.status)) {
    const enrichmentId = reply && scheduledId(reply);
    return enrichmentId === undefined
      ? { kind: 'uncertain', code, cause: 'unreadable' }
      : { kind: 'scheduled', enrichmentId };
  }
  if (answer.status >= 500 || answer.status === 408 || INTERNAL_ERRORS.has(code)) {
    return { kind: 'uncertain', code, cause: 'lost' };
  }
  // A redirect and a refusal that says SCHEDULED contradict themselves: neither proves that Zoho took nothing.
  if (answer.status < 400 || code === 'SCHEDULED') return { kind: 'uncertain', code, cause: 'unreadable' };
  return refusal(answer, reply, code);
}

function refusal(answer: Response, reply: Reply | undefined, code: string): Verdict {
  const fault = reply && faultOf(reply);
  if (fault?.kind === 'stop') return fault;
  if (answer.status === 429 || code === 'TOO_MANY_REQUESTS') return throttled(answer.headers, reply, code);
  if (answer.status === 401 || REFUSED_TOKEN.has(code)) return { kind: 'token', code };
  return fault ?? { kind: 'unknown', code, status: answer.status };
}

function throttled(headers: AnswerHeaders, reply: Reply | undefined, code: string): Verdict {
  if (headers.creditsRemaining !== null && headers.creditsRemaining < CREDITS_NEARLY_GONE) {
    return { kind: 'stop', cause: 'credits', code: 'API_CREDITS_EXHAUSTED', message: CREDITS_MESSAGE } satisfies Fault;
  }
  return { kind: 'throttled', code, retryAfterMs: headers.retryAfterMs ?? retryAfterMs(reply) };
}

function retryAfterMs(reply: Reply | undefined): number | null {
  const seconds = Number(reply?.details.retry_after ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : null;
}

/** Credits come back within 24 hours; a longer wait is a mistake of the server. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Ids go beyond 2^53: one that came as a JSON number may have lost digits, so only strings count. */
function scheduledId({ code, details }: Reply): EnrichmentId | undefined {
  const { id } = details;
  if (code !== 'SCHEDULED' || typeof id !== 'string' || !ENRICHMENT_ID.test(id)) return undefined;
  return id as EnrichmentId; // of the form just tested
}
