import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { aliasesOf, type Fit, fitOf, traitsOf } from '../../src/lib/core/other-columns.js';
import type { Row } from '../../src/lib/core/row.js';

const row = (fields: Omit<Row, 'module'>, module = 'Accounts'): Row => ({ module, ...fields });
const N = 'Acme Ltd';
const E = 'info@acme.example';
const W = 'https://www.acme.example/';

describe('fitOf', () => {
  test.each<[string, Omit<Row, 'module'>, Omit<Row, 'module'>, Fit]>([
    ['the email left out', { name: N, website: W }, { name: N, email: E, website: W }, 'sure'],
    ['another email', { name: N, email: 'x@acme.example', website: W }, { name: N, email: E, website: W }, 'sure'],
    ['an email added', { name: N, email: E, website: W }, { name: N, website: W }, 'sure'],
    ['the website left out', { name: N, email: E }, { name: N, email: E, website: W }, 'name'],
    ['the website added', { name: N, email: E, website: W }, { name: N, email: E }, 'name'],
    ['the name left out', { email: E, website: W }, { name: N, email: E, website: W }, 'sure'],
    ['the name added', { name: N, website: W }, { website: W }, 'sure'],
    ['nothing but the name on both sides', { name: N }, { name: N }, 'name'],
    ['other spelling', { name: ' ACME  ltd', website: 'acme.example' }, { name: N, website: W }, 'sure'],
    ['another name', { name: 'Other', website: W }, { name: N, website: W }, 'none'],
    ['another website', { name: N, website: 'other.example' }, { name: N, website: W }, 'none'],
    ['no name or website in both', { name: N }, { website: W }, 'none'],
    ['the email alone', { email: E }, { email: E, name: N }, 'none'],
    ['a record id since', { name: N, website: W, recordId: '5000000000001' }, { name: N, website: W }, 'sure'],
    ['no record id any more', { name: N, website: W }, { name: N, website: W, recordId: '5000000000001' }, 'sure'],
    ['another record id', { name: N, recordId: '5000000000002' }, { name: N, recordId: '5000000000001' }, 'none'],
    ['the same record id', { name: N, recordId: '5000000000001' }, { name: N, recordId: '5000000000001' }, 'sure'],
    ['the record id alone', { email: E, recordId: '5000000000001' }, { name: N, recordId: '5000000000001' }, 'none'],
  ])('%s', (_, a, b, fit) => {
    expect(fitOf(traitsOf(row(a)), traitsOf(row(b)))).toBe(fit);
    expect(fitOf(traitsOf(row(b)), traitsOf(row(a)))).toBe(fit);
  });

  test('rows of two modules never fit', () => {
    expect(fitOf(traitsOf(row({ name: N, website: W })), traitsOf(row({ name: N, website: W }, 'Leads')))).toBe('none');
  });

  test('rows that fit are found by an alias that both have', () => {
    const some = (values: readonly string[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
    const fields = fc
      .record({
        name: some(['A b', 'a B', 'c']),
        website: some(['a.de', 'b.de']),
        recordId: some(['1', '2']),
        email: some([E]),
      })
      .map((values) => JSON.parse(JSON.stringify({ module: 'Accounts', ...values })) as Row);
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        const [one, other] = [traitsOf(a), traitsOf(b)];
        fc.pre(fitOf(one, other) !== 'none');
        expect(aliasesOf(one).some((alias) => aliasesOf(other).includes(alias))).toBe(true);
      }),
    );
  });
});
