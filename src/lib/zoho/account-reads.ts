import type { Verdict } from '../core/answer.js';
import { classifySubmission } from '../core/classify.js';
import { selectQuery } from '../core/coql.js';
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
import type { OpenZoho } from './open-zoho.js';
import { type CommandCallsDeps, createCommandCalls, type PacedRead } from './paced-calls.js';
import { type ListPage, parseListPage } from './shapes.js';

/** Questions to Zoho that submit nothing, for commands. Each is one call, paced and counted like every call of the fleet. */
export interface AccountReads {
  /**
   * What Zoho says to a submission without name, email and website, which it must refuse: only so can one know without
   * paying whether the account may submit. EXPECTED_FIELD_MISSING says that nothing else stands in the way.
   */
  emptySubmission(module: string): Promise<PacedRead<Verdict>>;
  /** The newest enrichments of the org. */
  enrichments(): Promise<PacedRead<ListPage>>;
  configs(): Promise<PacedRead<readonly EnrichmentConfig[]>>;
  feature(name: string): Promise<PacedRead<FeatureUse>>;
  /** Rows of Zoho's module of monthly figures, newest first. Scope `ZohoCRM.modules.READ`. */
  stats(): Promise<PacedRead<readonly EnrichmentStats[]>>;
  /** Whether records of the module can be read by query: asks for one, and tells nothing of it. */
  records(module: string): Promise<PacedRead<true>>;
  org(): Promise<PacedRead<OrgInfo>>;
  users(): Promise<PacedRead<number>>;
}

export interface AccountReadsDeps extends Omit<CommandCallsDeps, 'tokens'> {
  readonly zoho: Pick<OpenZoho, 'zoho' | 'readApi' | 'tokens'>;
}

const EMPTY_PAGE: ListPage = { items: [], moreRecords: false };

export function createAccountReads({ zoho, ...deps }: AccountReadsDeps): AccountReads {
  const { askOnce, read } = createCommandCalls({ ...deps, tokens: zoho.tokens });
  return {
    emptySubmission: async (module) => {
      const asked = await askOnce((credentials) => zoho.zoho.createEnrichment(credentials, { module }, () => true));
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
}
