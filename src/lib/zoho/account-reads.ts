import type { Answer, Verdict } from '../core/answer.js';
import { classifySubmission } from '../core/classify.js';
import { parseRead } from '../core/classify-read.js';
import { selectQuery } from '../core/coql.js';
import { type AccountCallsDeps, createAccountCalls, type NoCall } from './account-calls.js';
import {
  type EnrichmentConfig,
  type EnrichmentStats,
  type FeatureUse,
  type OrgInfo,
  parseEnrichmentConfigs,
  parseEnrichmentStats,
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
  | NoCall;

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
  /** Rows of Zoho's module of monthly figures, newest first. Scope `ZohoCRM.modules.READ`. */
  stats(): Promise<AccountRead<readonly EnrichmentStats[]>>;
  /** Whether records of the module can be read by query: asks for one, and tells nothing of it. */
  records(module: string): Promise<AccountRead<true>>;
  org(): Promise<AccountRead<OrgInfo>>;
  users(): Promise<AccountRead<number>>;
}

export interface AccountReadsDeps extends Omit<AccountCallsDeps, 'tokens'> {
  readonly zoho: Pick<OpenZoho, 'zoho' | 'readApi' | 'tokens'>;
}

const EMPTY_PAGE: ListPage = { items: [], moreRecords: false };

export function createAccountReads({ zoho, ...deps }: AccountReadsDeps): AccountReads {
  const calls = createAccountCalls({ ...deps, tokens: zoho.tokens });
  return {
    emptySubmission: async (module) => {
      const asked = await calls.askOnce((credentials) =>
        zoho.zoho.createEnrichment(credentials, { module }, () => true),
      );
      if (asked.kind !== 'answer') return asked;
      return { kind: 'read', value: classifySubmission(asked.answer), zohoNowMs: null };
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
    stats: () =>
      read(
        (credentials) => zoho.readApi.getEnrichmentStats(credentials),
        (body) => (body === undefined ? [] : parseEnrichmentStats(body)),
      ),
    records: (module) =>
      read(
        (credentials) =>
          zoho.readApi.query(
            credentials,
            selectQuery({ module, columns: [], conditions: ['(id is not null)'], limit: 1 }),
          ),
        () => true,
      ),
    org: () => read((credentials) => zoho.readApi.getOrg(credentials), parseOrg),
    users: () => read((credentials) => zoho.readApi.getUserCount(credentials), parseUserCount),
  };

  /** `parse` as `parseRead` calls it. */
  async function read<T>(
    call: (credentials: Credentials) => Promise<Answer>,
    parse: (body: unknown) => T | undefined,
  ): Promise<AccountRead<T>> {
    const asked = await calls.ask(call);
    if (asked.kind !== 'answer') return asked;
    const parsed = parseRead(asked.answer, parse);
    return parsed.kind === 'token' ? { kind: 'unavailable', code: parsed.code } : parsed;
  }
}
