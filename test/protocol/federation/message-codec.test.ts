import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Task, TaskAnswer, TaskRequest } from '../../../src/protocol/federation/federation-api.js';
import { roundStages } from '../../../src/protocol/federation/federation-api.js';
import {
  confirmationCodec,
  enlistmentCodec,
  type MessageCodec,
  revealedCodec,
  sealedCodec,
  signedCodec,
} from '../../../src/protocol/federation/message-codec.js';
import { taskAnswerOf, taskMessage, taskRequestMessage, taskRequestOf } from '../../../src/protocol/federation/task-codec.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';

const name = fc.string({ unit: 'grapheme', maxLength: 20 });
const bytes = fc.uint8Array({ maxLength: 90 });
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
/** A record with the prototype of any other object. */
const record = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(fields, { noNullPrototype: true });
const list = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 4 });

const enlistment = record({
  purpose: fc.constantFrom('train' as const, 'evaluate' as const),
  chainHead: name,
  examples: uint32,
  advertisement: record({
    participant: name,
    encryptionKey: bytes,
    maskKey: bytes,
    selfMaskCommitment: bytes,
    context: bytes,
    signature: bytes,
  }),
});
const sealed = record({ from: name, to: name, ciphertext: bytes });
const confirmation = record({ participant: name, survivors: list(name), signature: bytes });
const share = record({ owner: name, share: bytes });
const revealed = record({ participant: name, maskKeyShares: list(share), selfMaskShares: list(share), signature: bytes });

/** What a test asks of each codec, whatever its types are. */
interface Row {
  readonly arbitrary: fc.Arbitrary<unknown>;
  readonly codec: Pick<MessageCodec<unknown, object, unknown>, 'encode' | 'decode'>;
}
const row = <T>(arbitrary: fc.Arbitrary<T>, codec: { encode(value: T): Uint8Array; decode(bytes: Uint8Array): unknown }): Row => ({
  arbitrary,
  codec: codec as Row['codec'],
});
const rows: Readonly<Record<string, Row>> = {
  enlistment: row(enlistment, enlistmentCodec),
  'sealed shares': row(list(sealed), sealedCodec),
  confirmation: row(confirmation, confirmationCodec),
  'revealed shares': row(revealed, revealedCodec),
  'signed bytes': row(record({ bytes, signature: bytes }), signedCodec),
};

/** The same value with every object's fields in the reverse order. */
function reversed(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, reversed(field)]),
  );
}

describe('the codec of federation messages', () => {
  for (const [what, { arbitrary, codec }] of Object.entries(rows)) {
    it(`gives back the ${what} that it wrote`, () => {
      fc.assert(fc.property(arbitrary, (value) => assert.deepEqual(codec.decode(codec.encode(value)), value)));
    });

    it(`writes the same ${what} as the same bytes, in whatever order the fields were made`, () => {
      fc.assert(fc.property(arbitrary, (value) => assert.deepEqual(codec.encode(reversed(value)), codec.encode(value))));
    });
  }

  it('copies the bytes that it reads', () => {
    const encoded = signedCodec.encode({ bytes: Uint8Array.of(1, 2, 3), signature: Uint8Array.of(4) });
    const value = signedCodec.decode(encoded);
    encoded.fill(9);
    assert.deepEqual(value, { bytes: Uint8Array.of(1, 2, 3), signature: Uint8Array.of(4) });
  });

  it('says what of a message is missing or unknown', () => {
    const code = 'INVALID_ARGUMENT';
    const none = { advertisement: null, purpose: 'ROUND_PURPOSE_TRAIN', chainHead: '', examples: 0 } as const;
    assert.throws(() => enlistmentCodec.value(null, 'enlistment'), { code, message: 'enlistment: expected one, got none' });
    assert.throws(() => enlistmentCodec.value(none, 'enlistment'), { code, message: 'enlistment.advertisement: expected one, got none' });
    const unknown = { ...none, purpose: 7 as never };
    assert.throws(() => enlistmentCodec.value(unknown, 'enlistment'), { code, message: 'enlistment.purpose: expected train or evaluate' });
    assert.throws(() => enlistmentCodec.decode(Uint8Array.of(0x0a, 5, 1)), { code, message: /^Enlistment: .* do not parse/ });
  });
});

describe('the codec of tasks', () => {
  const { NextTask } = loadFederationService().service;
  const answered = (answer: TaskAnswer): TaskAnswer =>
    taskAnswerOf(NextTask.responseDeserialize(NextTask.responseSerialize(taskMessage(answer))));
  const asked = (request: TaskRequest): TaskRequest =>
    taskRequestOf(NextTask.requestDeserialize(NextTask.requestSerialize(taskRequestMessage('f', request))));

  const task: fc.Arbitrary<Task> = fc.oneof(
    record({ kind: fc.constantFrom('wait' as const, 'finished' as const), reason: name }),
    record({
      kind: fc.constant('enlist' as const),
      round: uint32,
      purpose: fc.constantFrom('train' as const, 'evaluate' as const),
      version: uint32,
      promoted: uint32,
    }),
    record({ kind: fc.constant('shareKeys' as const), round: uint32, cohort: list(enlistment) }),
    record({ kind: fc.constant('submit' as const), round: uint32, cohort: list(enlistment), inbox: list(sealed) }),
    record({ kind: fc.constant('confirm' as const), round: uint32, survivors: list(name) }),
    record({ kind: fc.constant('unmask' as const), round: uint32, confirmations: list(confirmation) }),
  );

  it('gives back the answer that it wrote', () => {
    const answer = record({ task, broadcasts: uint32, remainingMs: uint32 });
    fc.assert(fc.property(answer, (value) => assert.deepEqual(answered(value), value)));
  });

  it('gives back the request that it wrote', () => {
    const request = record({
      waitMs: uint32,
      broadcastsKnown: uint32,
      newExamplesReady: fc.boolean(),
      canEvaluate: fc.boolean(),
      done: fc.option(record({ round: fc.integer({ min: 1, max: 1000 }), stage: fc.constantFrom(...roundStages) })),
    });
    fc.assert(fc.property(request, (value) => assert.deepEqual(asked(value), value)));
  });

  it('refuses an answer that it does not know, or that lacks its task', () => {
    const code = 'INVALID_ARGUMENT';
    assert.throws(() => taskAnswerOf({ broadcasts: 0, remainingMs: 0 }), { code, message: /^the coordinator's answer: expected a task/ });
    const empty = { task: 'confirm', confirm: null, broadcasts: 0, remainingMs: 0 } as const;
    assert.throws(() => taskAnswerOf(empty), { code, message: "the coordinator's answer: confirm: expected one, got none" });
  });
});
