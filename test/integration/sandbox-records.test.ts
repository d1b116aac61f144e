import { describe, expect, test } from '@jest/globals';
import { openSandbox } from '../support/sandbox.js';
import { at, basedOn, openCaller } from '../support/sandbox-caller.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

async function open(options: Parameters<typeof openSandbox>[1] = {}) {
  const t = setup();
  const sandbox = await openSandbox(t, { completeAfterMs: 0, notFoundShare: 0, failedShare: 0, ...options });
  const caller = await openCaller(sandbox);
  return { t, sandbox, caller, query: (text: unknown) => caller.postTo('coql', { select_query: text }) };
}

describe('a COQL query', () => {
  test('pages by id, each record once, in order', async () => {
    const { t, query } = await open({ records: 25 });
    await using _ = t;
    const seen: unknown[] = [];
    for (let last = '0'; ; ) {
      const { status, body } = await query(
        `select Account_Name from Accounts where id > '${last}' order by id limit 10`,
      );
      if (status === 204) break;
      const ids = (at(body, 'data') as { id: string }[]).map(({ id }) => id);
      seen.push(...ids);
      last = ids.at(-1) ?? '';
      expect(at(body, 'info')).toEqual({ count: ids.length, more_records: seen.length < 25 });
    }
    expect(seen).toHaveLength(25);
    expect(seen).toEqual(seen.toSorted());
    expect(new Set(seen).size).toBe(25);
  });

  test.each([
    ['Industry is null and Website is not null', (one: Row) => one.Industry === null && one.Website !== null],
    ['(Industry is null) or (Phone is null)', (one: Row) => one.Industry === null || one.Phone === null],
    [
      "((Industry = 'logistics') and (Annual_Revenue >= 50000)) and (Phone is not null)",
      (one: Row) => one.Industry === 'Logistics' && Number(one.Annual_Revenue ?? -1) >= 50_000 && one.Phone !== null,
    ],
    ["Enrich_Status__s not in ('Enriched', 'Available')", (one: Row) => one.Enrich_Status__s === 'Data not found'],
    ["Account_Name like '%and%'", (one: Row) => String(one.Account_Name).includes('and')],
    [
      'Annual_Revenue between 2000 and 8000',
      (one: Row) => Number(one.Annual_Revenue ?? -1) >= 2_000 && Number(one.Annual_Revenue) <= 8_000,
    ],
    [
      "Created_Time < '2025-01-06T00:30:00+00:00'",
      (one: Row) => Date.parse(String(one.Created_Time)) < Date.UTC(2025, 0, 6, 0, 30),
    ],
  ])('where %s', async (where, isWanted) => {
    const { t, query } = await open({ records: 120 });
    await using _ = t;
    const columns = 'Account_Name, Website, Phone, Industry, Annual_Revenue, Enrich_Status__s, Created_Time';
    const rows = async (condition: string) =>
      at(
        (await query(`select ${columns} from Accounts where ${condition} order by id asc limit 0, 2000`)).body,
        'data',
      ) as Row[];
    const all = await rows('id is not null');
    const expected = all.filter(isWanted);
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(all.length);
    expect(await rows(where)).toEqual(expected);
    expect(at((await query(`select COUNT(id) from Accounts where ${where}`)).body, 'data', 0, 'COUNT(id)')).toBe(
      expected.length,
    );
  });

  test.each([
    ['select id from Accounts', 'SYNTAX_ERROR', { clause: 'where' }],
    ['select id from Accounts where a = 1 and b = 2 and c = 3', 'SYNTAX_ERROR', { near: 'and' }],
    ['select id from Accounts where id ~ 3', 'SYNTAX_ERROR', { near: '~ 3' }],
    ['select id from Nope where id is not null', 'INVALID_MODULE', { module: 'Nope' }],
    ['select Nope from Accounts where id is not null', 'INVALID_QUERY', { column_name: 'Nope' }],
    ['select id from Accounts where Email is null', 'INVALID_QUERY', { column_name: 'Email' }],
    ["select id from Accounts where Description = 'x'", 'INVALID_QUERY', { column_name: 'Description' }],
    ['select id from Accounts where id is not null limit 2001', 'INVALID_QUERY', { limit: 2_000 }],
    ['select id from Accounts where id is not null order by id, id', 'DUPLICATE_DATA', { column_name: 'id' }],
    [17, 'MANDATORY_NOT_FOUND', { api_name: 'select_query' }],
  ])('%s is refused', async (text, code, details) => {
    const { t, query } = await open({ records: 3 });
    await using _ = t;
    expect(await query(text)).toMatchObject({ status: 400, body: { code, details } });
  });

  test('needs the scope of queries and that of the module', async () => {
    const { t, sandbox, query } = await open({ records: 3 });
    await using _ = t;
    const text = 'select id from Accounts where id is not null';
    for (const scopes of [
      ['ZohoCRM.modules.READ'],
      ['ZohoCRM.coql.READ'],
      ['ZohoCRM.coql.READ', 'ZohoCRM.modules.leads.READ'],
    ]) {
      sandbox.configure({ scopes });
      expect(await query(text)).toMatchObject({ status: 401, body: { code: 'OAUTH_SCOPE_MISMATCH' } });
    }
    sandbox.configure({ scopes: ['ZohoCRM.coql.READ', 'ZohoCRM.modules.accounts.READ'] });
    expect((await query(text)).status).toBe(200);
  });
});

type Row = Readonly<Record<string, string | number | null>>;

test('Zia writes to the record of a finished enrichment, and marks it', async () => {
  const { t, caller, query } = await open({ records: 1 });
  await using _ = t;
  const read = async () =>
    at(
      (await query('select Industry, Enrich_Status__s, Last_Enriched_Time__s from Accounts where id is not null')).body,
      'data',
      0,
    );
  const before = await read();
  expect(before).toMatchObject({ Industry: null, Last_Enriched_Time__s: null });
  await caller.post(basedOn({ name: 'Harbour 0 Trading' }), `module=Accounts&record_id=${String(at(before, 'id'))}`);
  await waitFor(async () => at(await read(), 'Enrich_Status__s') === 'Enriched', { what: 'Zia to write' });
  expect(await read()).toMatchObject({ Industry: expect.any(String), Last_Enriched_Time__s: expect.any(String) });
});
