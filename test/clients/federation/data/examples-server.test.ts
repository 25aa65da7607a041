/** The local port of a participant: examples handed in are durable before the answer, once only, and nobody else's business. */
import assert from 'node:assert/strict';
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { DataFolder } from '../../../../clients/typescript/federation/data/data-folder.js';
import { MAX_REQUEST_BYTES } from '../../../../clients/typescript/intake/examples-app.js';
import { type ExamplesServer, serveExamples } from '../../../../clients/typescript/intake/examples-server.js';
import { CutlayerError } from '../../../../src/errors.js';
import { FolderFixture, lines, record } from './folder-fixture.js';

const status = { federation: 'a'.repeat(64), member: 'north', round: 3, version: 2 };

describe("a participant's local port", () => {
  let fixture: FolderFixture;
  let folder: DataFolder;
  let server: ExamplesServer;
  let token: string;
  const failures: CutlayerError[] = [];
  const start = async (maxExamples = 100) => {
    folder = await fixture.open({ maxExamples });
    server = await serveExamples({
      sink: folder,
      stateDir: fixture.stateDir,
      port: 0,
      status: () => status,
      onFailure: (error) => failures.push(error),
    });
    token = (await readFile(server.tokenFile, 'utf8')).trim();
  };
  beforeEach(async () => {
    fixture = await FolderFixture.make();
    failures.length = 0;
    await start();
  });
  afterEach(async () => {
    await server.close();
    await fixture.close();
  });

  const send = async (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`${server.url}/v1/examples`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body,
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
  };
  const inbox = () => readFile(fixture.file('inbox.jsonl'), 'utf8');

  it('takes an object, a list and JSON lines, and has them on disk and in the next round when it answers', async () => {
    assert.deepEqual(await answer(send(JSON.stringify(record(1)))), [201, 1, 0, 0]);
    assert.deepEqual(await answer(send(JSON.stringify([record(2), record(3)]))), [201, 2, 0, 0]);
    assert.deepEqual(await answer(send(lines(4, 6), { 'content-type': 'application/x-ndjson' })), [201, 2, 0, 0]);
    assert.equal(await inbox(), lines(1, 6));
    assert.equal((await folder.roundExamples(1, 0)).examples.length, 5);
  });

  it('takes the same examples once, however often they are sent, and also when a file has them', async () => {
    await fixture.write('a.jsonl', lines(1, 3));
    assert.deepEqual(await answer(send(JSON.stringify([record(1), record(3), record(3)]))), [201, 1, 2, 0]);
    assert.deepEqual(await answer(send(JSON.stringify([record(1), record(3)]))), [200, 0, 2, 0]);
    assert.equal(await inbox(), lines(3, 4));
    assert.equal(folder.counts.training, 3);
  });

  it('says by index what is wrong, and takes the rest', async () => {
    const { status: code, body } = await send(`${lines(0, 1)}{"prompt": "a"}\nnonsense\n${lines(1, 2)}`, {
      'content-type': 'application/x-ndjson',
    });
    assert.equal(code, 201);
    assert.deepEqual([body.accepted, body.rejected], [2, 2]);
    assert.deepEqual(
      body.problems.map(({ index }) => index),
      [1, 2],
    );
    assert.match(body.problems[0]!.reason, /"completion" beside "prompt"/);
    assert.deepEqual(await answer(send('[{"text": ""}]')), [400, 0, 0, 1]);
    assert.equal(folder.counts.rejected, 0, 'what was refused is in no file');
  });

  it('begins a new line where a crash left half of one', async () => {
    await fixture.write('inbox.jsonl', '{"prompt": "half a');
    assert.deepEqual(await answer(send(JSON.stringify(record(1)))), [201, 1, 0, 0]);
    assert.equal(await inbox(), `{"prompt": "half a\n${lines(1, 2)}`);
    assert.deepEqual([folder.counts.training, folder.counts.rejected], [1, 1]);
  });

  it('takes none of a request that does not fit, and says so as 507', async () => {
    await server.close();
    await folder.close();
    await start(3);
    assert.deepEqual(await answer(send(JSON.stringify([record(1), record(2)]))), [201, 2, 0, 0]);
    const refused = await send(JSON.stringify([record(3), record(4)]));
    assert.equal(refused.status, 507);
    assert.match(refused.body.error!.message, /2 of at most 3 are kept, 2 more do not fit; nothing was taken/);
    assert.equal(await inbox(), lines(1, 3));
    assert.deepEqual(await answer(send(JSON.stringify(record(3)))), [201, 1, 0, 0]);
  });

  it('keeps order with requests that come at once', async () => {
    const sent = await Promise.all(Array.from({ length: 12 }, (_, n) => send(JSON.stringify([record(n), record(n + 1)]))));
    assert.equal(
      sent.reduce((sum, { body }) => sum + body.accepted, 0),
      13,
    );
    assert.equal((await inbox()).trim().split('\n').length, 13);
  });

  it('refuses callers without the token, whose file is for its owner only and stays the same', async () => {
    for (const [authorization, code] of [
      ['', 'TOKEN_MISSING'],
      ['Basic abc', 'TOKEN_MISSING'],
      [`Bearer ${token}x`, 'TOKEN_INVALID'],
    ] as const) {
      const refused = await send(JSON.stringify(record(1)), { authorization });
      assert.deepEqual([refused.status, refused.body.error?.code], [401, code]);
      assert.equal(refused.headers.get('www-authenticate'), 'Bearer');
    }
    assert.equal((await fetch(`${server.url}/v1/status`)).status, 401);
    assert.equal((await stat(server.tokenFile)).mode & 0o777, 0o600);
    await server.close();
    server = await serveExamples({ sink: folder, stateDir: fixture.stateDir, port: 0, status: () => status });
    assert.equal((await readFile(server.tokenFile, 'utf8')).trim(), token);
    await writeFile(server.tokenFile, token.slice(0, 9));
    await server.close();
    server = await serveExamples({ sink: folder, stateDir: fixture.stateDir, port: 0, status: () => status });
    assert.match(await readFile(server.tokenFile, 'utf8'), /^[\w-]{43}\n$/, 'half a token is replaced');
  });

  it('refuses web pages, by their origin and by a host that was rebound to this machine', async () => {
    const page = await send(JSON.stringify(record(1)), { origin: 'https://example.org' });
    assert.deepEqual([page.status, page.body.error?.code], [403, 'ORIGIN_REFUSED']);
    const { port } = new URL(server.url);
    const withHost = (host: string) =>
      new Promise<number>((resolve, reject) => {
        const headers = { host, authorization: `Bearer ${token}` };
        httpRequest({ host: '127.0.0.1', port, path: '/v1/status', headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
          .once('error', reject)
          .end();
      });
    assert.equal(await withHost(`example.org:${port}`), 403);
    assert.equal(await withHost('127.0.0.1'), 403);
    assert.equal(await withHost(`localhost:${port}`), 200);
  });

  it('refuses bodies that are too large, no JSON, of another type, packed or empty, without a word of them', async () => {
    const cases: readonly [string | Uint8Array, Record<string, string>, number][] = [
      [`[${' '.repeat(MAX_REQUEST_BYTES)}]`, {}, 413],
      [`[${Array.from({ length: 10_001 }, () => '{}').join()}]`, {}, 413],
      ['{"text": "secret', {}, 400],
      [new Uint8Array([0x22, 0xff, 0x22]), {}, 400],
      ['secret', { 'content-type': 'text/plain' }, 400],
      ['{"text": "secret"}', { 'content-encoding': 'gzip' }, 400],
      ['[]', {}, 400],
      ['', {}, 400],
    ];
    for (const [at, [body, headers, code]] of cases.entries()) {
      const refused = await send(body, headers);
      assert.equal(refused.status, code, `case ${at}`);
      assert.doesNotMatch(JSON.stringify(refused.body), /secret|INTERNAL/, `case ${at}`);
    }
    assert.equal(folder.counts.training, 0);
    assert.deepEqual(failures, []);
  });

  it('tells round, version and counts, and no text', async () => {
    await send(JSON.stringify([record(1), record(2)]));
    const response = await fetch(`${server.url}/v1/status`, { headers: { authorization: `Bearer ${token}` } });
    const told = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(told, { ...status, data: folder.counts });
    assert.equal((await fetch(`${server.url}/other`, { headers: { authorization: `Bearer ${token}` } })).status, 404);
  });

  it('tells its owner of failures that are not the caller’s, without the text', async () => {
    await server.close();
    await folder.close();
    const refusing = await serveExamples({
      sink: folder,
      stateDir: fixture.stateDir,
      port: 0,
      status: () => {
        throw new Error('secret');
      },
      onFailure: (error) => failures.push(error),
    });
    server = refusing;
    const response = await fetch(`${server.url}/v1/status`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['INTERNAL'],
    );
  });

  it('says which port is in use', async () => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(serveExamples({ sink: folder, stateDir: fixture.stateDir, port, status: () => status }), (error: unknown) => {
      assert.ok(error instanceof CutlayerError);
      assert.match(error.message, /EADDRINUSE; the port is in use/);
      return true;
    });
  });

  it('lets a request that is under way end before it closes', async () => {
    await appendFile(fixture.file('a.jsonl'), lines(0, 50));
    const under = send(JSON.stringify(record(77)));
    // The request's own first read of the folder: it has arrived, and has not been answered.
    while (folder.counts.training === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = server.close();
    assert.deepEqual(await answer(under), [201, 1, 0, 0]);
    assert.equal((await under).headers.get('connection'), 'close', 'so that closing need not wait for the connection');
    await closed;
    await assert.rejects(send(JSON.stringify(record(78))));
  });
});

interface Answer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly problems: readonly { readonly index: number; readonly reason: string }[];
  readonly error?: { readonly code: string; readonly message: string };
}

async function answer(sent: Promise<{ readonly status: number; readonly body: Answer }>): Promise<readonly number[]> {
  const { status: code, body } = await sent;
  return [code, body.accepted, body.duplicates, body.rejected];
}
