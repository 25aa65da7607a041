import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePrices } from '../../../src/gateway/ledger/price-file.js';
import { usageCsv } from '../../../src/gateway/ledger/usage-report.js';
import { parseUsageRequest } from '../../../src/gateway/ledger/usage-request.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { bearer, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const values = (shape: readonly number[]) => encodeTensor(f32(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5)), 'f32');

describe('GET /v1/usage', () => {
  let dir: string;
  let running: TestGateway;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-prices-'));
    await writeFile(join(dir, 'prices.yaml'), 'currency: EUR\nmodels:\n  "*": { forward: 1000, backward: 2000, gigabyte: 0.5 }\n');
    running = await startTestGateway({ start: { prices: join(dir, 'prices.yaml') } });
    const metadata = bearer(await running.token());
    const calls = splitCalls(running.connect());
    const backboneDigest = running.gateway.backboneDigest;
    const request = {
      stepId: 's',
      backboneDigest,
      hiddenStates: values([2, 4, 8]),
      lengths: [4, 3],
      softPrompt: values([3, 8]),
      training: true,
    };
    // A retry of each call counts nothing, nor does a forward that is sent again.
    for (let n = 0; n < 2; n++) {
      await calls.forward(request, metadata);
      for (let m = 0; m < 2; m++) await calls.backward({ stepId: 's', cotangent: values([11, 8]) }, metadata);
    }
    await calls.forward({ ...request, stepId: 'another', softPrompt: null }, bearer(await running.token({ tenant: 'other' })));
  });
  after(async () => {
    await running.close();
    await rm(dir, { recursive: true, force: true });
  });

  const get = async (query: string, token: string | undefined, accept = 'application/json') => {
    const headers = { accept, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const response = await fetch(`http://${running.gateway.admin}/v1/usage${query}`, { headers });
    const text = await response.text();
    return {
      status: response.status,
      text,
      body: text.startsWith('{') ? JSON.parse(text) : undefined,
      type: response.headers.get('content-type'),
    };
  };

  it("gives a tenant's own use with its cost, each call counted once", async () => {
    const { status, body } = await get('', await running.token());
    assert.equal(status, 200);
    const { from, model, modelName, ...row } = body.rows[0];
    assert.deepEqual([body.rows.length, body.currency, body.cursor], [1, 'EUR', null]);
    assert.equal(model, running.gateway.backboneDigest);
    assert.match(from, /:00:00\.000Z$/);
    const forwardIn = 4 * (2 * 4 * 8 + 3 * 8);
    const answers = 4 * 11 * 8 + 4 * 3 * 8;
    assert.deepEqual(row, {
      ...{ tenant: 'acme', adapter: 'softPrompt', forward: 11, backward: 11, decoded: 0, cached: 0, calls: 2 },
      ...{ bytesIn: forwardIn + 4 * 11 * 8, bytesOut: answers, cost: '0.033001' },
    });
    assert.ok(modelName.length > 0);
  });

  it('shows other tenants to the scope admin alone', async () => {
    const own = await running.token();
    assert.equal((await get('?tenant=other', own)).body.error.code, 'SCOPE_MISSING');
    assert.equal((await get('', undefined)).status, 401);
    assert.equal((await get('', 'forged')).status, 401);
    const admin = await running.token({ tenant: 'vendor', scopes: ['admin'] });
    assert.deepEqual(
      (await get('?by=day', admin)).body.rows.map(({ tenant }: { tenant: string }) => tenant),
      ['acme', 'other'],
    );
    const first = (await get('?limit=1', admin)).body;
    assert.deepEqual([first.rows[0].tenant, first.cursor], ['acme', '1']);
    const second = (await get('?limit=1&cursor=1', admin)).body;
    assert.deepEqual([second.rows[0].tenant, second.cursor], ['other', null]);
    assert.deepEqual((await get('?tenant=other&adapter=softPrompt', admin)).body.rows, []);
    assert.deepEqual((await get('?to=2020-01-01', admin)).body.rows, []);
  });

  it('answers CSV where it is asked for', async () => {
    const { text, type } = await get('', await running.token(), 'text/csv');
    assert.equal(type, 'text/csv; charset=utf-8');
    const [names, row, end] = text.split('\r\n');
    assert.equal(names, 'tenant,from,model,modelName,adapter,forward,backward,decoded,cached,bytesIn,bytesOut,calls,cost,currency');
    assert.match(row!, /^acme,\d{4}-.*,softPrompt,11,11,0,0,\d+,\d+,2,0\.033001,EUR$/);
    assert.equal(end, '');
    assert.equal((await get('?format=csv', await running.token())).text, text);
  });

  it('states its prices in the model card', async () => {
    const { prices } = await splitCalls(running.connect()).getModel(bearer(await running.token()));
    assert.deepEqual(prices, { currency: 'EUR', forward: '1000', backward: '2000', decoded: '0', cached: '0', gigabyte: '0.5' });
  });
});

describe('a request for usage', () => {
  it('refuses what it does not know, by name', () => {
    const bad = { by: 'week', from: '2027-13-40', limit: '0', cursor: 'x', tenant: ['a', 'b'], color: 'red' };
    for (const [name, value] of Object.entries(bad))
      assert.throws(() => parseUsageRequest({ [name]: value }, 0), { code: 'INVALID_ARGUMENT', message: new RegExp(`^${name}: expected`) });
  });

  it('gives a period that has begun as a whole', () => {
    const { from, to } = parseUsageRequest({ by: 'day', from: '2027-03-01T12:30Z', to: '2027-03-03' }, 0);
    assert.deepEqual([from, to], [Date.parse('2027-03-01'), Date.parse('2027-03-03')]);
  });

  it('quotes fields of CSV, and defuses those that a spreadsheet would take as a formula', () => {
    const row = { tenant: '=cmd', from: '', model: 'a"b', modelName: 'x,y', adapter: 'none', cost: null };
    const amounts = { forward: 1, backward: 0, decoded: 0, cached: 0, bytesIn: 0, bytesOut: 0, calls: 1 };
    const csv = usageCsv({ currency: null, rows: [{ ...row, ...amounts }] });
    assert.equal(csv.split('\r\n')[1], `'=cmd,,"a""b","x,y",none,1,0,0,0,0,0,1,,`);
  });
});

describe('a file of prices', () => {
  it('has prices by digest, by name, and of the rest', () => {
    const book = parsePrices('currency: USD\nmodels: {"*": {forward: 1}, tiny: {forward: "2.50"}, abc: {decoded: 3}}', 'file');
    assert.equal(book.of('x', 'tiny').forward, '2.50');
    assert.deepEqual([book.of('abc', 'tiny').decoded, book.of('abc', 'tiny').forward], ['3', '0']);
    assert.equal(book.of('x', 'y').forward, '1');
  });

  it('is refused where it is wrong', () => {
    const bad = {
      'currency: euro\nmodels: {}': /currency: expected three letters/,
      'models: {}': /currency: expected/,
      'currency: EUR\nmodels: {a: {forwards: 1}}': /models\.a: expected forward, .*got forwards/,
      'currency: EUR\nmodels: {a: {forward: -1}}': /models\.a\.forward: expected a decimal/,
      'currency: EUR\nmodels: [1]': /models: expected fields/,
      '{': /expected YAML/,
    };
    for (const [text, message] of Object.entries(bad)) assert.throws(() => parsePrices(text, 'file'), { code: 'INVALID_CONFIG', message });
  });
});
