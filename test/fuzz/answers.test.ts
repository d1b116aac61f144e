import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { Answer } from '../../src/lib/core/answer.js';
import { classifySubmission } from '../../src/lib/core/classify.js';
import { classifyRead } from '../../src/lib/core/classify-read.js';
import { createZohoClient, type ZohoClient } from '../../src/lib/zoho/client.js';
import { parseEnrichment, parseListPage, parseTokenBody } from '../../src/lib/zoho/shapes.js';
import { createTransport, type Transport } from '../../src/lib/zoho/transport.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { httpAnswer, openRawServer, type RawServer } from '../support/raw-server.js';
import { testIn } from '../support/suite.js';

jest.setTimeout(FUZZ_TIMEOUT_MS);

const RESOURCE = '__zia_org_enrichment';
const ID = '111112000000000001';
const element = (code: string, details: unknown = { id: ID }) => ({ code, details, message: 'm', status: 'success' });
const GENUINE = JSON.stringify({ [RESOURCE]: [element('SCHEDULED')] });

let bytes: Buffer = Buffer.alloc(0);
let closeAfterwards = false;
let server: RawServer;
let transport: Transport;
let zoho: ZohoClient;
beforeAll(async () => {
  server = await openRawServer({
    onRequest: (socket) => (closeAfterwards ? socket.end(bytes) : socket.write(bytes)),
  });
  transport = createTransport({ requestTimeoutMs: 1_000, userAgent: 'fuzz' });
  zoho = createZohoClient(transport, 'v7');
});
afterAll(async () => {
  transport.close();
  await server.close();
});

/** What the real client makes of these bytes. */
async function exchange(answer: Buffer, close = true): Promise<Answer> {
  bytes = answer;
  closeAfterwards = close;
  const credentials = { accessToken: 't', apiDomain: server.url };
  return zoho.createEnrichment(credentials, { module: 'Accounts', name: 'Acme' }, () => true);
}

/** Judged without the program's own parsers. */
function isGenuine(status: number, body: string): boolean {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.replace(/^\uFEFF/, ''));
  } catch {
    return false;
  }
  if (status < 200 || status > 299 || typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return false;
  const bare = parsed as { code?: unknown; details?: { id?: unknown } | null };
  const listed = Object.values(parsed)[0] as unknown;
  const only =
    bare.code !== undefined || Object.keys(parsed).length !== 1 || !Array.isArray(listed) || listed.length !== 1
      ? bare
      : (listed[0] as typeof bare | null);
  return only?.code === 'SCHEDULED' && typeof only.details?.id === 'string' && /^[1-9]\d{0,18}$/.test(only.details.id);
}

/** Sent, so nothing but a genuine yes, doubt, or a refusal of a 4xx may come of it. */
function expectHonest(answer: Answer, status: number, body: string): void {
  const verdict = classifySubmission(answer);
  expect(verdict.kind === 'scheduled').toBe(isGenuine(status, body));
  if (verdict.kind === 'scheduled') expect(typeof verdict.enrichmentId).toBe('string');
  expect(verdict.kind).not.toBe('outage');
  if (status < 400 || status >= 500) expect(['scheduled', 'uncertain']).toContain(verdict.kind);
  expect(() => classifyRead(answer)).not.toThrow();
}

const status = fc
  .oneof(
    fc.constantFrom(200, 202),
    fc.constantFrom(200, 201, 202, 400, 401, 403, 404, 408, 429, 500, 502, 503),
    fc.integer({ min: 200, max: 599 }),
  )
  .filter((code) => code !== 204 && code !== 304);
const contentType = fc.constantFrom(
  'application/json',
  'text/html',
  'text/plain; charset=utf-16',
  'application/octet-stream',
  'image/png',
  '',
);
const words = fc.constantFrom('SCHEDULED', 'SUCCESS', 'INVALID_DATA', 'LIMIT_EXCEEDED', '__proto__', 'constructor');
const anyElement = fc.record(
  {
    code: fc.oneof(words, fc.jsonValue()),
    details: fc.oneof(fc.record({ id: fc.oneof(fc.constant(ID), fc.jsonValue()) }), fc.jsonValue()),
  },
  { requiredKeys: [] },
);
/** One thing wrong, or nothing. */
const nearlyGenuine = fc
  .record({
    code: fc.oneof(fc.constant('SCHEDULED'), words),
    details: fc.record({ id: fc.constantFrom(ID, Number(ID), `${ID}0`, `0${ID}`, ID.slice(1), '', null, [ID]) }),
  })
  .map((one) => JSON.stringify({ [RESOURCE]: [one] }));
const json = fc.oneof(
  nearlyGenuine,
  nearlyGenuine,
  anyElement.map((value) => JSON.stringify(value)),
  fc.array(anyElement, { maxLength: 2 }).map((list) => JSON.stringify({ [RESOURCE]: list })),
  fc.json(),
);
const page = fc.constantFrom(
  '<html><h1>502 Bad Gateway</h1></html>',
  '<!doctype html><p>SCHEDULED 1</p>',
  'Service Unavailable',
  '',
  '\uFEFF',
  'null',
  'true',
  '""',
  '[]',
  '{}',
);
const truncated = fc
  .tuple(fc.oneof(fc.constant(GENUINE), json), fc.nat())
  .map(([text, cut]) => text.slice(0, text.length - (cut % Math.max(1, text.length))));
const body = fc.oneof(
  json,
  page,
  truncated,
  fc.constant(GENUINE),
  fc.constant(`\uFEFF${GENUINE}`),
  fc.string({ unit: 'binary' }),
);

describe('any answer, through the real client', () => {
  test('is a success only with SCHEDULED and the text of an id', async () => {
    await fc.assert(
      fc.asyncProperty(status, body, contentType, fc.boolean(), async (code, text, type, close) => {
        expectHonest(
          await exchange(
            httpAnswer(code, text, { 'content-type': type, ...(close && { connection: 'close' }) }),
            close,
          ),
          code,
          text,
        );
      }),
      fuzz(),
    );
  });

  test('of random bytes, whether HTTP or not, is no success and no proof that nothing was sent', async () => {
    const start = fc.constantFrom(
      '',
      'HTTP/1.1 ',
      'HTTP/1.1 202 OK\r\n',
      'HTTP/1.1 202 OK\r\ncontent-length: 5\r\n\r\n',
      'HTTP/1.1 202 OK\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 200 }), async (head, rest) => {
        const answer = await exchange(Buffer.concat([Buffer.from(head), rest]));
        const { kind } = classifySubmission(answer);
        // Random bytes make a header line with a status of their own at times, but never an outage or a yes.
        expect(['scheduled', 'outage']).not.toContain(kind);
      }),
      fuzz(),
    );
  });

  test('cut anywhere inside a genuine yes leaves the row uncertain', async () => {
    const whole = httpAnswer(202, GENUINE, { 'content-type': 'application/json' });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
        expect(classifySubmission(await exchange(whole.subarray(0, length))).kind).toBe('uncertain');
      }),
      fuzz(2),
    );
  });

  testIn.short.each<[string, string | Buffer, Record<string, string>]>([
    ['nested deeper than a parser can go', `{"${RESOURCE}":${'['.repeat(400_000)}${']'.repeat(400_000)}}`, {}],
    ['nested and cut', '{"a":'.repeat(150_000), {}],
    ['larger than the cap', `${GENUINE}${' '.repeat(2_000_000)}`, {}],
    ['that says gzip and is not', GENUINE, { 'content-encoding': 'gzip' }],
    ['in an encoding nobody knows', GENUINE.split('').join('\0'), { 'content-encoding': 'x-unknown' }],
    ['with a key of a million letters', JSON.stringify({ ['a'.repeat(900_000)]: 1 }), {}],
    ['with an id as a number', GENUINE.replace(`"${ID}"`, ID), {}],
    ['with two codes', GENUINE.replace('"code":"SCHEDULED"', '"code":"SCHEDULED","code":"INVALID_DATA"'), {}],
  ])('%s is uncertain', async (_case, text, headers) => {
    expect(classifySubmission(await exchange(httpAnswer(202, text, headers)))).toMatchObject({ kind: 'uncertain' });
  });
});

test('no body breaks the parsers of lists, enrichments and tokens', () => {
  const shaped = fc.oneof(
    fc.jsonValue(),
    fc.anything(),
    fc.record({
      [RESOURCE]: fc.oneof(
        fc.array(
          fc.record(
            {
              id: fc.oneof(fc.constant(ID), fc.anything()),
              status: fc.anything(),
              created_time: fc.anything(),
              enrich_based_on: fc.anything(),
              enriched_data: fc.anything(),
            },
            { requiredKeys: [] },
          ),
        ),
        fc.anything(),
      ),
      info: fc.anything(),
    }),
    fc.record(
      { access_token: fc.anything(), expires_in: fc.anything(), api_domain: fc.anything(), error: fc.anything() },
      { requiredKeys: [] },
    ),
  );
  fc.assert(
    fc.property(shaped, (value) => {
      for (const { id } of parseListPage(value)?.items ?? []) expect(id).toMatch(/^\d{1,19}$/);
      expect(parseEnrichment(value)?.id ?? ID).toMatch(/^\d{1,19}$/);
      const token = parseTokenBody(value);
      expect(token?.accessToken ?? 'x').toMatch(/^[\x21-\x7e]+$/);
      const life = token?.lifeMs ?? 1;
      expect(life > 0 && Number.isFinite(life)).toBe(true);
    }),
    fuzz(),
  );
});
