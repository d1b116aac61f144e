import type { FleetCall, FleetEvent } from '../lib/core/after-answer.js';
import type { Answer, Verdict } from '../lib/core/answer.js';
import { assertNever } from '../lib/core/assert-never.js';
import { classifySubmission } from '../lib/core/classify.js';
import { identityKey } from '../lib/core/identity.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import type { Outcome } from '../lib/core/outcome.js';
import { INPUT_FIELDS, type InputField, KEEPABLE, parseRow } from '../lib/core/row.js';
import type { Logger } from '../lib/logger.js';
import { type EnrichPayload, parsePayload } from '../lib/queues.js';
import type { AccessTokens } from '../lib/zoho/access-tokens.js';
import type { Credentials, ZohoClient } from '../lib/zoho/client.js';
import { type AdmitRowDeps, admitRow, type Claim } from './admit-row.js';

export interface SubmitDeps extends AdmitRowDeps {
  readonly zoho: ZohoClient;
  readonly tokens: AccessTokens;
  readonly log: Logger;
  /** Zoho refuses this worker's credentials while the fleet's are good: it has to end, and the fleet goes on. */
  readonly onRefused: (refusal: { readonly code: string }) => void;
}

/** One row on its way to Zoho: what is sent shrinks when Zoho refuses a field. */
interface Submission extends Pick<EnrichPayload, 'refreshBeforeMs' | 'queuedAtMs'> {
  readonly key: IdentityKey;
  readonly line: number | null;
  readonly sent: SentFields;
  readonly notes: readonly string[];
  /** Zoho refused the access token once already. */
  readonly tokenRefused: boolean;
  /** How often the 5 s of a claim ran out before anything left. */
  readonly expired: number;
}

/** A claim that keeps running out of time tells of a machine too busy to send: the row waits a little. */
const MAX_EXPIRED_CLAIMS = 3;
/** Sent this often, each answer lost and nothing found at Zoho: something about this row breaks every answer. */
const MAX_SENDS = 20;

/**
 * One attempt at one job: validate, get a token, be admitted, send, judge. Sends at most once per claim, and again only
 * after an answer that proves Zoho took nothing. `data` is the job's payload, trusted no more than any input.
 * Rejects only for surprises (store away, broken invariants), which BullMQ retries.
 */
export async function submitRow(data: unknown, deps: SubmitDeps): Promise<Outcome> {
  const payload = parsePayload(data);
  if (!payload.ok) return { kind: 'discard', code: payload.code, message: payload.message };
  const parsed = parseRow(payload.value, { keep: KEEPABLE });
  if (!parsed.ok) return { kind: 'discard', code: parsed.code, message: parsed.reason };
  const { line = null, refreshBeforeMs, queuedAtMs } = payload.value;
  let submission: Submission = {
    // Recomputed, not read from the job: other producers may write to the queue, and the ledger must know their rows too.
    key: identityKey(parsed.row),
    line,
    ...(refreshBeforeMs !== undefined && { refreshBeforeMs }),
    ...(queuedAtMs !== undefined && { queuedAtMs }),
    sent: parsed.row,
    notes: [],
    tokenRefused: false,
    expired: 0,
  };
  for (;;) {
    const step = await sendOnce(submission, deps);
    if (step.kind === 'outcome') return step.outcome;
    submission = step.submission;
  }
}

type Step =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'again'; readonly submission: Submission };

const outcome = (value: Outcome): Step => ({ kind: 'outcome', outcome: value });
const again = (submission: Submission): Step => ({ kind: 'again', submission });

async function sendOnce(submission: Submission, deps: SubmitDeps): Promise<Step> {
  const credentials = await credentialsFor(submission, deps);
  if (credentials.kind === 'outcome') return credentials;
  const admitted = await admitRow(submission.key, submission.sent, deps, submission);
  if (admitted.kind === 'outcome') return admitted;
  const { claim } = admitted;
  const leaving = { ...submission, sent: claim.sent, notes: [...submission.notes, ...claim.notes] };
  try {
    if (claim.sends > MAX_SENDS) return await answerAlwaysLost(leaving, claim, deps);
    const answer = await deps.zoho.createEnrichment(credentials, leaving.sent, claim.mayStillSend);
    return await judge(leaving, claim, answer, credentials, deps);
  } finally {
    deps.inFlight.end(claim.callId);
  }
}

/** The token comes before the claim, so that waiting for one never leaves a claim without its POST. */
async function credentialsFor(
  submission: Submission,
  deps: SubmitDeps,
): Promise<({ readonly kind: 'token' } & Credentials) | { readonly kind: 'outcome'; readonly outcome: Outcome }> {
  const answer = await deps.tokens.get();
  switch (answer.kind) {
    case 'token':
      return answer;
    case 'wait':
      return {
        kind: 'outcome',
        outcome: { kind: 'requeue', code: `TOKEN_${answer.reason.toUpperCase()}`, waitMs: answer.waitMs },
      };
    case 'outage':
      await deps.control.reportWithoutCall({ kind: 'outage', code: answer.code }, submission);
      return {
        kind: 'outcome',
        outcome: { kind: 'requeue', code: answer.code, waitMs: deps.timing.shortWaitMs },
      };
    case 'permanent':
      if (answer.alone) {
        deps.onRefused(answer);
        return { kind: 'outcome', outcome: { kind: 'requeue', code: answer.code, waitMs: null } };
      }
      await deps.control.reportWithoutCall({ kind: 'stop', code: answer.code, message: answer.message }, submission);
      return { kind: 'outcome', outcome: { kind: 'requeue', code: answer.code, waitMs: null } };
    default:
      return assertNever(answer);
  }
}

async function judge(
  submission: Submission,
  claim: Claim,
  answer: Answer,
  credentials: Credentials,
  deps: SubmitDeps,
): Promise<Step> {
  const { claims, control, timing, log } = deps;
  const call: FleetCall = { ...claim, key: submission.key, line: submission.line };
  const verdict = classifySubmission(answer);
  log.debug('attempt.answered', {
    jobId: submission.key,
    callId: claim.callId,
    verdict: verdict.kind,
    code: 'code' in verdict ? verdict.code : undefined,
    statusCode: answer.kind === 'response' ? answer.status : undefined,
  });
  const release = () => claims.release(submission.key, claim.callId);
  switch (verdict.kind) {
    case 'scheduled':
      return accepted(submission, call, verdict.enrichmentId, deps);
    case 'row': {
      const { code, field } = verdict;
      await control.reported({ kind: 'row-refused', code, isRecordId: field === 'record_id' }, call, await release());
      const smaller = field === null || field === 'record_id' ? null : without(submission, field, code);
      return smaller === null
        ? outcome({ kind: 'discard', code: verdict.code, message: verdict.message })
        : again(smaller);
    }
    case 'stop':
      // The stop comes first: until it stands, other workers go on sending.
      await control.report({ kind: 'stop', code: verdict.code, message: verdict.message }, call);
      await release();
      return outcome({ kind: 'requeue', code: verdict.code, waitMs: null });
    case 'token':
      return refusedToken(submission, call, verdict.code, credentials, deps);
    case 'throttled':
      await control.report({ kind: 'throttled', code: verdict.code, retryAfterMs: verdict.retryAfterMs }, call);
      await release();
      return outcome({ kind: 'requeue', code: verdict.code, waitMs: null });
    case 'outage':
      return neverSent(submission, call, verdict.code, deps);
    case 'uncertain':
      await control.reported(
        uncertainEvent(verdict),
        call,
        await claims.markUncertain(submission.key, claim.callId, verdict.code),
      );
      return outcome({ kind: 'snooze', code: 'UNCERTAIN', waitMs: timing.uncertainRecheckMs });
    case 'unknown':
      await control.reported({ kind: 'unknown', code: verdict.code }, call, await release());
      return outcome({
        kind: 'discard',
        code: verdict.code,
        message: `Zoho refused the row with HTTP ${verdict.status} and a code this program does not know; correct the row and retry it.`,
      });
    default:
      return assertNever(verdict);
  }
}

async function accepted(
  submission: Submission,
  call: FleetCall,
  id: EnrichmentId,
  { claims, control, timing, log }: SubmitDeps,
): Promise<Step> {
  const { key } = submission;
  const settled = await claims.settle(key, call.callId, id, submission.notes);
  await control.reported({ kind: 'accepted' }, call, settled);
  if (settled.kind === 'settled') return outcome({ kind: 'done', enrichmentId: id, known: false });
  log.error('ledger.conflict', { jobId: key, enrichmentId: id, knownKey: settled.key, knownId: settled.enrichmentId });
  // The row was accepted before, or the id is another row's: the ledger's word stands, and a look-up settles the rest.
  if (settled.key === key) return outcome({ kind: 'done', enrichmentId: settled.enrichmentId, known: true });
  await claims.markUncertain(key, call.callId, 'ID_OF_ANOTHER_ROW');
  return outcome({ kind: 'snooze', code: 'UNCERTAIN', waitMs: timing.uncertainRecheckMs });
}

async function answerAlwaysLost(submission: Submission, claim: Claim, { claims, control }: SubmitDeps): Promise<Step> {
  const call: FleetCall = { ...claim, key: submission.key, line: submission.line };
  await control.reported({ kind: 'unsent' }, call, await claims.release(submission.key, claim.callId));
  const message = `The row was sent ${claim.sends - 1} times, each answer was lost and Zoho has none of them; look at the row, then retry it.`;
  return outcome({ kind: 'discard', code: 'ANSWER_ALWAYS_LOST', message });
}

async function refusedToken(
  submission: Submission,
  call: FleetCall,
  code: string,
  credentials: Credentials,
  { claims, control, tokens }: SubmitDeps,
): Promise<Step> {
  if (submission.tokenRefused) {
    const message =
      'Zoho refused a fresh access token too; check the data center (ZOHO_DC) and the credentials, then resume.';
    await control.report({ kind: 'stop', code, message }, call);
    await claims.release(submission.key, call.callId);
    return outcome({ kind: 'requeue', code, waitMs: null });
  }
  await control.reported({ kind: 'unsent' }, call, await claims.release(submission.key, call.callId));
  await tokens.reject(credentials.accessToken);
  return again({ ...submission, tokenRefused: true });
}

async function neverSent(
  submission: Submission,
  call: FleetCall,
  code: string,
  { claims, control, timing }: SubmitDeps,
): Promise<Step> {
  const expired = code === 'CLAIM_EXPIRED';
  const event: FleetEvent = expired ? { kind: 'unsent' } : { kind: 'outage', code };
  await control.reported(event, call, await claims.release(submission.key, call.callId));
  if (expired && submission.expired + 1 < MAX_EXPIRED_CLAIMS)
    return again({ ...submission, expired: submission.expired + 1 });
  return outcome({ kind: 'requeue', code, waitMs: timing.shortWaitMs });
}

function uncertainEvent(verdict: Extract<Verdict, { kind: 'uncertain' }>): FleetEvent {
  return verdict.cause === 'unreadable'
    ? { kind: 'unreadable', code: verdict.code }
    : { kind: 'outage', code: verdict.code };
}

/** The submission without the refused field; null when no field would be left. */
function without(submission: Submission, field: InputField, code: string): Submission | null {
  if (!INPUT_FIELDS.some((other) => other !== field && submission.sent[other] !== undefined)) return null;
  const { [field]: _refused, ...sent } = submission.sent;
  return { ...submission, sent, notes: [...submission.notes, `${field} refused by Zoho (${code}), sent without it`] };
}
