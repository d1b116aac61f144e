import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Verdict } from '../core/answer.js';
import { assertNever } from '../core/assert-never.js';
import { classifySubmission } from '../core/classify.js';
import { classifyRead } from '../core/classify-read.js';
import type { Limits, Store } from '../store/store.js';
import type { AccessTokens } from './access-tokens.js';
import {
  type EnrichmentConfig,
  type FeatureUse,
  type OrgInfo,
  parseEnrichmentConfigs,
  parseFeature,
  parseOrg,
  parseUserCount,
} from './account-shapes.js';
import type { Credentials } from './client.js';
import type { OpenZoho } from './open-zoho.js';
import { type ListPage, parseListPage } from './shapes.js';

/** What came of asking the account about itself. */
export type AccountRead<T> =
  | { readonly kind: 'read'; readonly value: T; readonly zohoNowMs: number | null }
  /** The token, the user or the org may not ask this: OAUTH_SCOPE_MISMATCH, NO_PERMISSION, FEATURE_NOT_ENABLED, ... */
  | { readonly kind: 'forbidden'; readonly code: string }
  /** No access token to be had, or the API refuses a fresh one: only a person can help. */
  | { readonly kind: 'no-token'; readonly code: string; readonly message: string }
  /** Not now: outage, throttling, no place in flight, an answer nobody can read. */
  | { readonly kind: 'unavailable'; readonly code: string };

/** Questions to Zoho that submit nothing, for commands. Each is one call, paced and counted like every call of the fleet. */
export interface AccountReads {
  /**
   * What Zoho says to a submission without name, email and website, which it must refuse: only so can one know without
   * paying whether the account may submit. EXPECTED_FIELD_MISSING says that nothing else stands in the way.
   */
  emptySubmission(module: string): Promise<AccountRead<Verdict>>;
  /** The newest enrichments of the org. */
  enrichments(): Promise<AccountRead<ListPage>>;
  configs(): Promise<AccountRead<readonly EnrichmentConfig[]>>;
  feature(name: string): Promise<AccountRead<FeatureUse>>;
  org(): Promise<AccountRead<OrgInfo>>;
  users(): Promise<AccountRead<number>>;
}

export interface AccountReadsDeps {
  readonly zoho: Pick<OpenZoho, 'zoho' | 'readApi' | 'tokens'>;
  readonly store: Pick<Store, 'admitCall' | 'finishCall'>;
  readonly limits: Limits;
  /** Unique among all callers of the store. */
  readonly callerId: string;
  /** How long a question waits for the pace, a place in flight and a token. */
  readonly patienceMs: number;
}

const EMPTY_PAGE: ListPage = { items: [], moreRecords: false };
const ASK_AGAIN_MS = 100;

export function createAccountReads({ zoho, store, limits, callerId, patienceMs }: AccountReadsDeps): AccountReads {
  let calls = 0;
  return {
    emptySubmission: async (module) => {
      const token = await tokenOf(zoho.tokens);
      if (token.kind !== 'token') return token;
      const answer = await paced(() => zoho.zoho.createEnrichment(token, { module }, () => true));
      if (answer === null) return NO_PLACE;
      return { kind: 'read', value: classifySubmission(answer), zohoNowMs: null };
    },
    enrichments: () =>
      read(
        (credentials) => zoho.zoho.listEnrichments(credentials, { page: 1, perPage: 1 }),
        (body) => (body === undefined ? EMPTY_PAGE : parseListPage(body)),
      ),
    configs: () =>
      read(
        (credentials) => zoho.readApi.getEnrichmentConfig(credentials),
        (body) => (body === undefined ? [] : parseEnrichmentConfigs(body)),
      ),
    feature: (name) => read((credentials) => zoho.readApi.getFeature(credentials, name), parseFeature),
    org: () => read((credentials) => zoho.readApi.getOrg(credentials), parseOrg),
    users: () => read((credentials) => zoho.readApi.getUserCount(credentials), parseUserCount),
  };

  /** `parse` gets `undefined` for an empty answer (204) and answers `undefined` for a body it cannot read. */
  async function read<T>(
    call: (credentials: Credentials) => Promise<Answer>,
    parse: (body: unknown) => T | undefined,
    secondTry = false,
  ): Promise<AccountRead<T>> {
    const token = await tokenOf(zoho.tokens);
    if (token.kind !== 'token') return token;
    const answer = await paced(() => call(token));
    if (answer === null) return NO_PLACE;
    const meaning = classifyRead(answer);
    switch (meaning.kind) {
      case 'body':
      case 'empty': {
        const value = parse(meaning.kind === 'body' ? meaning.body : undefined);
        if (value === undefined) return { kind: 'unavailable', code: 'UNREADABLE' };
        return { kind: 'read', value, zohoNowMs: meaning.dateMs };
      }
      case 'token':
        if (secondTry) return { kind: 'no-token', code: meaning.code, message: REFUSED_TWICE };
        await zoho.tokens.reject(token.accessToken);
        return read(call, parse, true);
      default:
        return meaning;
    }
  }

  /** Null when no place came free in time. */
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
      slotMs = admission.kind === 'wait' ? admission.slotMs : undefined;
      const waitMs = admission.kind === 'busy' ? ASK_AGAIN_MS : (admission.waitMs ?? ASK_AGAIN_MS);
      if (performance.now() + waitMs > deadline) return false;
      await sleep(waitMs);
    }
  }
}

const NO_PLACE = { kind: 'unavailable', code: 'NO_PLACE_IN_FLIGHT' } as const;

type NoToken = Extract<AccountRead<never>, { kind: 'no-token' | 'unavailable' }>;

async function tokenOf(
  tokens: Pick<AccessTokens, 'get'>,
): Promise<({ readonly kind: 'token' } & Credentials) | NoToken> {
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

const REFUSED_TWICE =
  'The API refuses a token that the accounts server just granted: check ZOHO_DC, or ZOHO_API_DOMAIN if it is set.';
