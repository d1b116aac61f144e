import http from 'node:http';
import { got } from 'got';

export type Company = Readonly<Record<string, string>>;

/** One POST a call, over kept connections; no retries. Throws when the answer is not a 2xx. */
export async function createBareCall(): Promise<(company: Company) => Promise<unknown>> {
  const { ZOHO_ACCOUNTS_URL, ZOHO_API_DOMAIN } = process.env;
  const form = {
    grant_type: 'refresh_token',
    client_id: 'sandbox',
    client_secret: 'sandbox',
    refresh_token: 'sandbox',
  };
  const token = await got.post(`${ZOHO_ACCOUNTS_URL}/oauth/v2/token`, { form }).json<{ access_token: string }>();
  const client = got.extend({
    prefixUrl: ZOHO_API_DOMAIN ?? '',
    headers: { authorization: `Zoho-oauthtoken ${token.access_token}` },
    agent: { http: new http.Agent({ keepAlive: true }) },
    retry: { limit: 0 },
  });
  return (company) =>
    client
      .post('crm/v7/__zia_org_enrichment', {
        searchParams: { module: 'Accounts' },
        json: {
          __zia_org_enrichment: [
            {
              enrich_based_on: { name: company['Account Name'], email: company.Email, website: company.Website },
            },
          ],
        },
      })
      .json();
}
