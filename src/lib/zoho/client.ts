import type { ZohoAccount } from '../config.js';
import type { Answer } from '../core/answer.js';
import type { EnrichmentId } from '../core/ids.js';
import type { SentFields } from '../core/ledger.js';
import { INPUT_FIELDS } from '../core/row.js';
import type { Transport, TransportRequest } from './transport.js';

export interface Credentials {
  readonly accessToken: string;
  /** API base, such as `https://www.zohoapis.com`, without a trailing slash. */
  readonly apiDomain: string;
}

export interface ListQuery {
  readonly page: number;
  /** At most 100. */
  readonly perPage: number;
}

/**
 * Zoho's enrichment API, one method a call, no retries, no judgement: every outcome, network faults included, is an `Answer`;
 * nothing is thrown but broken invariants.
 */
export interface ZohoClient {
  /**
   * The POST that schedules an enrichment. `mayStillSend` is asked in the tick in which a connected socket is handed
   * to the request; when it answers false nothing is sent and the answer is `CLAIM_EXPIRED`, never sent.
   */
  createEnrichment(credentials: Credentials, sent: SentFields, mayStillSend: () => boolean): Promise<Answer>;
  /** Newest first. */
  listEnrichments(credentials: Credentials, query: ListQuery): Promise<Answer>;
  getEnrichment(credentials: Credentials, id: EnrichmentId): Promise<Answer>;
}

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
}

const RESOURCE = '__zia_org_enrichment';
const STATS_FIELDS =
  'Usage_Date__s,Feature_Name__s,Monthly_Limit__s,Add_On_Limit__s,Usage_Count__s,Usage_Bulk_Count__s';

export function createZohoClient(transport: Transport, version: ZohoAccount['apiVersion']): ZohoClient {
  return {
    createEnrichment: (credentials, sent, mayStillSend) => {
      const { module, recordId } = sent;
      const query = recordId === undefined ? { module } : { module, record_id: recordId };
      const fields = Object.fromEntries(
        INPUT_FIELDS.flatMap((field) => (sent[field] === undefined ? [] : [[field, sent[field]]])),
      );
      return transport.send({
        ...requestOf('POST', credentials, `/crm/${version}/${RESOURCE}`, query),
        body: JSON.stringify({ [RESOURCE]: [{ enrich_based_on: fields }] }),
        mayStillSend,
      });
    },
    listEnrichments: (credentials, { page, perPage }) => {
      const query = { sort_by: 'created_time', sort_order: 'desc', page: String(page), per_page: String(perPage) };
      return transport.send(requestOf('GET', credentials, `/crm/${version}/${RESOURCE}`, query));
    },
    getEnrichment: (credentials, id) =>
      transport.send(requestOf('GET', credentials, `/crm/${version}/${RESOURCE}/${encodeURIComponent(id)}`)),
  };
}

export function createZohoReadApi(transport: Transport, version: ZohoAccount['apiVersion']): ZohoReadApi {
  const get = (credentials: Credentials, path: string, query?: Readonly<Record<string, string>>) =>
    transport.send(requestOf('GET', credentials, `/crm/${version}/${path}`, query));
  return {
    getEnrichmentConfig: (credentials) => get(credentials, 'settings/zia/data_enrichment'),
    getFeature: (credentials, name) => get(credentials, `__features/${encodeURIComponent(name)}`),
    getEnrichmentStats: (credentials) => get(credentials, 'Data_Enrichment_Stats__s', { fields: STATS_FIELDS }),
    query: (credentials, selectQuery) =>
      transport.send({
        ...requestOf('POST', credentials, `/crm/${version}/coql`),
        body: JSON.stringify({ select_query: selectQuery }),
      }),
    getOrg: (credentials) => get(credentials, 'org'),
    getUserCount: (credentials) => get(credentials, 'users/actions/count', { type: 'ActiveConfirmedUsers' }),
  };
}

function requestOf(
  method: 'GET' | 'POST',
  { accessToken, apiDomain }: Credentials,
  path: string,
  query: Readonly<Record<string, string>> = {},
): TransportRequest {
  const url = new URL(`${apiDomain}${path}`);
  url.search = new URLSearchParams(query).toString();
  const headers = { authorization: `Zoho-oauthtoken ${accessToken}`, 'content-type': 'application/json' };
  return { method, url, headers };
}
