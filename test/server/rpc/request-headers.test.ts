/** The headers of a gRPC request, read from the raw list. */
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../src/errors.js';
import { bearerToken, readRequestHeaders as read, requireTimeout } from '../../../src/server/rpc/request-headers.js';

const good = {
  ':method': 'POST',
  ':path': '/a.B/C',
  'content-type': 'application/grpc',
  'grpc-timeout': '5S',
  authorization: 'Bearer abc',
};
const MAX_BYTES = 1000;
const readRequestHeaders = (list: readonly string[]) => read(list, MAX_BYTES);
const raw = (changes: Readonly<Record<string, string | undefined>> = {}, ...more: readonly string[]): string[] => [
  ...Object.entries({ ...good, ...changes }).flatMap(([name, value]) => (value === undefined ? [] : [name, value])),
  ...more,
];

describe('headers of a request', () => {
  it('reads path, time and token', () => {
    const headers = readRequestHeaders(raw({ 'content-type': 'application/grpc+proto' }))!;
    assert.deepEqual(headers, {
      path: '/a.B/C',
      timeoutMs: 5000,
      authorization: 'Bearer abc',
      proof: undefined,
      requestId: undefined,
      traceparent: undefined,
    });
    const { proof } = readRequestHeaders(raw({ 'cutlayer-proof-bin': 'AQL/' }))!;
    assert.deepEqual([...proof!], [1, 2, 255]);
    assert.equal(bearerToken(headers), 'abc');
  });

  it('reads an id of the call, and takes two for none', () => {
    assert.equal(readRequestHeaders(raw({ 'x-request-id': 'job-7' }))!.requestId, 'job-7');
    assert.equal(readRequestHeaders(raw({ 'x-request-id': 'job-7' }, 'x-request-id', 'job-8'))!.requestId, undefined);
  });

  it('refuses a list that is too long', () => {
    assert.throws(() => readRequestHeaders(raw({}, 'x', 'y'.repeat(MAX_BYTES))), {
      code: 'MESSAGE_TOO_LARGE',
      message: /^headers: expected/,
    });
  });

  for (const [text, ms] of [
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['4S', 4000],
    ['5m', 5],
    ['6000u', 6],
    ['7000000n', 7],
    ['99999999H', 359_999_996_400_000],
  ] as const) {
    it(`reads ${text} as ${ms} ms`, () => {
      const { timeoutMs } = readRequestHeaders(raw({ 'grpc-timeout': text }))!;
      assert.ok(Math.abs(timeoutMs! - ms) < 1e-6, String(timeoutMs));
    });
  }

  for (const text of ['', '5', 'S', '123456789S', '-5S', '5s', '5 S', undefined]) {
    it(`asks for a time when it gets ${text}`, () => {
      assert.throws(() => requireTimeout(readRequestHeaders(raw({ 'grpc-timeout': text }))!), { code: 'DEADLINE_REQUIRED' });
    });
  }

  for (const changes of [
    { ':method': 'GET' },
    { 'content-type': 'application/json' },
    { 'content-type': 'application/grpcx' },
    { 'content-type': undefined },
  ]) {
    it(`does not take ${JSON.stringify(changes)} for gRPC`, () => {
      assert.equal(readRequestHeaders(raw(changes)), undefined);
    });
  }

  for (const authorization of [undefined, '', 'Bearer', 'Bearer  ', 'Basic abc', 'Bearer a b', 'Bearer a, Bearer b']) {
    it(`finds no token in ${authorization}`, () => {
      assert.throws(() => bearerToken(readRequestHeaders(raw({ authorization }))!), { code: 'TOKEN_MISSING' });
    });
  }

  for (const [name, value, code] of [
    ['authorization', good.authorization, 'TOKEN_INVALID'],
    ['authorization', 'Bearer other', 'TOKEN_INVALID'],
    ['grpc-timeout', '5S', 'INVALID_ARGUMENT'],
    ['grpc-encoding', 'identity', 'INVALID_ARGUMENT'],
    ['content-type', 'application/grpc', 'INVALID_ARGUMENT'],
    ['cutlayer-proof-bin', 'AQL/', 'INVALID_ARGUMENT'],
  ] as const satisfies readonly (readonly [string, string, ErrorCode])[]) {
    it(`refuses a second ${name}`, () => {
      const once = name in good ? {} : { [name]: value };
      assert.throws(() => readRequestHeaders(raw(once, name, value)), { code, message: `${name}: expected one header, got several` });
    });
  }

  for (const encoding of ['gzip', 'deflate', 'zpaq', 'identity,gzip', '']) {
    it(`refuses the encoding "${encoding}", and takes identity`, () => {
      assert.throws(() => readRequestHeaders(raw({ 'grpc-encoding': encoding })), { code: 'UNIMPLEMENTED' });
      assert.ok(readRequestHeaders(raw({ 'grpc-encoding': 'identity' })));
    });
  }
});
