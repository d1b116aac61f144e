import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { findColumns, MAPPED_FIELDS, parseMapFlags } from '../../src/lib/core/columns.js';
import { identityKey } from '../../src/lib/core/identity.js';
import { type Candidate, INPUT_FIELDS, parseRow } from '../../src/lib/core/row.js';
import { parsePayload } from '../../src/lib/queues.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';

jest.setTimeout(FUZZ_TIMEOUT_MS);

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  // Halves of characters, NULs, marks of order and direction, letters that change length with their case.
  fc
    .array(fc.constantFrom('\ud83d', '\ude80', '\0', '\uFEFF', '\u202e', 'İ', 'ß', 'ﬁ', 'a', '.', '@', '/', ' '), {
      maxLength: 20,
    })
    .map((parts) => parts.join('')),
  fc.emailAddress(),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
);

describe('header mapping', () => {
  const header = fc.oneof(
    fc.constantFrom('Company', 'E-Mail', 'company name', 'Website', 'URL', 'Record ID', 'name', ''),
    anyText,
  );
  const headers = fc.array(header, { maxLength: 30 });

  test('finds columns that exist, each for one field, or says in one line why not', () => {
    fc.assert(
      fc.property(headers, (given) => {
        const found = findColumns(given, {});
        if (!found.ok) {
          expect(found.message).not.toMatch(/[\p{Cc}\p{Cs}]/u);
          expect(found.message.length).toBeLessThan(5_000);
          return;
        }
        const indexes = Object.values(found.columns);
        expect(new Set(indexes).size).toBe(indexes.length);
        for (const index of indexes) expect(given[index]).toBeDefined();
        expect(INPUT_FIELDS.some((field) => found.columns[field] !== undefined)).toBe(true);
      }),
      fuzz(),
    );
  });

  test('obeys a flag whenever it names a header, whatever the header holds', () => {
    fc.assert(
      fc.property(headers, fc.nat(), fc.constantFrom(...MAPPED_FIELDS), (given, at, field) => {
        const wanted = given[at % Math.max(1, given.length)]?.trim() ?? '';
        fc.pre(wanted !== '');
        const found = findColumns(given, { [field]: wanted });
        if (found.ok) expect(given[found.columns[field] ?? -1]?.trim()).toBe(wanted);
        else expect(found.code).toBe('NO_USABLE_COLUMN');
      }),
      fuzz(),
    );
  });

  test('never throws on flags', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            anyText,
            anyText.map((text) => `name=${text}`),
          ),
          { maxLength: 5 },
        ),
        (flags) => {
          const parsed = parseMapFlags(flags);
          if (!parsed.ok) expect(parsed.message).not.toMatch(/[\p{Cc}\p{Cs}]/u);
        },
      ),
      fuzz(),
    );
  });
});

describe('row validation', () => {
  const value = fc.oneof({ weight: 5, arbitrary: anyText }, fc.anything());
  const candidate = fc.record(
    { module: fc.oneof(fc.constant('Accounts'), value), recordId: value, name: value, email: value, website: value },
    { requiredKeys: [] },
  );

  test('makes of anything a row that can be sent and stored, or a reason', () => {
    fc.assert(
      fc.property(candidate, (given) => {
        // Jobs of other producers hold anything, so the types are no help here.
        const parsed = parseRow(given as unknown as Candidate);
        if (!parsed.ok) {
          expect(parsed.reason).not.toBe('');
          return;
        }
        const { row } = parsed;
        expect(INPUT_FIELDS.some((field) => row[field] !== undefined)).toBe(true);
        for (const field of INPUT_FIELDS) {
          const text = row[field];
          if (text === undefined) continue;
          // Nothing that Zoho, JSON or Postgres would refuse or change.
          expect(text).toBe(text.trim());
          expect(text.isWellFormed()).toBe(true);
          expect(text).not.toMatch(/\p{Cc}/u);
          expect([...text].length).toBeGreaterThanOrEqual(3);
        }
        expect(JSON.parse(JSON.stringify(row))).toEqual(row);
        expect(parseRow(row)).toEqual({ ok: true, row, notes: [] });
        expect(identityKey(row)).toMatch(/^r1[\w-]{22}$/);
      }),
      fuzz(0.2),
    );
  });

  test('gives two rows one key only when people would call them the same', () => {
    // The letters that normalisation folds; all else must stay apart.
    const plain = (text: string | undefined) =>
      text
        ?.normalize('NFKC')
        .toLowerCase()
        .normalize('NFKC')
        .replace(/^https?:\/\//, '')
        .replace(/^www\./, '')
        .replace(/:0*(80|443)(?=$|[/?#])/, '')
        .replace(/\/+$/, '')
        .replace(/\s+/gu, ' ')
        .trim();
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: anyText, email: anyText, website: anyText }), { minLength: 2, maxLength: 8 }),
        (many) => {
          const seen = new Map<string, string>();
          for (const fields of many) {
            const parsed = parseRow({ module: 'Accounts', ...fields });
            if (!parsed.ok) continue;
            const told = JSON.stringify(INPUT_FIELDS.map((field) => plain(parsed.row[field]) ?? null));
            const key = identityKey(parsed.row);
            expect(seen.get(key) ?? told).toBe(told);
            seen.set(key, told);
          }
        },
      ),
      fuzz(),
    );
  });
});

test('a job of any shape is a payload or a reason', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        fc.record({ v: fc.constantFrom(1, 2, '1'), module: fc.anything(), name: fc.anything(), line: fc.anything() }),
      ),
      (data) => {
        const parsed = parsePayload(data);
        if (parsed.ok) expect(parsed.value.v).toBe(1);
        else expect(parsed.message).not.toBe('');
      },
    ),
    fuzz(),
  );
});
