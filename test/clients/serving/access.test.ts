/** Who may use the local endpoint, how much at once, and what becomes of a request whose client goes away. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiKey } from '../../../clients/typescript/serving/http/api-key.js';
import { Places } from '../../../clients/typescript/serving/http/places.js';
import { type ScriptedServer, startScripted } from '../../support/scripted-model.js';
import { startServingRig } from '../../support/serving-rig.js';

interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: string; readonly param: string | null };
}

const chat = { model: 'scripted', messages: [{ role: 'user', content: 'Hello' }] };

const post = (url: string, body: string, headers: Record<string, string> = {}, signal: AbortSignal | null = null) =>
  fetch(`${url}/v1/chat/completions`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers }, signal });

/** A request with headers that fetch does not let a caller set. */
function raw(
  url: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ readonly status: number; readonly headers: object; readonly text: string }> {
  return new Promise((resolve, reject) => {
    httpRequest(`${url}/v1/models`, { method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    })
      .on('error', reject)
      .end();
  });
}

describe('access to the local endpoint', () => {
  let server: ScriptedServer | undefined;
  afterEach(() => server?.close());

  it('is refused under a foreign name, which a rebound one would be', async () => {
    server = await startScripted({ pieces: ['a'] }, { hosts: ['llm.internal'] });
    const refused = await raw(server.url, { host: 'evil.example:8788' });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /--allow-host/);
    for (const host of ['localhost:8788', '127.0.0.1:1', '[::1]:8788', 'llm.internal'])
      assert.equal((await raw(server.url, { host })).status, 200);
  });

  it('is refused to web pages, but for its own and those that are allowed', async () => {
    server = await startScripted({ pieces: ['a'] }, { origins: ['http://localhost:3000'] });
    const refused = await raw(server.url, { origin: 'https://evil.example' });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /--allow-origin/);
    assert.equal((await raw(server.url, { origin: 'null' })).status, 403);
    assert.equal((await raw(server.url, { origin: server.url })).status, 200);
    const allowed = await raw(server.url, { origin: 'http://localhost:3000' }, 'OPTIONS');
    assert.equal(allowed.status, 204);
    assert.equal((allowed.headers as Record<string, string>)['access-control-allow-origin'], 'http://localhost:3000');
  });

  it('needs the key, on every path of the API', async () => {
    server = await startScripted({ pieces: ['a'] }, { key: 'k'.repeat(24) });
    for (const authorization of ['', 'Bearer wrong', `Basic ${'k'.repeat(24)}`]) {
      const answer = await post(server.url, JSON.stringify(chat), authorization === '' ? {} : { authorization });
      assert.equal(answer.status, 401);
      assert.equal(((await answer.json()) as ErrorBody).error.code, 'invalid_api_key');
    }
    assert.equal((await fetch(`${server.url}/v1/models`)).status, 401);
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    assert.equal((await post(server.url, JSON.stringify(chat), { authorization: `Bearer ${'k'.repeat(24)}` })).status, 200);
  });

  it('has a key of 256 bits in a file of its owner alone, made once', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-key-'));
    try {
      const file = join(dir, 'deep', 'api-key');
      const keys = await Promise.all([openApiKey(file), openApiKey(file)]);
      assert.equal(keys[0], keys[1]);
      assert.match(keys[0], /^[A-Za-z0-9_-]{43}$/);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.equal(`${await openApiKey(file)}\n`, await readFile(file, 'utf8'));
      await writeFile(file, 'short\n');
      await assert.rejects(openApiKey(file), { code: 'INVALID_OPTION', message: /20 to 512/ });
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('is for whole JSON objects of bounded size', async () => {
    server = await startScripted({ pieces: ['a'] });
    const refused = async (body: string, status: number, message: RegExp) => {
      const answer = await post(server!.url, body);
      assert.equal(answer.status, status);
      assert.match(((await answer.json()) as ErrorBody).error.message, message);
    };
    await refused(JSON.stringify({ ...chat, user: 'x'.repeat(30_000) }), 413, /--max-body/);
    await refused('{"model": ', 400, /not JSON/);
    await refused('[1]', 400, /got a list/);
    await refused('', 400, /got nothing/);
    await refused(`{"a": ${'['.repeat(5000)}${']'.repeat(5000)}}`, 400, /not JSON/);
    assert.equal((await fetch(`${server.url}/v1/nothing`)).status, 404);
  });

  it('lets so many requests run and so many wait; one more is told to come again', async () => {
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    server = await startScripted({ pieces: ['a'], before: () => gate });
    const first = post(server.url, JSON.stringify(chat));
    await until(() => server!.places.running === 1);
    const second = post(server.url, JSON.stringify(chat));
    await until(() => server!.places.waiting === 1);
    const third = await post(server.url, JSON.stringify(chat));
    assert.equal(third.status, 429);
    assert.ok(Number(third.headers.get('retry-after')) > 0);
    assert.equal(((await third.json()) as ErrorBody).error.code, 'rate_limit_exceeded');
    go();
    assert.deepEqual([(await first).status, (await second).status], [200, 200]);
    await until(() => server!.places.running + server!.places.waiting === 0);
  });

  it('frees an answer within a second after its client has gone, streamed or not, running or waiting', async () => {
    const ended: boolean[] = [];
    const never = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    let pieces = 0;
    const script = {
      pieces: ['a', 'b', 'c'],
      before: (signal: AbortSignal) => (pieces++ === 0 ? Promise.resolve() : never(signal)),
      onEnd: (whole: boolean) => ended.push(whole),
    };
    server = await startScripted(script);
    const client = new AbortController();
    const stream = await post(server.url, JSON.stringify({ ...chat, stream: true }), {}, client.signal);
    const waiting = new AbortController();
    const second = post(server.url, JSON.stringify(chat), {}, waiting.signal).catch(() => 'gone');
    await until(() => server!.places.waiting === 1);
    waiting.abort();
    assert.equal(await second, 'gone');
    await until(() => server!.places.waiting === 0);
    await stream.body!.getReader().read();
    const begin = performance.now();
    client.abort();
    await until(() => ended.length === 1 && server!.places.running === 0);
    assert.ok(performance.now() - begin < 1000);
    assert.deepEqual(ended, [false]);
  });

  it('ends in good order: what runs is finished, and new requests are told to come again', async () => {
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    server = await startScripted({ pieces: ['a', 'b'], before: () => gate });
    const running = post(server.url, JSON.stringify(chat));
    await until(() => server!.places.running === 1);
    const drained = server.places.drain();
    const refused = await post(server.url, JSON.stringify(chat));
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal((await fetch(`${server.url}/health`)).status, 503);
    go();
    assert.equal((await running).status, 200);
    await drained;
  });

  it('tells what runs, in the format of Prometheus', async () => {
    server = await startScripted({ pieces: ['a', 'b'] });
    await post(server.url, JSON.stringify(chat));
    const text = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(text, /cutlayer_serve_tokens_total\{model="scripted",kind="completion"\} 2/);
    assert.match(text, /cutlayer_serve_request_seconds_count\{endpoint="\/v1\/chat\/completions",status="200"\} 1/);
    assert.match(text, /cutlayer_serve_gateway_sent_bytes 1/);
  });

  it('says when the gateway is gone: 503, and when to come again', async () => {
    const rig = await startServingRig();
    try {
      const body = JSON.stringify({ model: 'base', messages: chat.messages, max_tokens: 2 });
      const ask = () => rig.ask('/v1/chat/completions', { method: 'POST', body });
      assert.equal((await ask()).status, 200);
      assert.equal((await rig.ask('/health')).status, 200);
      await rig.gateway.stop();
      const answer = await ask();
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
      assert.equal(((await answer.json()) as ErrorBody).error.type, 'server_error');
      await until(async () => (await rig.ask('/health')).status === 503);
    } finally {
      await rig.close();
    }
  });
});

describe('places', () => {
  it('go to the requests that wait, in their order, and never to more than may run', async () => {
    const places = new Places({ maxRunning: 2, maxWaiting: 8 });
    const { signal } = new AbortController();
    const order: number[] = [];
    const all = Array.from({ length: 6 }, () => places.take());
    const turns = all.map(async (place, at) => {
      await place.turn(signal);
      order.push(at);
      assert.ok(places.running <= 2);
      await new Promise((resolve) => setImmediate(resolve));
      place.leave();
      place.leave();
    });
    assert.deepEqual([places.running, places.waiting], [2, 4]);
    await Promise.all(turns);
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual([places.running, places.waiting], [0, 0]);
  });
});

/** Waits for a state that comes by itself. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, 'it did not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
