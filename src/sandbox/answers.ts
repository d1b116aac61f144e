/** An answer before it is written: `body` undefined means an empty body. */
export interface SandboxAnswer {
  readonly status: number;
  readonly code: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const RESOURCE = '__zia_org_enrichment';

const element = (code: string, details: object, message: string, status: 'success' | 'error') => ({
  code,
  details,
  message,
  status,
});

/** Envelope T: the bare object. */
export function bareError(status: number, code: string, details: object, message: string): SandboxAnswer {
  return { status, code, body: element(code, details, message, 'error') };
}

/** Envelope A: the object in an array under the resource's name. */
export function listedError(code: string, details: object, message: string): SandboxAnswer {
  return { status: 400, code, body: { [RESOURCE]: [element(code, details, message, 'error')] } };
}

export function scheduled(id: string): SandboxAnswer {
  return {
    status: 202,
    code: 'SCHEDULED',
    body: { [RESOURCE]: [element('SCHEDULED', { id }, 'Org Enrichment scheduled successfully', 'success')] },
  };
}

export const EMPTY: SandboxAnswer = { status: 204, code: 'NO_CONTENT' };
export const ok = (body: unknown, code = 'OK'): SandboxAnswer => ({ status: 200, code, body });

export const FEATURE_NOT_ENABLED = bareError(400, 'FEATURE_NOT_ENABLED', {}, 'Data Enrichment feature not enabled');
/** Of a feature the org lacks; reading one enrichment alone answers FEATURE_NOT_ENABLED in envelope A. */
export const FEATURE_NOT_SUPPORTED = bareError(
  400,
  'FEATURE_NOT_SUPPORTED',
  {},
  'Your License does not support this feature',
);
export const NO_PERMISSION = bareError(403, 'NO_PERMISSION', {}, 'No permission to access this feature');
export const NO_CONFIGURATION_PERMISSION = bareError(
  403,
  'NO_PERMISSION',
  { permissions: ['Crm_Implied_Manage_Data_Enrichment', 'Crm_Implied_View_Data_Enrichment'] },
  'permission denied',
);
export const SCOPE_MISMATCH = bareError(401, 'OAUTH_SCOPE_MISMATCH', {}, 'invalid oauth scope to access this URL');
export const INVALID_TOKEN = bareError(401, 'INVALID_TOKEN', {}, 'invalid oauth token');
export const AUTHENTICATION_FAILURE = bareError(401, 'AUTHENTICATION_FAILURE', {}, 'Authentication failed');
export const INVALID_URL_PATTERN = bareError(
  404,
  'INVALID_URL_PATTERN',
  {},
  'Please check if the URL trying to access is a correct one',
);
export const INVALID_REQUEST_METHOD = bareError(
  400,
  'INVALID_REQUEST_METHOD',
  {},
  'The http request method type is not a valid one',
);
export const TOO_MANY_REQUESTS = bareError(429, 'TOO_MANY_REQUESTS', {}, 'Please try again after sometime');
export const INTERNAL_ERROR = bareError(500, 'INTERNAL_SERVER_ERROR', {}, 'internal error');
