import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Answer, AnswerHeaders, Verdict } from '../../src/lib/core/answer.js';
import { classifySubmission } from '../../src/lib/core/classify.js';

const HEADERS: AnswerHeaders = { retryAfterMs: null, creditsRemaining: null, dateMs: null };
const ENVELOPE = '__zia_org_enrichment';
const ID = '111112000000000001';

type Element = Readonly<Record<string, unknown>>;
const inArray = (element: Element) => ({ [ENVELOPE]: [element] });
const bare = (element: Element) => element;
const ENVELOPES = [
  ['in the array', inArray],
  ['bare', bare],
] as const;

function answer(status: number, body: unknown, headers: Partial<AnswerHeaders> = {}): Answer {
  return { kind: 'response', status, headers: { ...HEADERS, ...headers }, body };
}

function refusal(code: string, details: unknown = {}): Element {
  return { code, details, message: 'Zoho says something', status: 'error' };
}

const scheduled = { code: 'SCHEDULED', details: { id: ID }, message: 'scheduled', status: 'success' };
const path = (field: string) => ({ api_name: field, json_path: `$.${ENVELOPE}[0].enrich_based_on.${field}` });

/** Without the message: people's words may change. */
function judged(given: Answer): Record<string, unknown> {
  const { message: _words, ...rest } = { message: '', ...classifySubmission(given) };
  return rest;
}

describe('documented answers', () => {
  const row = (code: string, field: string | null) => ({ kind: 'row', code, field });
  const stop = (cause: string, code: string) => ({ kind: 'stop', cause, code });
  const token = (code: string) => ({ kind: 'token', code });
  const lost = (code: string) => ({ kind: 'uncertain', code, cause: 'lost' });
  const table: readonly (readonly [string, number, Element, Record<string, unknown>])[] = [
    ['SCHEDULED with an id', 202, scheduled, { kind: 'scheduled', enrichmentId: ID }],
    ['SCHEDULED with status 200', 200, scheduled, { kind: 'scheduled', enrichmentId: ID }],
    [
      'a bad name',
      400,
      refusal('INVALID_DATA', { expected_data_type: 'text', ...path('name') }),
      row('INVALID_DATA', 'name'),
    ],
    [
      'a bad email',
      400,
      refusal('INVALID_DATA', { expected_data_type: 'text', ...path('email') }),
      row('INVALID_DATA', 'email'),
    ],
    [
      'a bad website',
      400,
      refusal('INVALID_DATA', { json_path: path('website').json_path }),
      row('INVALID_DATA', 'website'),
    ],
    [
      'a long name',
      400,
      refusal('INVALID_DATA', { maximum_length: 150, ...path('name') }),
      row('INVALID_DATA', 'name'),
    ],
    ['an unknown key', 400, refusal('INVALID_DATA', path('phone')), stop('bug', 'INVALID_DATA')],
    ['an unknown key by index', 400, refusal('INVALID_DATA', { index: 0 }), stop('bug', 'INVALID_DATA')],
    ['a bad record id', 400, refusal('INVALID_DATA', { param_name: 'record_id' }), row('INVALID_DATA', 'record_id')],
    [
      'an unsupported module',
      400,
      refusal('INVALID_DATA', { param_name: 'module' }),
      stop('configuration', 'INVALID_DATA'),
    ],
    [
      'an array too long',
      400,
      refusal('INVALID_DATA', { maximum_length: 1, api_name: ENVELOPE, json_path: `$.${ENVELOPE}` }),
      stop('bug', 'INVALID_DATA'),
    ],
    [
      'an empty row',
      400,
      refusal('EXPECTED_FIELD_MISSING', { expected_fields: [path('name'), path('email'), path('website')] }),
      row('EXPECTED_FIELD_MISSING', null),
    ],
    [
      'no enrich_based_on',
      400,
      refusal('MANDATORY_NOT_FOUND', path('enrich_based_on')),
      stop('bug', 'MANDATORY_NOT_FOUND'),
    ],
    ['an unmapped field', 400, refusal('NOT_ALLOWED', path('email')), stop('configuration', 'NOT_ALLOWED')],
    [
      'an unmapped parameter',
      400,
      refusal('NOT_ALLOWED', { param_name: 'email' }),
      stop('configuration', 'NOT_ALLOWED'),
    ],
    [
      'the allowance spent, limit a number',
      400,
      refusal('LIMIT_EXCEEDED', { limit: 1500, limit_due_to: [path('enrich_based_on')] }),
      stop('quota', 'LIMIT_EXCEEDED'),
    ],
    [
      'the allowance spent, limit a string',
      400,
      refusal('LIMIT_EXCEEDED', { limit: '1500' }),
      stop('quota', 'LIMIT_EXCEEDED'),
    ],
    [
      'no module',
      400,
      refusal('REQUIRED_PARAM_MISSING', { param_name: 'module' }),
      stop('configuration', 'REQUIRED_PARAM_MISSING'),
    ],
    [
      'an invalid module',
      400,
      refusal('INVALID_MODULE', { param_name: 'module' }),
      stop('configuration', 'INVALID_MODULE'),
    ],
    [
      'something unsupported',
      400,
      refusal('NOT_SUPPORTED', { param_name: 'module' }),
      stop('configuration', 'NOT_SUPPORTED'),
    ],
    ['the feature off', 400, refusal('FEATURE_NOT_ENABLED'), stop('account', 'FEATURE_NOT_ENABLED')],
    ['an edition without it', 400, refusal('FEATURE_NOT_SUPPORTED'), stop('account', 'FEATURE_NOT_SUPPORTED')],
    [
      'an old version',
      400,
      refusal('API_NOT_SUPPORTED', { supported_version: 'v7' }),
      stop('configuration', 'API_NOT_SUPPORTED'),
    ],
    ['too small a scope', 401, refusal('OAUTH_SCOPE_MISMATCH'), stop('account', 'OAUTH_SCOPE_MISMATCH')],
    ['too small a scope, as 403', 403, refusal('OAUTH_SCOPE_MISMATCH'), stop('account', 'OAUTH_SCOPE_MISMATCH')],
    ['an expired token', 401, refusal('INVALID_TOKEN'), token('INVALID_TOKEN')],
    ['no authentication', 401, refusal('AUTHENTICATION_FAILURE'), token('AUTHENTICATION_FAILURE')],
    ['a token pushed out', 401, refusal('INVALID_OAUTHTOKEN'), token('INVALID_OAUTHTOKEN')],
    ['an unauthorized call', 401, refusal('UNAUTHORIZED'), token('UNAUTHORIZED')],
    ['a refused token as 400', 400, refusal('INVALID_TOKEN'), token('INVALID_TOKEN')],
    ['no permission', 403, refusal('NO_PERMISSION', { permissions: ['x'] }), stop('account', 'NO_PERMISSION')],
    ['a wrong address', 404, refusal('INVALID_URL_PATTERN'), stop('configuration', 'INVALID_URL_PATTERN')],
    [
      'too many requests',
      429,
      refusal('TOO_MANY_REQUESTS'),
      { kind: 'throttled', code: 'TOO_MANY_REQUESTS', retryAfterMs: null },
    ],
    [
      'too many requests, with a wait',
      429,
      refusal('TOO_MANY_REQUESTS', { retry_after: 60, limit: 100 }),
      { kind: 'throttled', code: 'TOO_MANY_REQUESTS', retryAfterMs: 60_000 },
    ],
    ['an internal server error', 500, refusal('INTERNAL_SERVER_ERROR'), lost('INTERNAL_SERVER_ERROR')],
    ['an internal error', 500, refusal('INTERNAL_ERROR'), lost('INTERNAL_ERROR')],
    ['an internal error as 400', 400, refusal('INTERNAL_ERROR'), lost('INTERNAL_ERROR')],
  ];

  describe.each(ENVELOPES)('%s', (_name, envelope) => {
    test.each(table)('judges %s', (_case, status, element, expected) => {
      expect(judged(answer(status, envelope(element)))).toEqual(expected);
    });
  });
});

describe('answers that are not what they seem', () => {
  const unreadable = (code: string) => ({ kind: 'uncertain', code, cause: 'unreadable' });
  test.each([
    ['202 with an empty body', answer(202, undefined), unreadable('HTTP_202')],
    ['204', answer(204, undefined), unreadable('HTTP_204')],
    [
      'SCHEDULED with a numeric id',
      answer(202, inArray({ ...scheduled, details: { id: Number(ID) } })),
      unreadable('SCHEDULED'),
    ],
    ['SCHEDULED without an id', answer(202, inArray({ ...scheduled, details: {} })), unreadable('SCHEDULED')],
    ['SCHEDULED with details null', answer(202, inArray({ ...scheduled, details: null })), unreadable('SCHEDULED')],
    [
      'SCHEDULED with an id of letters',
      answer(202, inArray({ ...scheduled, details: { id: 'abc' } })),
      unreadable('SCHEDULED'),
    ],
    [
      'SCHEDULED with an id of 20 digits',
      answer(202, inArray({ ...scheduled, details: { id: '1'.repeat(20) } })),
      unreadable('SCHEDULED'),
    ],
    ['SUCCESS with an id', answer(200, inArray({ ...scheduled, code: 'SUCCESS' })), unreadable('SUCCESS')],
    ['an array of two', answer(202, { [ENVELOPE]: [scheduled, scheduled] }), unreadable('HTTP_202')],
    ['an empty array', answer(202, { [ENVELOPE]: [] }), unreadable('HTTP_202')],
    ['a bare array', answer(202, [scheduled]), unreadable('HTTP_202')],
    ['a 200 that carries a refusal', answer(200, inArray(refusal('LIMIT_EXCEEDED'))), unreadable('LIMIT_EXCEEDED')],
    ['a 400 that says SCHEDULED', answer(400, inArray(scheduled)), unreadable('SCHEDULED')],
    ['a redirect', answer(302, undefined), unreadable('HTTP_302')],
    [
      'a 500 that says SCHEDULED',
      answer(500, inArray(scheduled)),
      { kind: 'uncertain', code: 'SCHEDULED', cause: 'lost' },
    ],
    [
      'a 500 that carries a refusal',
      answer(500, refusal('LIMIT_EXCEEDED')),
      { kind: 'uncertain', code: 'LIMIT_EXCEEDED', cause: 'lost' },
    ],
    ['502 of a gateway', answer(502, undefined), { kind: 'uncertain', code: 'HTTP_502', cause: 'lost' }],
    ['408', answer(408, undefined), { kind: 'uncertain', code: 'HTTP_408', cause: 'lost' }],
    ['401 without a code', answer(401, undefined), { kind: 'token', code: 'HTTP_401' }],
    ['401 in OAuth words', answer(401, { error: 'invalid_client' }), { kind: 'token', code: 'HTTP_401' }],
    ['401 with an unknown code', answer(401, refusal('NEWS')), { kind: 'token', code: 'NEWS' }],
    ['429 without a body', answer(429, undefined), { kind: 'throttled', code: 'HTTP_429', retryAfterMs: null }],
    [
      '429 that blames the row',
      answer(429, refusal('INVALID_DATA', path('name'))),
      { kind: 'throttled', code: 'INVALID_DATA', retryAfterMs: null },
    ],
    [
      '429 for the allowance',
      answer(429, refusal('LIMIT_EXCEEDED')),
      { kind: 'stop', cause: 'quota', code: 'LIMIT_EXCEEDED' },
    ],
    [
      'INVALID_DATA without details',
      answer(400, refusal('INVALID_DATA')),
      { kind: 'unknown', code: 'INVALID_DATA', status: 400 },
    ],
    ['a code nobody knows', answer(400, refusal('NEWS')), { kind: 'unknown', code: 'NEWS', status: 400 }],
    [
      'a code of Object.prototype',
      answer(400, refusal('constructor')),
      { kind: 'unknown', code: 'constructor', status: 400 },
    ],
    ['a 403 page of a proxy', answer(403, undefined), { kind: 'unknown', code: 'HTTP_403', status: 403 }],
    [
      'a code that is a text',
      answer(400, refusal('Acme Inc. is no name')),
      { kind: 'unknown', code: 'HTTP_400', status: 400 },
    ],
  ])('judges %s', (_case, given, expected) => {
    expect(judged(given)).toEqual(expected);
  });
});

describe('throttling and credits', () => {
  const tooMany = refusal('TOO_MANY_REQUESTS', { retry_after: 60 });

  test('the Retry-After header wins over details.retry_after', () => {
    expect(judged(answer(429, tooMany, { retryAfterMs: 5_000 }))).toMatchObject({
      kind: 'throttled',
      retryAfterMs: 5_000,
    });
  });

  test.each([0, 3])('429 with %d credits remaining stops the fleet', (creditsRemaining) => {
    expect(judged(answer(429, tooMany, { creditsRemaining }))).toEqual({
      kind: 'stop',
      cause: 'credits',
      code: 'API_CREDITS_EXHAUSTED',
    });
  });

  test('429 with credits left only slows down', () => {
    expect(judged(answer(429, tooMany, { creditsRemaining: 20_000 }))).toMatchObject({ kind: 'throttled' });
  });

  test.each([-1, 'soon', null, {}, Number.NaN])('a wait of %p is no wait', (retry_after) => {
    expect(judged(answer(429, refusal('TOO_MANY_REQUESTS', { retry_after })))).toMatchObject({ retryAfterMs: null });
  });
});

describe('no answer at all', () => {
  test('never sent is an outage', () => {
    expect(judged({ kind: 'no-response', sent: false, code: 'ECONNREFUSED' })).toEqual({
      kind: 'outage',
      code: 'ECONNREFUSED',
    });
  });

  test('sent and lost is uncertain', () => {
    expect(judged({ kind: 'no-response', sent: true, code: 'ETIMEDOUT' })).toEqual({
      kind: 'uncertain',
      code: 'ETIMEDOUT',
      cause: 'lost',
    });
  });
});

describe('messages for people', () => {
  const messageOf = (verdict: Verdict) => ('message' in verdict ? verdict.message : '');

  test('an unmapped field is named, with the flag that leaves it out', () => {
    expect(messageOf(classifySubmission(answer(400, refusal('NOT_ALLOWED', path('email')))))).toContain(
      'resume --without email',
    );
  });

  test('the allowance is told when Zoho gives it as a number', () => {
    expect(messageOf(classifySubmission(answer(400, refusal('LIMIT_EXCEEDED', { limit: 1500 }))))).toContain('1500');
  });

  test('nothing that Zoho wrote in words is repeated', () => {
    const details = {
      ...path('name'),
      limit: 'Acme Inc.',
      param_name: 'Acme Inc.',
      supported_version: 'Acme Inc.',
      maximum_length: 'Acme Inc.',
    };
    for (const code of [
      'LIMIT_EXCEEDED',
      'NOT_ALLOWED',
      'REQUIRED_PARAM_MISSING',
      'API_NOT_SUPPORTED',
      'INVALID_DATA',
    ]) {
      expect(
        JSON.stringify(classifySubmission(answer(400, { ...refusal(code, details), message: 'Acme Inc.' }))),
      ).not.toContain('Acme');
    }
  });
});

describe('whatever comes', () => {
  const codes = fc.constantFrom(
    'SCHEDULED',
    'INVALID_DATA',
    'LIMIT_EXCEEDED',
    'NOT_ALLOWED',
    'SUCCESS',
    'TOO_MANY_REQUESTS',
  );
  const ids = fc.oneof(fc.constant(ID), fc.integer(), fc.string(), fc.jsonValue());
  const details = fc.oneof(
    fc.record(
      { id: ids, api_name: fc.jsonValue(), json_path: fc.jsonValue(), limit: fc.jsonValue() },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  const element = fc.oneof(
    fc.record({ code: fc.oneof(codes, fc.jsonValue()), details, status: fc.jsonValue() }, { requiredKeys: [] }),
    fc.jsonValue(),
  );
  const body = fc.oneof(
    element,
    fc.array(element, { maxLength: 3 }).map((elements) => ({ [ENVELOPE]: elements })),
    fc.constant(undefined),
  );
  const status = fc.oneof(fc.constantFrom(200, 202, 400, 401, 429, 500), fc.integer({ min: 100, max: 599 }));

  test('only a 2xx with SCHEDULED and an id of digits, alone in its envelope, counts as scheduled', () => {
    fc.assert(
      fc.property(status, body, (code, content) => {
        const verdict = classifySubmission(answer(code, content));
        const elements = [content, ...envelopeOf(content)];
        const really = code >= 200 && code < 300 && elements.some(isScheduled);
        expect(verdict.kind === 'scheduled').toBe(really);
      }),
      { numRuns: 5_000 },
    );
  });

  test('an answer that may have been accepted never lets the row be sent again', () => {
    fc.assert(
      fc.property(status, body, (code, content) => {
        const { kind } = classifySubmission(answer(code, content));
        if (code < 400 || code >= 500) expect(['scheduled', 'uncertain']).toContain(kind);
      }),
    );
  });

  function envelopeOf(content: unknown): unknown[] {
    if (typeof content !== 'object' || content === null || Array.isArray(content) || 'code' in content) return [];
    const [only, ...others] = Object.values(content);
    return others.length === 0 && Array.isArray(only) && only.length === 1 ? only : [];
  }

  function isScheduled(value: unknown): boolean {
    const { code, details: given } = (value ?? {}) as { code?: unknown; details?: { id?: unknown } };
    return code === 'SCHEDULED' && typeof given?.id === 'string' && /^[1-9][0-9]{0,18}$/.test(given.id);
  }
});
