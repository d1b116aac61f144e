import { describe, expect, test } from '@jest/globals';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { LedgerEntry, SentFields } from '../../src/lib/core/ledger.js';
import { compareWithZoho, isEchoOf, type Orphan } from '../../src/lib/core/reconcile.js';

const SENT_AT = 1_000_000;
const entry = (sent: Partial<SentFields>, over: Partial<LedgerEntry> = {}): LedgerEntry => ({
  state: 'uncertain',
  callId: 'w.1',
  sentAtMs: SENT_AT,
  sent: { module: 'Accounts', ...sent },
  sends: 1,
  ...over,
});
const rows = (entries: Record<string, LedgerEntry>) =>
  new Map(Object.entries(entries)) as Map<IdentityKey, LedgerEntry>;
const orphan = (id: string, echo: Orphan['echo'], createdAtMs = SENT_AT + 500): Orphan => ({
  id: id as EnrichmentId,
  createdAtMs,
  echo,
});
const summary = (findings: ReturnType<typeof compareWithZoho>) =>
  Object.fromEntries(findings.map((finding) => [finding.key, finding.kind === 'found' ? finding.id : finding.kind]));

describe('an uncertain row', () => {
  test('is found when one enrichment echoes exactly what was sent', () => {
    const found = compareWithZoho(rows({ a: entry({ name: 'Acme' }) }), rows({}), [
      orphan('1', { name: 'Acme', email: 'x@acme.example' }),
      orphan('2', { name: 'Acme', email: null, website: '' }),
    ]);
    expect(summary(found)).toEqual({ a: '2' });
  });

  test('is missing when nothing matches, or only an enrichment made before it was sent', () => {
    const doubt = rows({ a: entry({ name: 'Acme' }) });
    expect(summary(compareWithZoho(doubt, rows({}), [orphan('1', { name: 'Acme Ltd' })]))).toEqual({ a: 'missing' });
    expect(summary(compareWithZoho(doubt, rows({}), [orphan('1', { name: 'Acme' }, SENT_AT - 60_000)]))).toEqual({
      a: 'missing',
    });
  });

  test('is found within the tolerance of clocks that show whole seconds', () => {
    const found = compareWithZoho(rows({ a: entry({ name: 'Acme' }) }), rows({}), [
      orphan('1', { name: 'Acme' }, SENT_AT - 999),
    ]);
    expect(summary(found)).toEqual({ a: '1' });
  });

  test('takes the earliest of several matches', () => {
    const found = compareWithZoho(rows({ a: entry({ name: 'Acme' }) }), rows({}), [
      orphan('late', { name: 'Acme' }, SENT_AT + 9_000),
      orphan('early', { name: 'Acme' }, SENT_AT + 100),
    ]);
    expect(summary(found)).toEqual({ a: 'early' });
  });

  test('waits while another row with the same values is being sent, but only when something matches', () => {
    const doubt = rows({ a: entry({ name: 'Acme' }) });
    const sending = rows({ b: entry({ name: 'Acme', recordId: '5' }, { state: 'sending' }) });
    expect(summary(compareWithZoho(doubt, sending, [orphan('1', { name: 'Acme' })]))).toEqual({ a: 'unclear' });
    expect(summary(compareWithZoho(doubt, sending, []))).toEqual({ a: 'missing' });
  });
});

describe('several uncertain rows with the same values', () => {
  const doubts = rows({
    a: entry({ name: 'Acme', recordId: '1' }),
    b: entry({ name: 'Acme', recordId: '2' }),
    c: entry({ name: 'Other' }),
  });

  test('are ambiguous when something matches, however many matches there are', () => {
    const one = [orphan('1', { name: 'Acme' })];
    expect(summary(compareWithZoho(doubts, rows({}), one))).toEqual({ a: 'ambiguous', b: 'ambiguous', c: 'missing' });
    expect(summary(compareWithZoho(doubts, rows({}), [...one, orphan('2', { name: 'Acme' })]))).toMatchObject({
      a: 'ambiguous',
      b: 'ambiguous',
    });
  });

  test('are all missing when nothing matches', () => {
    expect(summary(compareWithZoho(doubts, rows({}), []))).toEqual({ a: 'missing', b: 'missing', c: 'missing' });
  });
});

test('an echo equals what was sent only to the letter', () => {
  const sent = { module: 'Accounts', recordId: '7', name: 'Ácme', website: 'https://acme.example' };
  expect(isEchoOf({ name: 'Ácme', website: 'https://acme.example', email: null }, sent)).toBe(true);
  expect(isEchoOf({ name: 'Acme', website: 'https://acme.example' }, sent)).toBe(false);
  expect(isEchoOf({ name: 'Ácme' }, sent)).toBe(false);
});
