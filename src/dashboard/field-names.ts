import type { MappedField } from '../lib/core/columns.js';

/** What people call the fields that columns are mapped to. */
export const FIELD_NAMES: Readonly<Record<MappedField, string>> = {
  name: 'Company name',
  email: 'Email',
  website: 'Website',
  recordId: 'CRM record id',
};
