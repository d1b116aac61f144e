import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseEnrichment, parseListPage, parseTokenBody } from '../../src/lib/zoho/shapes.js';

const ID = '111112000000000001';
const listed = {
  id: ID,
  status: 'COMPLETED',
  created_time: '2025-03-03T08:36:12Z',
  created_by: { id: '1', name: 'Someone' },
};
const page = (items: unknown, info?: unknown) => ({
  __zia_org_enrichment: items,
  ...(info === undefined ? {} : { info }),
});

describe('a page of the list', () => {
  test('as documented', () => {
    expect(parseListPage(page([listed], { per_page: 200, count: 1, page: 1, more_records: true }))).toEqual({
      items: [{ id: ID, status: 'COMPLETED', createdAtMs: Date.UTC(2025, 2, 3, 8, 36, 12), createdBy: '1' }],
      moreRecords: true,
    });
  });

  test.each<[string, unknown, object]>([
    ['an unknown status', { ...listed, status: 'UPDATED' }, { status: 'UPDATED' }],
    ['no status', { ...listed, status: null }, { status: null }],
    [
      'a time with an offset',
      { ...listed, created_time: '2025-03-03T10:36:12+02:00' },
      { createdAtMs: Date.UTC(2025, 2, 3, 8, 36, 12) },
    ],
    ['a time nobody can read', { ...listed, created_time: 'yesterday' }, { createdAtMs: null }],
    ['a time that is a number', { ...listed, created_time: 5 }, { createdAtMs: null }],
    ['the id alone', { id: ID }, { id: ID, status: null, createdAtMs: null }],
  ])('with %s', (_case, item, expected) => {
    expect(parseListPage(page([item]))).toMatchObject({ items: [expected], moreRecords: false });
  });

  test.each([null, undefined, {}, { more_records: null }])('info %p means no more records', (info) => {
    expect(parseListPage(page([], info))?.moreRecords).toBe(false);
  });

  test.each<[string, unknown]>([
    ['a numeric id', page([{ ...listed, id: Number(ID) }])],
    ['an item that is none', page([listed, null])],
    ['no array', page({})],
    ['a refusal', { code: 'NO_PERMISSION', details: {}, status: 'error' }],
    ['nothing', undefined],
    ['text', 'hello'],
  ])('is not read from %s', (_case, body) => {
    expect(parseListPage(body)).toBeUndefined();
  });
});

describe('an enrichment', () => {
  test('as documented', () => {
    const body = page([
      {
        id: ID,
        status: 'COMPLETED',
        enrich_based_on: { name: 'Acme', email: null, website: 'www.acme.example' },
        enriched_data: { name: 'Acme', years_in_industry: 12, address: null },
      },
    ]);
    expect(parseEnrichment(body)).toEqual({
      id: ID,
      status: 'COMPLETED',
      echo: { name: 'Acme', email: null, website: 'www.acme.example' },
      enrichedData: { name: 'Acme', years_in_industry: 12, address: null },
    });
  });

  test.each([null, undefined])('without data yet (%p)', (enriched_data) => {
    const body = page([{ id: ID, status: 'RUNNING', enrich_based_on: { name: 'Acme' }, enriched_data }]);
    expect(parseEnrichment(body)).toMatchObject({
      enrichedData: null,
      echo: { name: 'Acme', email: null, website: null },
    });
  });

  test.each<[string, unknown]>([
    ['two', page([listed, listed])],
    ['none', page([])],
    ['a numeric id', page([{ ...listed, id: 5 }])],
  ])('is not read from %s', (_case, body) => {
    expect(parseEnrichment(body)).toBeUndefined();
  });
});

test('a token body may lack any part', () => {
  expect(parseTokenBody({})).toEqual({
    accessToken: null,
    refreshToken: null,
    apiDomain: null,
    lifeMs: null,
    error: null,
    hasErrorDescription: false,
    status: null,
  });
});

test('no parser ever throws', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      for (const parse of [parseListPage, parseEnrichment, parseTokenBody]) {
        for (const given of [body, page(body), page([body]), { ...page([listed]), info: body }]) parse(given);
      }
    }),
  );
});
