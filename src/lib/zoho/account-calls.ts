import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../core/answer.js';
import { assertNever } from '../core/assert-never.js';
import { classifyRead } from '../core/classify-read.js';
import type { Limits, Store } from '../store/store.js';
import type { AccessTokens } from './access-tokens.js';
import type { Credentials } from './client.js';

export interface AccountCallsDeps {
  readonly tokens: Pick<AccessTokens, 'get' | 'reject'>;
  readonly store: Pick<Store, 'admitCall' | 'finishCall'>;
  readonly limits: Limits;
  /** Unique among all callers of the store. */
  readonly callerId: string;
  /** How long a call waits for the pace, a permit and a token. */
  readonly patienceMs: number;
}

/** Why a call was not made, or not usefully. */
export type NoCall =
  /** No access token to be had, or the API refuses a fresh one: only a person can help. */
  | { readonly kind: 'no-token'; readonly code: string; readonly message: string }
  /** Not now. */
  | { readonly kind: 'unavailable'; readonly code: string };

/** Calls of a command that submit nothing: each with the fleet's token, in its pace and counted among its calls in flight. */
export interface AccountCalls {
  /** Makes the call; once more with a new token when Zoho refuses the present one. */
  ask(
    call: (credentials: Credentials) => Promise<Answer>,
  ): Promise<{ readonly kind: 'answer'; readonly answer: Answer } | NoCall>;
  /** Makes the call with the present token, whatever comes of it. */
  askOnce(
    call: (credentials: Credentials) => Promise<Answer>,
  ): Promise<{ readonly kind: 'answer'; readonly answer: Answer } | NoCall>;
}

const ASK_AGAIN_MS = 100;

export function createAccountCalls({ tokens, store, limits, callerId, patienceMs }: AccountCallsDeps): AccountCalls {
  let calls = 0;

  const askOnce: AccountCalls['askOnce'] = async (call) => {
    const token = await tokenOf(tokens);
    if (token.kind !== 'token') return token;
    const answer = await paced(() => call(token));
    return answer === null ? NO_PERMIT : { kind: 'answer', answer };
  };

  return {
    askOnce,
    ask: async (call) => {
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
      return meaning.kind === 'token' ? { kind: 'no-token', code: meaning.code, message: REFUSED_TWICE } : second;
    },
  };

  /** Null when no permit came free in time. */
  async function paced(call: () => Promise<Answer>): Promise<Answer | null> {
    const callId = `${callerId}.${++calls}`;
    if (!(await admitted(callId))) return null;
    try {
      return await call();
    } finally {
      await store.finishCall(callId);
    }
  }

  async function admitted(callId: string): Promise<boolean> {
    const deadline = performance.now() + patienceMs;
    let slotMs: number | undefined;
    for (;;) {
      const admission = await store.admitCall({ callId, limits, ...(slotMs === undefined ? {} : { slotMs }) });
      if (admission.kind === 'go') return true;
      slotMs = admission.kind === 'not-yet' ? admission.slotMs : undefined;
      const waitMs = admission.kind === 'no-permit' ? ASK_AGAIN_MS : (admission.waitMs ?? ASK_AGAIN_MS);
      if (performance.now() + waitMs > deadline) return false;
      await sleep(waitMs);
    }
  }
}

const NO_PERMIT: NoCall = { kind: 'unavailable', code: 'NO_PLACE_IN_FLIGHT' };

const REFUSED_TWICE =
  'The API refuses a token that the accounts server just granted: check ZOHO_DC, or ZOHO_API_DOMAIN if it is set.';

async function tokenOf(
  tokens: Pick<AccessTokens, 'get'>,
): Promise<({ readonly kind: 'token' } & Credentials) | NoCall> {
  const token = await tokens.get();
  switch (token.kind) {
    case 'token':
      return token;
    case 'permanent':
      return { kind: 'no-token', code: token.code, message: token.message };
    case 'wait':
      return { kind: 'unavailable', code: `TOKEN_${token.reason.toUpperCase()}` };
    case 'outage':
      return { kind: 'unavailable', code: token.code };
    default:
      return assertNever(token);
  }
}
