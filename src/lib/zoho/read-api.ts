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
  /** Name, type, edition. Scope `ZohoCRM.org.READ`. */
  getOrg(credentials: Credentials): Promise<Answer>;
  /** Active confirmed users. Scope `ZohoCRM.users.READ`. */
  getUserCount(credentials: Credentials): Promise<Answer>;
  /** Destroys idle sockets. Safe to call twice. */
  close(): void;
}

export function createZohoReadApi(settings: ZohoClientSettings): ZohoReadApi {
  const transport = createTransport(settings);
  const get = (credentials: Credentials, path: string, query: Readonly<Record<string, string>> = {}) =>
    transport.send(zohoRequest('GET', { credentials, path: `/crm/${settings.apiVersion}/${path}`, query }));

  return {
    getEnrichmentConfig: (credentials) => get(credentials, 'settings/zia/data_enrichment'),
    getFeature: (credentials, name) => get(credentials, `__features/${encodeURIComponent(name)}`),
    getOrg: (credentials) => get(credentials, 'org'),
    getUserCount: (credentials) => get(credentials, 'users/actions/count', { type: 'ActiveConfirmedUsers' }),
    close: () => transport.close(),
  };
}
