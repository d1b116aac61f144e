import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../core/answer.js';
import { assertNever } from '../core/assert-never.js';
import { classifyRead, parseRead } from '../core/classify-read.js';
import { createInFlight, type InFlight } from '../store/in-flight.js';
import type { Limits, Store } from '../store/store.js';
import type { AccessTokens } from './access-tokens.js';
import type { Credentials } from './client.js';

export interface PacedCallsDeps {
  readonly tokens: Pick<AccessTokens, 'get' | 'reject'>;
  readonly store: Pick<Store, 'admitCall' | 'finishCall'>;
  readonly inFlight: InFlight;
  /** How long a call waits for the pace and a permit. */
  readonly patienceMs: number;
  /** How soon a call asks again that was refused without a time. */
  readonly askAgainMs: number;
}

/** Why a call was not made, or not usefully. */
export type NoCall =
  /**
   * No access token that is any good. `credentials`: the accounts server refuses those of the fleet; `own-credentials`: those
   * of this process, and the fleet has a token got with others; `fresh-token`: the API refuses a token that was just granted.
   */
  | {
      readonly kind: 'no-token';
      readonly why: 'credentials' | 'own-credentials' | 'fresh-token';
      readonly code: string;
      readonly message: string;
    }
  /** Not now. */
  | { readonly kind: 'unavailable'; readonly code: string };

/** What came of reading from Zoho. */
export type PacedRead<T> =
  | { readonly kind: 'read'; readonly value: T; readonly zohoNowMs: number | null }
  /** The token, the user or the org may not read this: OAUTH_SCOPE_MISMATCH, NO_PERMISSION, FEATURE_NOT_ENABLED, ... */
  | { readonly kind: 'forbidden'; readonly code: string }
  | NoCall;

export type Asked = { readonly kind: 'answer'; readonly answer: Answer } | NoCall;

type Call = (credentials: Credentials) => Promise<Answer>;

/** Calls that submit nothing: each with the fleet's token, in its pace and counted among its calls in flight. */
export interface PacedCalls {
  /** Makes the call; once more with a new token when Zoho refuses the present one. */
  ask(call: Call): Promise<Asked>;
  /** Makes the call with the present token, whatever comes of it. */
  askOnce(call: Call): Promise<Asked>;
  /** Makes the call as `ask` does and reads the answer; `parse` as `parseRead` calls it. */
  read<T>(call: Call, parse: (body: unknown) => T | undefined): Promise<PacedRead<T>>;
}

export interface CommandCallsDeps extends Omit<PacedCallsDeps, 'inFlight' | 'askAgainMs'> {
  readonly limits: Limits;
  /** Unique among all callers of the store. */
  readonly callerId: string;
}

const ASK_AGAIN_MS = 100;

/** The calls of a command, which is no worker of the fleet. */
export function createCommandCalls({ limits, callerId, ...deps }: CommandCallsDeps): PacedCalls {
  const inFlight = createInFlight(callerId, limits, ASK_AGAIN_MS);
  return createPacedCalls({ ...deps, inFlight, askAgainMs: ASK_AGAIN_MS });
}

const NO_PERMIT: NoCall = { kind: 'unavailable', code: 'NO_PLACE_IN_FLIGHT' };

const REFUSED_TWICE =
  'The API refuses a token that the accounts server just granted: check ZOHO_DC, or ZOHO_API_DOMAIN if it is set.';

export function createPacedCalls(deps: PacedCallsDeps): PacedCalls {
  const { tokens, store, inFlight } = deps;
  return {
    ask,
    askOnce,
    read: async (call, parse) => {
      const asked = await ask(call);
      if (asked.kind !== 'answer') return asked;
      const parsed = parseRead(asked.answer, parse);
      return parsed.kind === 'token' ? { kind: 'unavailable', code: parsed.code } : parsed;
    },
  };

  async function ask(call: Call): Promise<Asked> {
    let refused = '';
    const remembering = (credentials: Credentials) => {
      refused = credentials.accessToken;
      return call(credentials);
    };
    const first = await askOnce(remembering);
    if (first.kind !== 'answer' || classifyRead(first.answer).kind !== 'token') return first;
    await tokens.reject(refused);
    const second = await askOnce(remembering);
    if (second.kind !== 'answer') return second;
    const meaning = classifyRead(second.answer);
    if (meaning.kind !== 'token') return second;
    return { kind: 'no-token', why: 'fresh-token', code: meaning.code, message: REFUSED_TWICE };
  }

  async function askOnce(call: Call): Promise<Asked> {
    const token = await tokens.get();
    switch (token.kind) {
      case 'token': {
        const answer = await paced(() => call(token));
        return answer === null ? NO_PERMIT : { kind: 'answer', answer };
      }
      case 'permanent':
        return {
          kind: 'no-token',
          why: token.alone ? 'own-credentials' : 'credentials',
          code: token.code,
          message: token.message,
        };
      case 'wait':
        return { kind: 'unavailable', code: `TOKEN_${token.reason.toUpperCase()}` };
      case 'outage':
        return { kind: 'unavailable', code: token.code };
      default:
        return assertNever(token);
    }
  }

  /** Null when the call did not get its slot and a permit in time. */
  async function paced(call: () => Promise<Answer>): Promise<Answer | null> {
    const callId = inFlight.newCallId();
    try {
      if (!(await admitted(callId, deps))) return null;
      return await call();
    } finally {
      inFlight.end(callId);
      await store.finishCall(callId);
    }
  }
}

/** Whether the call got its slot and a permit in time. */
async function admitted(callId: string, { store, inFlight, patienceMs, askAgainMs }: PacedCallsDeps): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  let slotMs: number | undefined;
  for (;;) {
    inFlight.start(callId);
    const { limits } = inFlight;
    const admission = await store.admitCall({ callId, limits, ...(slotMs === undefined ? {} : { slotMs }) });
    if (admission.kind === 'go') return true;
    slotMs = admission.kind === 'not-yet' ? admission.slotMs : undefined;
    const waitMs = admission.kind === 'no-permit' ? askAgainMs : (admission.waitMs ?? askAgainMs);
    if (performance.now() + waitMs > deadline) return false;
    if (admission.kind === 'no-permit') {
      await inFlight.waitForPermit(callId);
      continue;
    }
    inFlight.end(callId);
    await sleep(waitMs);
  }
}
