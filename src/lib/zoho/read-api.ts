import type { Answer } from '../core/answer.js';
import type { Credentials } from './client.js';
import type { ZohoClientSettings } from './got-client.js';
import { createTransport } from './transport.js';
import { zohoRequest } from './zoho-request.js';

/**
 * What an account says about itself. Each call needs a scope of its own, so any may answer OAUTH_SCOPE_MISMATCH while the
 * others work. Like `ZohoClient`: no retries, no judgement, nothing thrown.
 */
export interface ZohoReadApi {
  /** Which modules are enriched, and from which fields. Scope `ZohoCRM.Zia.enrichment.READ`. */
  getEnrichmentConfig(credentials: Credentials): Promise<Answer>;
  /** Limits and use of a feature, such as `data_enrichment`. Scope `ZohoCRM.features.READ`. */
  getFeature(credentials: Credentials, name: string): Promise<Answer>;
  /** Monthly figures of data enrichment. Scope `ZohoCRM.modules.READ`; Zoho does not document that this module may be read. */
  getEnrichmentStats(credentials: Credentials): Promise<Answer>;
  /** Records, by a query in COQL. Scopes `ZohoCRM.coql.READ` and READ of the module. */
  query(credentials: Credentials, selectQuery: string): Promise<Answer>;
  /** Name, type, edition. Scope `ZohoCRM.org.READ`. */
  getOrg(credentials: Credentials): Promise<Answer>;
  /** Active confirmed users. Scope `ZohoCRM.users.READ`. */
  getUserCount(credentials: Credentials): Promise<Answer>;
  /** Destroys idle sockets. Safe to call twice. */
  close(): void;
}

const STATS_FIELDS =
  'Usage_Date__s,Feature_Name__s,Monthly_Limit__s,Add_On_Limit__s,Usage_Count__s,Usage_Bulk_Count__s';

export function createZohoReadApi(settings: ZohoClientSettings): ZohoReadApi {
  const transport = createTransport(settings);
  const get = (credentials: Credentials, path: string, query: Readonly<Record<string, string>> = {}) =>
    transport.send(zohoRequest('GET', { credentials, path: `/crm/${settings.apiVersion}/${path}`, query }));

  return {
    getEnrichmentConfig: (credentials) => get(credentials, 'settings/zia/data_enrichment'),
    getFeature: (credentials, name) => get(credentials, `__features/${encodeURIComponent(name)}`),
    getEnrichmentStats: (credentials) => get(credentials, 'Data_Enrichment_Stats__s', { fields: STATS_FIELDS }),
    query: (credentials, selectQuery) =>
      transport.send({
        ...zohoRequest('POST', { credentials, path: `/crm/${settings.apiVersion}/coql` }),
        body: JSON.stringify({ select_query: selectQuery }),
      }),
    getOrg: (credentials) => get(credentials, 'org'),
    getUserCount: (credentials) => get(credentials, 'users/actions/count', { type: 'ActiveConfirmedUsers' }),
    close: () => transport.close(),
  };
}
