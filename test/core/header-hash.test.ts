import { expect, test } from '@jest/globals';
import { headerHash } from '../../src/lib/csv/header-hash.js';

test('an export and a file of rejects have the header row of the file they came from', () => {
  const plain = headerHash(['Company', 'Website']);
  expect(headerHash(['Company', 'Website', 'zia_status', 'zia_error', 'zia_industry'])).toBe(plain);
  expect(headerHash(['Company', 'Website', 'zia_line', 'zia_error_code', 'zia_error'])).toBe(plain);
});

test('columns of the user are told apart, also those that begin with zia_', () => {
  const plain = headerHash(['Company', 'Website']);
  expect(headerHash(['Company', 'Website', 'Zia_Owner'])).not.toBe(plain);
  expect(headerHash(['Website', 'Company'])).not.toBe(plain);
});
