import { describe, expect, test } from '@jest/globals';
import { openSandbox } from '../support/sandbox.js';
import { at, basedOn, openCaller, RESOURCE, type SandboxCaller } from '../support/sandbox-caller.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const AT_ONCE = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 };

async function scheduleMany(caller: SandboxCaller, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) ids.push(await caller.schedule(`Company ${index}`));
  return ids;
}

const idsIn = (body: unknown): unknown[] => {
  const items = at(body, RESOURCE);
  return Array.isArray(items) ? items.map((item) => at(item, 'id')) : [];
};

describe('the list', () => {
  test('is 204 without a body when there is nothing', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t));
    expect(await caller.get(RESOURCE)).toMatchObject({ status: 204, body: undefined });
  });

  test('pages through everything newest first, each once, and says when there is more', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, AT_ONCE));
    const ids = await scheduleMany(caller, 25);

    const pages = [];
    for (const page of [1, 2, 3]) pages.push(await caller.get(`${RESOURCE}?page=${page}&per_page=10&sort_order=desc`));

    expect(pages.flatMap(({ body }) => idsIn(body))).toEqual(ids.toReversed());
    expect(pages.map(({ body }) => at(body, 'info'))).toEqual([
      { per_page: 10, count: 10, page: 1, more_records: true },
      { per_page: 10, count: 10, page: 2, more_records: true },
      { per_page: 10, count: 5, page: 3, more_records: false },
    ]);
    expect(await caller.get(`${RESOURCE}?page=4&per_page=10`)).toMatchObject({ status: 204 });
    expect(idsIn((await caller.get(`${RESOURCE}?sort_order=asc&per_page=10`)).body)).toEqual(ids.slice(0, 10));
  });

  test('holds at most 100 entries a page, of four fields that do not tell what was sent', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, AT_ONCE));
    await scheduleMany(caller, 101);
    const { body } = await caller.get(`${RESOURCE}?per_page=200`);
    expect(idsIn(body)).toHaveLength(100);
    expect(at(body, RESOURCE, 0)).toEqual({
      id: expect.stringMatching(/^\d{19}$/),
      status: 'COMPLETED',
      created_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      created_by: { id: expect.any(String), name: expect.any(String) },
    });
  });

  test('can be filtered by status', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, AT_ONCE));
    await caller.schedule('Zylker');
    const missing = await caller.schedule('Zylker notfound');
    expect(idsIn((await caller.get(`${RESOURCE}?status=DATA_NOT_FOUND`)).body)).toEqual([missing]);
    expect(await caller.get(`${RESOURCE}?status=FAILED`)).toMatchObject({ status: 204 });
  });

  test.each(['status=DONE', 'sort_by=name', 'sort_order=up'])(
    'refuses %s and names what it supports',
    async (query) => {
      await using t = setup();
      const caller = await openCaller(await openSandbox(t));
      expect(await caller.get(`${RESOURCE}?${query}`)).toMatchObject({
        status: 400,
        body: { code: 'INVALID_DATA', details: { param: query.split('=')[0], supported_values: expect.any(Array) } },
      });
    },
  );

  test('tells times by the shifted clock that its Date header shows', async () => {
    await using t = setup();
    const hourMs = 3_600_000;
    const caller = await openCaller(await openSandbox(t, { clockOffsetMs: hourMs }));
    await caller.schedule('Zylker');
    const { body, headers } = await caller.get(RESOURCE);
    const told = [headers.get('date'), at(body, RESOURCE, 0, 'created_time')].map((time) => Date.parse(String(time)));
    for (const timeMs of told) expect(Math.abs(timeMs - Date.now() - hourMs)).toBeLessThan(10_000);
  });
});

describe('one enrichment', () => {
  test('is SCHEDULED, then RUNNING, then COMPLETED with data and the echo of what was sent', async () => {
    await using t = setup();
    const sandbox = await openSandbox(t, { ...AT_ONCE, completeAfterMs: 60_000 });
    const caller = await openCaller(sandbox);
    const sent = { name: 'Zylker', email: 'info@zylker.example', website: 'www.zylker.example' };
    const id = String(at((await caller.post(basedOn(sent))).body, RESOURCE, 0, 'details', 'id'));
    const read = async () => at((await caller.get(`${RESOURCE}/${id}`)).body, RESOURCE, 0);

    expect(await read()).toEqual({ id, status: 'SCHEDULED', enrich_based_on: sent, enriched_data: null });
    sandbox.configure({ completeAfterMs: 400 });
    await waitFor(async () => at(await read(), 'status') === 'RUNNING', { what: 'RUNNING' });
    const done = await waitFor(async () => {
      const value = await read();
      return at(value, 'status') === 'COMPLETED' && value;
    });
    expect(done).toMatchObject({ id, enrich_based_on: sent });
    expect(at(done, 'enriched_data')).toMatchObject({
      website: 'https://zylker.example',
      address: [{ country: expect.any(String), fill_address: expect.any(String) }],
      industries: [{ name: expect.any(String) }],
      social_media: [{ media_type: 'LINKEDIN', media_url: [expect.any(String)] }, expect.anything()],
    });
    expect(await read()).toEqual(done);
  });

  test.each([
    ['notfound', 'DATA_NOT_FOUND'],
    ['enrichfail', 'FAILED'],
  ])('whose name holds %s ends as %s without data', async (word, status) => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, AT_ONCE));
    const id = await caller.schedule(`Zylker ${word}`);
    const { body } = await caller.get(`${RESOURCE}/${id}`);
    expect(at(body, RESOURCE, 0)).toMatchObject({ status, enriched_data: null });
  });

  test.each(['999999999999999999', 'no-id', '%'])('of the unknown id %s is 204, not 404', async (id) => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t));
    expect(await caller.get(`${RESOURCE}/${id}`)).toMatchObject({ status: 204, body: undefined });
  });

  test('of an org without the feature is refused in the array, the list in the bare object', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, { featureEnabled: false }));
    const code = 'FEATURE_NOT_ENABLED';
    expect(await caller.get(`${RESOURCE}/1`)).toMatchObject({ status: 400, body: { [RESOURCE]: [{ code }] } });
    expect(await caller.get(RESOURCE)).toMatchObject({ status: 400, body: { code } });
  });

  test('comes out the same on every run, some of it with a cell a spreadsheet would run', async () => {
    await using t = setup();
    const runs = [];
    for (const sandbox of [await openSandbox(t, AT_ONCE), await openSandbox(t, AT_ONCE)]) {
      const caller = await openCaller(sandbox);
      const names = [];
      for (const id of await scheduleMany(caller, 60)) {
        names.push(at((await caller.get(`${RESOURCE}/${id}`)).body, RESOURCE, 0, 'enriched_data', 'name'));
      }
      runs.push(names);
    }
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.some((name) => String(name).startsWith('='))).toBe(true);
  });
});

describe('the account', () => {
  test('tells its configuration with unmapped fields as null', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, { unmapped: ['email'] }));
    const { body } = await caller.get('settings/zia/data_enrichment');
    const configurations = at(body, 'data_enrichment');
    expect(configurations).toContainEqual(
      expect.objectContaining({
        type: 'organization',
        status: true,
        module: expect.objectContaining({ api_name: 'Accounts' }),
        input_data_field_mapping: [
          expect.objectContaining({ enrich_field: expect.objectContaining({ name: 'org_name' }) }),
          { enrich_field: expect.objectContaining({ name: 'email' }), crm_field: null },
          expect.objectContaining({ enrich_field: expect.objectContaining({ name: 'org_website' }) }),
        ],
      }),
    );
  });

  test('tells what is left of the quota', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, { quota: 3 }));
    await caller.schedule('Zylker');
    const { body } = await caller.get('__features/data_enrichment');
    expect(at(body, '__features', 0, 'details')).toEqual({
      limits: { total: 3, edition_limit: 3 },
      used_count: { total: 1 },
      available_count: { total: 2 },
    });
  });

  test('tells edition and users', async () => {
    await using t = setup();
    const caller = await openCaller(await openSandbox(t, { edition: 'ultimate', users: 7 }));
    expect(at((await caller.get('org')).body, 'org', 0, 'license_details')).toMatchObject({ paid_type: 'ultimate' });
    expect((await caller.get('users/actions/count?type=ActiveConfirmedUsers')).body).toEqual({ count: 7 });
    const { body } = await caller.get('__features/user_licenses');
    expect(at(body, '__features', 0, 'details', 'limits', 'total')).toBe(7);
  });

  test.each([
    ['settings/zia/data_enrichment', 'ZohoCRM.Zia.enrichment.READ'],
    ['__features/data_enrichment', 'ZohoCRM.features.READ'],
    ['org', 'ZohoCRM.org.READ'],
    ['users/actions/count', 'ZohoCRM.users.READ'],
    [RESOURCE, 'ZohoCRM.settings.intelligence.READ'],
  ])('%s needs the scope %s and no other', async (path, scope) => {
    await using t = setup();
    const sandbox = await openSandbox(t, { scopes: [] });
    const caller = await openCaller(sandbox);
    expect(await caller.get(path)).toMatchObject({ status: 401, body: { code: 'OAUTH_SCOPE_MISMATCH' } });
    sandbox.configure({ scopes: [scope] });
    expect([200, 204]).toContain((await caller.get(path)).status);
  });
});
