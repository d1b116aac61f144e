import type { Sandbox } from '../../src/sandbox/server.js';

export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON, or the text when it is none; undefined for an empty body. */
  readonly body: unknown;
  readonly headers: Headers;
}

/** Talks to the stand-in as a client without any cleverness would. */
export interface SandboxCaller {
  token(params?: Record<string, string>): Promise<ApiAnswer>;
  /** `path` is what follows the version, or starts with a slash to replace all of it. */
  get(path: string, headers?: Record<string, string>): Promise<ApiAnswer>;
  post(body: unknown, query?: string): Promise<ApiAnswer>;
  /** Posts JSON to what follows the version. */
  postTo(path: string, body: unknown): Promise<ApiAnswer>;
  /** Schedules an enrichment of this name and returns its id. */
  schedule(name: string): Promise<string>;
}

export const RESOURCE = '__zia_org_enrichment';
export const ACCOUNT = { client_id: 'sandbox', client_secret: 'sandbox', refresh_token: 'sandbox' };

export async function openCaller(sandbox: Sandbox): Promise<SandboxCaller> {
  const token = (params: Record<string, string> = {}) =>
    send(`${sandbox.url}/oauth/v2/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', ...ACCOUNT, ...params }),
    });
  const authorization = `Zoho-oauthtoken ${readText((await token()).body, 'access_token')}`;
  const post = (body: unknown, query = 'module=Accounts') =>
    send(`${sandbox.url}/crm/v7/${RESOURCE}?${query}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    token,
    post,
    postTo: (path, body) =>
      send(`${sandbox.url}/crm/v7/${path}`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    get: (path, headers) =>
      send(`${sandbox.url}${path.startsWith('/') ? path : `/crm/v7/${path}`}`, {
        headers: { authorization, ...headers },
      }),
    schedule: async (name) => {
      const { body } = await post(basedOn({ name }));
      return readText(body, RESOURCE, 0, 'details', 'id');
    },
  };
}

export function basedOn(fields: Record<string, unknown>): unknown {
  return { [RESOURCE]: [{ enrich_based_on: fields }] };
}

/** The value at a path of keys and indexes; undefined where the path ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

function readText(value: unknown, ...path: readonly (string | number)[]): string {
  const text = at(value, ...path);
  if (typeof text !== 'string') throw new Error(`no text at ${path.join('.')} of ${JSON.stringify(value)}`);
  return text;
}

async function send(url: string, init: RequestInit): Promise<ApiAnswer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, body: parsed(text), headers: response.headers };
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
