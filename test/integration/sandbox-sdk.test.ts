import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { openSandbox } from '../support/sandbox.js';
import { withScratch } from '../support/scratch.js';
import { setup } from '../support/setup.js';

const run = promisify(execFile);
const SDK = join(process.cwd(), 'node_modules/@zohocrm/typescript-sdk-7.0');

// The SDK's data centers are constants, but they are only instances of its `Environment`, which takes any address,
// plain http included; an `api_domain` it does not know leaves that environment in place. It keeps tokens in files
// and its state in module variables, so it runs in a process and a folder of its own.
const SDK_PROGRAM = `
  const [, , sdk, url, folder] = process.argv;
  const { Coql, Environment, EnrichmentOrgZia: Zia, FileStore, InitializeBuilder, OAuthBuilder, ParameterMap } = require(sdk);
  async function main() {
    const token = new OAuthBuilder()
      .clientId('sandbox').clientSecret('sandbox').refreshToken('sandbox').findUser(false).build();
    await new InitializeBuilder()
      .environment(new Environment(url, url + '/oauth/v2/token', url))
      .token(token).store(new FileStore(folder + '/tokens.csv')).resourcePath(folder).initialize();
    const operations = new Zia.ZiaOrgEnrichmentOperations();

    const values = new Zia.EnrichBasedOn();
    values.setName('Zylker');
    values.setEmail('info@zylker.example');
    values.setWebsite('www.zylker.example');
    const element = new Zia.ZiaOrgEnrichment();
    element.setEnrichBasedOn(values);
    const body = new Zia.BodyWrapper();
    body.setZiaorgenrichment([element]);
    const createParams = new ParameterMap();
    await createParams.add(Zia.CreateZiaOrgEnrichmentParam.MODULE, 'Accounts');
    const created = await operations.createZiaOrgEnrichment(body, createParams);
    const action = created.getObject().getZiaorgenrichment()[0];
    const id = action.getDetails().get('id');

    const listParams = new ParameterMap();
    await listParams.add(Zia.GetZiaOrgEnrichmentsParam.PER_PAGE, 10);
    const listed = await operations.getZiaOrgEnrichments(listParams);
    const [item] = listed.getObject().getZiaorgenrichment();

    const got = await operations.getZiaOrgEnrichment(BigInt(id));
    const [detail] = got.getObject().getZiaorgenrichment();
    const unknown = await operations.getZiaOrgEnrichment(BigInt('999999999999999999'));

    const question = new Coql.BodyWrapper();
    question.setSelectQuery("select Account_Name, Website from Accounts where (Website is not null) order by id asc limit 0, 2");
    const queried = await new Coql.CoqlOperations().getRecords(question);
    const records = queried.getObject().getData();

    console.log(JSON.stringify({
      queried: {
        status: queried.getStatusCode(), moreRecords: queried.getObject().getInfo().getMoreRecords(),
        records: records.map((record) => [String(record.getId()), record.getKeyValue('Account_Name')]),
      },
      created: {
        status: created.getStatusCode(), kind: action.constructor.name, code: action.getCode().getValue(), id: String(id),
      },
      listed: {
        status: listed.getStatusCode(), id: String(item.getId()), state: item.getStatus(),
        moreRecords: listed.getObject().getInfo().getMoreRecords(),
      },
      got: {
        status: got.getStatusCode(), id: String(detail.getId()), website: detail.getEnrichBasedOn().getWebsite(),
        industries: detail.getEnrichedData().getIndustries().length,
        country: typeof detail.getEnrichedData().getAddress()[0].getCountry(),
      },
      unknown: unknown.getStatusCode(),
    }));
  }
  main().catch((error) => { console.error(error); process.exit(1); });
`;

test("Zoho's own SDK refreshes its token, schedules, lists and reads an enrichment", async () => {
  await using t = setup();
  const sandbox = await openSandbox(t, { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 });
  const answers = await withScratch(async (folder) => {
    const program = join(folder, 'program.cjs');
    await writeFile(program, SDK_PROGRAM);
    const { stdout } = await run(process.execPath, [program, SDK, sandbox.url, folder], { cwd: folder });
    return JSON.parse(stdout);
  });

  const [enrichment] = sandbox.enrichments();
  expect(answers).toEqual({
    created: { status: 202, kind: 'SuccessResponse', code: 'SCHEDULED', id: enrichment?.id },
    listed: { status: 200, id: enrichment?.id, state: 'COMPLETED', moreRecords: false },
    got: { status: 200, id: enrichment?.id, website: 'www.zylker.example', industries: 1, country: 'string' },
    unknown: 204,
    queried: {
      status: 200,
      moreRecords: true,
      records: [
        ['5725767000000410069', 'Harbour 0 Trading'],
        ['5725767000000410086', 'Harbour 1 Trading "and" Sons, Ltd'],
      ],
    },
  });
  expect(enrichment?.sent).toEqual({
    module: 'Accounts',
    name: 'Zylker',
    email: 'info@zylker.example',
    website: 'www.zylker.example',
  });
  expect(sandbox.log().map(({ kind }) => kind)).toEqual(['token', 'post', 'list', 'get', 'get', 'coql']);
});
