import { INPUT_FIELDS } from '../core/row.js';
import type { Credentials, ZohoClient } from './client.js';
import { createTransport, type TransportSettings } from './transport.js';
import { zohoRequest } from './zoho-request.js';

export interface ZohoClientSettings extends TransportSettings {
  readonly apiVersion: 'v7' | 'v8';
}

const RESOURCE = '__zia_org_enrichment';

/** The enrichment API over HTTP; see `ZohoClient` for the contract. */
export function createZohoClient(settings: ZohoClientSettings): ZohoClient {
  const transport = createTransport(settings);
  const address = (credentials: Credentials, path: string, query: Readonly<Record<string, string>> = {}) => ({
    credentials,
    path: `/crm/${settings.apiVersion}/${path}`,
    query,
  });

  return {
    createEnrichment: (credentials, sent, mayStillSend) => {
      const { module, recordId } = sent;
      const query = recordId === undefined ? { module } : { module, record_id: recordId };
      const fields = Object.fromEntries(
        INPUT_FIELDS.flatMap((field) => (sent[field] === undefined ? [] : [[field, sent[field]]])),
      );
      return transport.send({
        ...zohoRequest('POST', address(credentials, RESOURCE, query)),
        body: JSON.stringify({ [RESOURCE]: [{ enrich_based_on: fields }] }),
        mayStillSend,
      });
    },
    listEnrichments: (credentials, { page, perPage }) =>
      transport.send(
        zohoRequest(
          'GET',
          address(credentials, RESOURCE, {
            sort_by: 'created_time',
            sort_order: 'desc',
            page: String(page),
            per_page: String(perPage),
          }),
        ),
      ),
    getEnrichment: (credentials, id) =>
      transport.send(zohoRequest('GET', address(credentials, `${RESOURCE}/${encodeURIComponent(id)}`))),
    close: () => transport.close(),
  };
}
