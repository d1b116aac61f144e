import { describe, expect, test } from '@jest/globals';
import {
  isPlaceholderEmail,
  isPlaceholderValue,
  isPlaceholderWebsite,
  PLACEHOLDER_HOSTS,
  PLACEHOLDER_VALUES,
} from '../../src/lib/core/placeholders.js';
import { parseRow } from '../../src/lib/core/row.js';

const rowOf = (fields: { name?: string; email?: string; website?: string }) =>
  parseRow({ module: 'Accounts', website: 'acme.example', ...fields });

describe('placeholders', () => {
  test.each(PLACEHOLDER_VALUES)('%j is no name, however it is written', (value) => {
    for (const written of [value, value.toUpperCase(), `(${value})`, ` - ${value} - `, `${value}.`, `[${value}]`])
      expect([written, isPlaceholderValue(written)]).toEqual([written, true]);
  });

  test('the table has each value once, as it is compared', () => {
    expect(PLACEHOLDER_VALUES.filter((value, at) => PLACEHOLDER_VALUES.indexOf(value) !== at)).toEqual([]);
  });

  test.each(PLACEHOLDER_HOSTS)('%s is no website and gives no address', (host) => {
    expect(isPlaceholderWebsite(`https://www.${host}/en`)).toBe(true);
    expect(isPlaceholderEmail(`info@${host}`)).toBe(true);
  });

  test.each([
    'Count: 2',
    'Grand Totals (2 records)',
    'test 3',
    'Test12',
    'Test Company 4',
    'Loading...',
    '<NA>',
    'N.A.',
  ])('%j is no name', (value) => {
    expect(isPlaceholderValue(value)).toBe(true);
  });

  test.each([
    ...['None Such Records', 'Null & Sons', 'Test Valley Motors', 'Unknown Worlds', 'NA Brands Inc', 'TotalEnergies'],
    ...[
      'Testo SE',
      'Nill & Partners',
      'Blank Rome LLP',
      'Private Eye',
      'Various Artists GmbH',
      'Sample & Son',
      'Example Ltd',
    ],
    ...[
      'Error Media',
      'Other World Computing',
      'Company of Heroes',
      'The Test Kitchen',
      'No Name Foods',
      'Student Universe',
    ],
    ...['Retired Racehorse Project', 'Count Basie Ltd', 'Sum Up', 'Foo Fighters', 'Bar Keepers', 'Nothing Technology'],
    ...[
      'Geen Problemen BV',
      'Privatbank',
      'Keine Sorgen Versicherung',
      'Leerdam',
      'Selfridges',
      'Demo Records',
      'Total Wine & More',
    ],
  ])('%j is a name', (name) => {
    expect(rowOf({ name })).toMatchObject({ row: { name }, notes: [] });
  });

  test.each([
    'a@a.com',
    'no@email.com',
    'n/a@n/a.com',
    'none@none.com',
    'test@test.de',
    'x@y.zz',
    'noemail@noemail.org',
  ])('%s is nobody’s address', (email) => {
    expect(rowOf({ email })).toMatchObject({ notes: [{ field: 'email', problem: 'PLACEHOLDER' }] });
  });

  test.each([
    'rossi@rossi.it',
    'smith@smith.example',
    'info@test-valley.example',
    'test@acme.example',
    'a@acme.example',
  ])('%s is somebody’s address', (email) => {
    expect(rowOf({ email })).toMatchObject({ row: { email }, notes: [] });
  });

  test.each(['null.null', 'na.na', 'none.none', 'http://none.com', 'www.test.com'])('%s is no website', (website) => {
    expect(rowOf({ name: 'Acme', website })).toMatchObject({ notes: [{ field: 'website', problem: 'PLACEHOLDER' }] });
  });

  test.each(['none-such.example', 'test-valley.example', 'nullundnichtig.example', 'shop.example.com', 'total.com'])(
    '%s is a website',
    (website) => {
      expect(rowOf({ website })).toMatchObject({ row: { website }, notes: [] });
    },
  );
});
