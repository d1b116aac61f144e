import { describe, expect, test } from '@jest/globals';
import { estimateOf } from '../../src/lib/core/estimate.js';
import { parseEnrichmentConfigs, parseFeature, parseOrg, parseUserCount } from '../../src/lib/zoho/account-shapes.js';
import { type Allowance, readAllowance } from '../../src/lib/zoho/allowance.js';

const feature = (details: unknown) => ({ __features: [{ api_name: 'data_enrichment', details }] });
const org = (license_details: unknown) => ({ org: [{ company_name: 'Acme', license_details }] });

describe('what an account says of itself', () => {
  test.each([
    [
      { limits: { total: 10 }, used_count: { total: '3' }, available_count: { total: 7 } },
      { total: 10, used: 3, left: 7 },
    ],
    [
      { limits: null, used_count: { total: null } },
      { total: null, used: null, left: null },
    ],
    [
      { limits: { total: 'many' }, available_count: 5 },
      { total: null, used: null, left: null },
    ],
    [null, undefined],
  ])('a feature with details %j', (details, expected) => {
    expect(parseFeature(feature(details))).toEqual(expected);
  });

  test.each([
    [{ paid: true, paid_type: 'Enterprise', trial_type: null }, 'enterprise'],
    [{ paid: false, paid_type: 'free', trial_type: 'ultimate' }, 'ultimate'],
    [{ paid: false, paid_type: 'free', trial_type: null }, 'free'],
    [null, null],
  ])('an org with license %j is of edition %j', (license, edition) => {
    expect(parseOrg(org(license))).toEqual({ name: 'Acme', edition, licenses: null });
  });

  test('a number of users, as a number or as a string', () => {
    expect([11, '11', null, -1].map((count) => parseUserCount({ count }))).toEqual([11, 11, undefined, undefined]);
  });

  test('configurations of organizations, with their mapped fields', () => {
    const mapping = (name: string, crm_field: unknown) => ({ enrich_field: { name }, crm_field });
    const config = (type: string, status: unknown, mappings: unknown) => {
      return { type, status, module: { api_name: 'Accounts' }, input_data_field_mapping: mappings };
    };
    const data_enrichment = [
      config('personal', true, []),
      config('organization', true, [mapping('org_name', { id: '1' }), mapping('email', null), mapping('new', {})]),
      config('organization', null, null),
    ];
    expect(parseEnrichmentConfigs({ data_enrichment })).toEqual([
      { module: 'Accounts', active: true, mapped: ['name'], unmapped: ['email', 'website'] },
      { module: 'Accounts', active: false, mapped: [], unmapped: ['name', 'email', 'website'] },
    ]);
  });

  test.each([undefined, null, 'x', [], {}, { org: {} }, { __features: [] }, { data_enrichment: [{}] }])(
    'nothing is made of %j',
    (body) => {
      for (const parse of [parseFeature, parseOrg, parseUserCount, parseEnrichmentConfigs]) {
        expect(parse(body)).toBeUndefined();
      }
    },
  );
});

describe('the allowance', () => {
  const read = <T>(value: T) => ({ kind: 'read' as const, value, zohoNowMs: null });
  const no = { kind: 'forbidden' as const, code: 'OAUTH_SCOPE_MISMATCH' };

  function allowance(given: {
    feature?: object;
    edition?: string;
    users?: number;
    licenses?: number;
  }): Promise<Allowance | null> {
    const { edition, users, licenses = null } = given;
    const reads = {
      feature: async () =>
        given.feature === undefined ? no : read({ total: null, used: null, left: null, ...given.feature }),
      stats: async () => no,
      org: async () => (edition === undefined ? no : read({ name: null, edition, licenses })),
      users: async () => (users === undefined ? no : read(users)),
    };
    // Of the questions only these four are asked.
    return readAllowance(reads as unknown as Parameters<typeof readAllowance>[0], 100);
  }

  test.each([
    [{ feature: { total: 10, used: 3, left: 7 } }, { total: 10, used: 3, left: 7, source: 'zoho' }],
    [{ feature: { total: 10, used: 3 } }, { total: 10, used: 3, left: 7, source: 'zoho' }],
    [{ feature: { total: 10, left: 7 } }, { total: 10, used: 3, left: 7, source: 'zoho' }],
    [{ feature: { used: 3, left: 7 } }, { total: 10, used: 3, left: 7, source: 'zoho' }],
    [
      { feature: {}, edition: 'enterprise', users: 2 },
      { total: 1_000, used: 100, left: 900, source: 'estimate' },
    ],
    [
      { edition: 'ultimate', licenses: 1 },
      { total: 2_000, used: 100, left: 1_900, source: 'estimate' },
    ],
    [
      { edition: 'ultimate', users: 99 },
      { total: 50_000, used: 100, left: 49_900, source: 'estimate' },
    ],
    [{ edition: 'professional', users: 9 }, null],
    [{ edition: 'enterprise' }, null],
    [{}, null],
  ])('of %j is %j', async (given, expected) => {
    expect(await allowance(given)).toEqual(expected);
  });
});

test('rows cost a submission and at most 1.1 calls for results each, at 98% of the rate', () => {
  expect(estimateOf(1_000, 10)).toEqual({ posts: 1_000, polls: 1_100, seconds: 215 });
  expect(estimateOf(0, 10)).toEqual({ posts: 0, polls: 0, seconds: 0 });
  expect(estimateOf(1, 0.5)).toEqual({ posts: 1, polls: 2, seconds: 7 });
});
