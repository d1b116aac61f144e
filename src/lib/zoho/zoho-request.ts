import type { Credentials } from './client.js';
import type { TransportRequest } from './transport.js';

export interface ZohoAddress {
  readonly credentials: Credentials;
  /** Starts with a slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** A call to Zoho's API with its authorization. */
export function zohoRequest(method: 'GET' | 'POST', address: ZohoAddress): TransportRequest {
  const { credentials, path, query = {} } = address;
  const url = new URL(`${credentials.apiDomain}${path}`);
  url.search = new URLSearchParams(query).toString();
  return {
    method,
    url,
    headers: {
      authorization: `Zoho-oauthtoken ${credentials.accessToken}`,
      'content-type': 'application/json',
    },
  };
}
