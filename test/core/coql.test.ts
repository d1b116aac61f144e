import { describe, expect, test } from '@jest/globals';
import { allOf, anyOf, countQuery, creditsOf, literal, selectQuery } from '../../src/lib/core/coql.js';
import {
  cellOf,
  isChosen,
  markField,
  type PullChoice,
  pullColumns,
  pullConditions,
} from '../../src/lib/core/pull-choice.js';
import { parseCoql } from '../../src/sandbox/coql.js';

const ALL: PullChoice = { module: 'Accounts', missing: [], where: null, enrichedBeforeMs: null, fields: [] };

describe('a query', () => {
  test('goes on after an id, in the order of ids', () => {
    const conditions = ['(Industry is null)'];
    expect(selectQuery({ module: 'Accounts', columns: ['Website'], conditions, afterId: '57', limit: 2_000 })).toBe(
      "select id, Website from Accounts where ((Industry is null) and (id > '57')) order by id asc limit 0, 2000",
    );
    expect(countQuery({ module: 'Leads', conditions })).toBe('select COUNT(id) from Leads where (Industry is null)');
  });

  test('joins conditions pairwise, and needs one', () => {
    expect(allOf(['a', 'b', 'c'])).toBe('((a and b) and c)');
    expect(anyOf(['a'])).toBe('a');
    expect(() => allOf([])).toThrow(RangeError);
  });

  test('keeps a quote or backslash inside its literal', () => {
    expect(literal("O'Neil \\ Sons")).toBe("'O\\'Neil \\\\ Sons'");
  });

  test.each([
    [1, 1],
    [200, 1],
    [201, 2],
    [1_000, 2],
    [1_001, 3],
    [2_000, 3],
  ])('of %i records costs %i credits', (limit, credits) => {
    expect(creditsOf(limit)).toBe(credits);
  });
});

describe('what to pull', () => {
  test.each<[string, PullChoice]>([
    ['no choice', ALL],
    ['one missing field', { ...ALL, missing: ['Industry'] }],
    ['several missing fields', { ...ALL, missing: ['Industry', 'Phone', 'Employees'] }],
    [
      'a condition of the user',
      { ...ALL, missing: ['Phone'], where: "Industry = 'Logistics' and Website is not null" },
    ],
    ['enriched long ago', { ...ALL, enrichedBeforeMs: Date.UTC(2026, 0, 31) }],
  ])('is a query that the grammar takes: %s', (_, choice) => {
    for (const marks of [true, false]) {
      for (const website of [true, false]) {
        const conditions = pullConditions(choice, { marks, website });
        for (const afterId of [null, '5725767000000410069']) {
          const text = selectQuery({ module: 'Accounts', columns: ['Website'], conditions, afterId, limit: 10 });
          expect(parseCoql(text)).toMatchObject({ module: 'Accounts', limit: 10 });
        }
      }
    }
  });

  test('leaves the marks of Zia to a condition that names them', () => {
    const where = "Enrich_Status__s = 'Enriched'";
    expect(pullConditions({ ...ALL, where }, { marks: true, website: true })).toEqual([
      '(Website is not null or Account_Name is not null)',
      `(${where})`,
    ]);
    expect(markField({ ...ALL, where })).toBeNull();
  });

  test('is the same choice where Zoho does not filter', () => {
    expect([null, 'Available', 'Enriched', 'Data not found'].map((mark) => isChosen(mark, null))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const before = Date.UTC(2026, 0, 31);
    expect(
      ['2026-01-30T23:00:00+00:00', '2026-01-31T02:00:00+01:00', null].map((mark) => isChosen(mark, before)),
    ).toEqual([true, false, false]);
  });

  test('has each column once, the name by the module', () => {
    const columns = pullColumns({
      ...ALL,
      module: 'Leads',
      missing: ['Industry', 'Website'],
      fields: ['Industry', 'City'],
    });
    expect(columns.map(({ header, field }) => `${header}=${field}`)).toEqual([
      'Company=Company',
      'Website=Website',
      'Email=Email',
      'Industry=Industry',
      'City=City',
    ]);
  });

  test.each([
    [null, ''],
    [undefined, ''],
    [0, '0'],
    [true, 'true'],
    ['=1+1', '=1+1'],
    [{ name: 'Acme', id: '1' }, 'Acme'],
    [{ id: '1' }, '1'],
    [['a', 'b'], 'a;b'],
  ])('shows %j as %j', (value, cell) => {
    expect(cellOf(value)).toBe(cell);
  });
});
