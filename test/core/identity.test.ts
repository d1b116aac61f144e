import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { identityKey } from '../../src/lib/core/identity.js';
import type { Row } from '../../src/lib/core/row.js';

interface GoldenVector {
  readonly title: string;
  readonly row: Row;
  readonly key: string;
}

/** Keys computed apart from this code. Never change one: each change pays for every row again. */
const golden = JSON.parse(
  readFileSync(new URL('golden-identity.json', import.meta.url), 'utf8'),
) as readonly GoldenVector[];

const word = fc.stringMatching(/^[A-Za-z0-9äöüéñ&.'-]{3,12}$/);
const name = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' '));
const host = fc.stringMatching(/^[a-z][a-z0-9-]{1,10}[a-z0-9]\.(example|com|co\.uk)$/);
const path = fc.constantFrom('', '/about', '/de/index.html', '/shop?id=7');
const row: fc.Arbitrary<Row> = fc
  .record({
    name,
    email: host.map((text) => `info@${text}`),
    website: fc.tuple(host, path).map((parts) => parts.join('')),
  })
  .map((fields) => ({ module: 'Accounts', ...fields }));

describe('identityKey', () => {
  test.each(golden.map((vector) => [vector.title, vector] as const))('keeps the key of %s', (_, vector) => {
    expect(identityKey(vector.row)).toBe(vector.key);
  });

  test('is the same however the name is spaced, cased and composed', () => {
    fc.assert(
      fc.property(
        row,
        fc.constantFrom(' ', '  ', '\t', '\u00a0'),
        fc.constantFrom('NFC', 'NFD', 'NFKC'),
        (one, space, form) => {
          const other = one.name?.replaceAll(' ', space).normalize(form).toUpperCase() ?? '';
          expect(identityKey({ ...one, name: other })).toBe(identityKey(one));
        },
      ),
    );
  });

  test('is the same whatever the case of the email', () => {
    fc.assert(
      fc.property(row, (one) => {
        expect(identityKey({ ...one, email: one.email?.toUpperCase() ?? '' })).toBe(identityKey(one));
      }),
    );
  });

  test('is the same with and without scheme, www, default port and trailing slash', () => {
    const start = fc.constantFrom('', 'http://', 'https://', 'HTTP://www.', 'https://WWW.', 'www.');
    fc.assert(
      fc.property(host, path, start, fc.boolean(), fc.boolean(), (site, rest, before, withPort, withSlash) => {
        const port = withPort ? (before.toLowerCase().startsWith('http:') ? ':80' : ':443') : '';
        const slash = withSlash && !rest.includes('?') ? '/' : '';
        const written: Row = { module: 'Accounts', website: `${before}${site}${port}${rest}${slash}` };
        expect(identityKey(written)).toBe(identityKey({ module: 'Accounts', website: `${site}${rest}` }));
      }),
    );
  });

  test('differs when module, record id, name, email, host, path or another port differs', () => {
    fc.assert(
      fc.property(row, (one) => {
        const others: readonly Row[] = [
          one,
          { ...one, module: 'Leads' },
          { ...one, recordId: '57257670' },
          { ...one, recordId: '57257671' },
          { ...one, name: `${one.name} x` },
          { ...one, email: `x${one.email}` },
          { ...one, website: `x${one.website}` },
          { ...one, website: `${one.website}x` },
          { ...one, website: `example.com:8080/${one.website}` },
        ];
        expect(new Set(others.map(identityKey)).size).toBe(others.length);
      }),
    );
  });

  test('differs when a value moves to another field or an absent field appears', () => {
    const text = 'acme.example';
    const rows: readonly Row[] = [
      { module: 'Accounts', name: text },
      { module: 'Accounts', email: text },
      { module: 'Accounts', website: text },
      { module: 'Accounts', name: text, email: text },
      { module: 'Accounts', name: `${text}",null,"${text}` },
      { module: 'Accounts', name: 'null' },
    ];
    expect(new Set(rows.map(identityKey)).size).toBe(rows.length);
  });

  test('begins with a letter and is never all digits, as a job id must be', () => {
    fc.assert(
      fc.property(row, (one) => {
        expect(identityKey(one)).toMatch(/^r1[A-Za-z0-9_-]{22}$/);
      }),
    );
  });
});
