import assert from 'node:assert/strict';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { CutlayerError, type ErrorCode, errorTable } from '../../../src/errors.js';
import { ERROR_CODE_TRAILER, fromServiceError, toServiceError } from '../../../src/protocol/wire/status.js';
import { decodeStatus, encodeStatus } from '../../../src/protocol/wire/status-proto.js';

/** What a grpc-js client raises for a status. */
function raised({ code, details, metadata }: { code: number; details: string; metadata?: Metadata }): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: metadata ?? new Metadata() });
}

describe('wire status codec', () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    it(`${code}: keeps code, message and details on the way from server to client`, () => {
      const sent = new CutlayerError(code, 'x: expected 1, got 2', { details: { field: 'x', limit: 1 } });
      const status = toServiceError(sent);
      assert.equal(status.code, errorTable[code].grpc);
      assert.deepEqual(status.metadata.get(ERROR_CODE_TRAILER), [code]);
      const got = fromServiceError(raised(status));
      assert.equal(got.code, code);
      assert.equal(got.message, sent.message);
      assert.deepEqual({ ...got.details }, { field: 'x', limit: '1' });
    });
  }

  it('says in RetryInfo when to repeat the call, to the millisecond', () => {
    const status = toServiceError(new CutlayerError('RATE_LIMITED', 'too fast', { details: { retryAfterMs: 86_399_250 } }));
    const [bytes] = status.metadata.get('grpc-status-details-bin');
    assert.equal(decodeStatus(bytes as Buffer)?.retryAfterMs, 86_399_250);
    const got = fromServiceError(raised(status));
    assert.equal(got.retryAfterMs, 86_399_250);
    assert.equal(
      decodeStatus(encodeStatus({ grpcStatus: 8, message: '', info: { reason: '', domain: '', metadata: {} } }))?.retryAfterMs,
      undefined,
    );
  });

  it('hides the message of an error that nobody foresaw', () => {
    const status = toServiceError(new Error('password is hunter2 at /srv/secret'));
    assert.equal(fromServiceError(raised(status)).code, 'INTERNAL');
    assert.doesNotMatch(JSON.stringify([status.details, status.metadata.toJSON()]), /hunter2|secret/);
  });

  it('sends a message that holds a lone surrogate, which percent-encoding cannot', () => {
    const status = toServiceError(new CutlayerError('INVALID_ARGUMENT', 'bad \ud800 text'));
    assert.doesNotThrow(() => encodeURI(status.details));
  });

  it('bounds the length of a message, for trailers are limited', () => {
    const status = toServiceError(new CutlayerError('INVALID_ARGUMENT', 'x'.repeat(100_000)));
    assert.ok(status.details.length <= 1024);
  });

  const foreign: readonly [string, number, string, ErrorCode][] = [
    ['a message over the limit', 8, 'Received message larger than max (9 vs 5)', 'MESSAGE_TOO_LARGE'],
    ['exhaustion without a reason', 8, 'Bandwidth exhausted', 'QUEUE_FULL'],
    ['no connection', 14, 'No connection established', 'UNAVAILABLE'],
    ['a connection that broke under the call', 13, 'Received RST_STREAM with code 2 (Internal server error)', 'UNAVAILABLE'],
    ['a deadline', 4, 'Deadline exceeded', 'DEADLINE_EXCEEDED'],
    ['an unknown method', 12, 'The server does not implement the method', 'UNIMPLEMENTED'],
    ['a status of no meaning to us', 2, 'Unknown', 'INTERNAL'],
  ];
  for (const [what, status, details, code] of foreign) {
    it(`types a status without our details: ${what}`, () => {
      assert.equal(fromServiceError(raised({ code: status, details })).code, code);
    });
  }

  it('ignores details of another domain and details that are garbage', () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([255, 255, 255, 1, 2, 3]));
    assert.equal(fromServiceError(raised({ code: 14, details: 'away', metadata })).code, 'UNAVAILABLE');
  });
});
