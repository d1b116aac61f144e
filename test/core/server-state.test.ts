import { describe, expect, test } from '@jest/globals';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { LedgerEntry } from '../../src/lib/core/ledger.js';
import { changeLed, changeOver, lookableAtMs, serverMet, strayFindings } from '../../src/lib/core/server-state.js';

describe('a change of server', () => {
  const before = serverMet('old', 1_000, false);
  const led = changeLed(before, 'new', 'w1', 2_000, 500);

  test('is led by one worker at a time, and its beginning stays', () => {
    expect(led?.change).toEqual({ runId: 'new', sinceMs: 2_000, leader: { holder: 'w1', untilMs: 2_500 } });
    if (led === undefined) return;
    expect(changeLed(led, 'new', 'w2', 2_400, 500)).toBeUndefined();
    expect(changeLed(led, 'new', 'w2', 2_600, 500)?.change).toMatchObject({ sinceMs: 2_000, leader: { holder: 'w2' } });
  });

  test('during a change starts anew', () => {
    expect(changeLed(led ?? before, 'third', 'w2', 2_100, 500)?.change).toMatchObject({
      runId: 'third',
      sinceMs: 2_100,
    });
  });

  test('may be looked into when no lost claim can reach Zoho any more, at once on a durable server', () => {
    expect(lookableAtMs(led ?? before, 10_000)).toBe(12_000);
    expect(lookableAtMs({ ...(led ?? before), durable: true }, 10_000)).toBe(2_000);
  });

  test('is over when its leader says so', () => {
    expect(changeOver(led ?? before, 'w2', 9_000, true)).toBeUndefined();
    expect(changeOver(before, 'w1', 9_000, true)).toBeUndefined();
    expect(changeOver(null, 'w1', 9_000, true)).toBeUndefined();
    expect(changeOver(led ?? before, 'w1', 9_000, true)).toEqual(serverMet('new', 9_000, true));
  });
});

describe('an enrichment that nobody owns', () => {
  const stray = (id: string, name: string) => ({ id: id as EnrichmentId, createdAtMs: 5, echo: { name } });
  const row = (key: string, name: string, recordId?: string) => ({
    key: key as IdentityKey,
    sent: { module: 'M', name, ...(recordId === undefined ? {} : { recordId }) },
  });
  const kinds = (...args: Parameters<typeof strayFindings>) =>
    strayFindings(...args).map((finding) => [
      finding.kind,
      finding.kind === 'keep' ? finding.stray.id : finding.row.key,
    ]);

  test('belongs to the only row with its values', () => {
    expect(kinds([stray('1', 'A')], [row('a', 'A'), row('b', 'B')], [])).toEqual([['adopt', 'a']]);
  });

  test('is kept when no row has its values, or the row has one already', () => {
    expect(kinds([stray('1', 'C')], [row('a', 'A')], [])).toEqual([['keep', '1']]);
    expect(kinds([stray('1', 'A'), stray('2', 'A')], [row('a', 'A')], [])).toEqual([
      ['adopt', 'a'],
      ['keep', '2'],
    ]);
  });

  test('holds all rows that only module or record id tell apart', () => {
    expect(kinds([stray('1', 'A')], [row('a', 'A', '1'), row('b', 'A', '2')], [])).toEqual([
      ['hold', 'a'],
      ['hold', 'b'],
    ]);
  });

  test('holds the row when an open entry of the ledger has the same values', () => {
    const open = { state: 'uncertain', sent: { module: 'M', name: 'A', recordId: '9' } } as LedgerEntry;
    expect(kinds([stray('1', 'A')], [row('a', 'A', '1')], [open])).toEqual([['hold', 'a']]);
  });
});
