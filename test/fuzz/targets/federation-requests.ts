/** Requests to a coordinator, up to the values that its rules judge. */
import assert from 'node:assert/strict';
import {
  confirmationOf,
  controlAction,
  enlistmentOf,
  federationId,
  founderOrder,
  revealedOf,
  sharesOf,
} from '../../../src/coordinator/service/requests.js';
import {
  confirmationCodec,
  enlistmentCodec,
  type MessageCodec,
  revealedCodec,
  sealedCodec,
  signedCodec,
} from '../../../src/protocol/federation/message-codec.js';
import { taskRequestMessage, taskRequestOf } from '../../../src/protocol/federation/task-codec.js';
import { type FederationMethod, federationRequestLayouts } from '../../../src/protocol/wire/federation-layouts.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { confirmation, enlistment, federation, MEMBER, order, revealed, sealed, signed } from '../federation-values.js';
import { inputFor, methodInput, parsedRequest } from '../service-methods.js';
import type { Target } from '../target.js';
import { methodMessage } from '../wire-messages.js';

const { service } = loadFederationService();
const layouts = federationRequestLayouts(100);

/** A value that its codec writes and reads again. */
function twice<Value>(codec: Pick<MessageCodec<Value, object, unknown>, 'encode' | 'decode'>, value: Value): Value {
  assert.deepEqual(codec.decode(codec.encode(value)), value);
  return value;
}

/** The parsers by method; each gets the request of its method, which only the generated types know. */
// biome-ignore lint/suspicious/noExplicitAny: one parameter stands for fourteen types of requests.
const parsers: Readonly<Record<FederationMethod, (request: any) => unknown>> = {
  GetFederation: (request) => federationId(request.federation),
  GetChallenge: (request) => federationId(request.federation),
  NextTask: (request) => {
    const asked = taskRequestOf(request);
    const { definition } = methodInput(service, Uint8Array.of(Object.keys(service).indexOf('NextTask')));
    const message = definition.requestDeserialize(definition.requestSerialize(taskRequestMessage(request.federation, asked)));
    assert.deepEqual(taskRequestOf(message as typeof request), asked);
    return asked;
  },
  GetBroadcasts: (request) => federationId(request.federation),
  GetVersion: (request) => federationId(request.federation),
  Enlist: (request) => twice(enlistmentCodec, enlistmentOf(request, MEMBER)),
  ShareKeys: (request) => twice(sealedCodec, sharesOf(request, MEMBER)),
  Submit: (request) => new Uint8Array(request.payload),
  Confirm: (request) => twice(confirmationCodec, confirmationOf(request, MEMBER)),
  Unmask: (request) => twice(revealedCodec, revealedOf(request, MEMBER)),
  CreateFederation: (request) => [
    twice(signedCodec, signedCodec.value(request.manifest, 'manifest')),
    decodeTensor(request.parameters, { name: 'parameters', shape: ['*'] }),
  ],
  ControlFederation: (request) => [controlAction(request), founderOrder(request)],
  GetStatus: (request) => request,
  GetCoordinator: (request) => request,
};

export const target: Target = {
  examples: [
    inputFor(service, 'GetFederation', { federation }),
    inputFor(service, 'GetChallenge', { federation }),
    inputFor(service, 'NextTask', {
      federation,
      waitMs: 30_000,
      broadcastsKnown: 2,
      canEvaluate: true,
      doneRound: 3,
      doneStage: 'STAGE_SHARING',
    }),
    inputFor(service, 'GetBroadcasts', { federation, from: 1 }),
    inputFor(service, 'GetVersion', { federation, version: 4 }),
    inputFor(service, 'Enlist', { federation, round: 1, enlistment: enlistmentCodec.message(enlistment) }),
    inputFor(service, 'ShareKeys', { federation, round: 1, ...sealedCodec.message(sealed) }),
    inputFor(service, 'Submit', { federation, round: 1, payload: Buffer.from([1, 2, 3, 4]) }),
    inputFor(service, 'Confirm', { federation, round: 1, confirmation: confirmationCodec.message(confirmation) }),
    inputFor(service, 'Unmask', { federation, round: 1, revealed: revealedCodec.message(revealed) }),
    inputFor(service, 'CreateFederation', { manifest: signedCodec.message(signed), parameters: encodeTensor(f32([3], [1, 2, 3]), 'f32') }),
    ...[{ start: true }, { pause: true }, { finish: true }, { rollback: 2 }].map((action) =>
      inputFor(service, 'ControlFederation', {
        federation,
        ...action,
        order: { ...order, signature: Buffer.from(order.signature, 'hex') },
      }),
    ),
    inputFor(service, 'GetStatus', { federation }),
    inputFor(service, 'GetCoordinator', {}),
  ],
  made: methodMessage(Object.keys(service).length),
  words: [federation, MEMBER],
  run(input) {
    const found = methodInput(service, input);
    const method = found.method as FederationMethod; // a method of this service
    const request = parsedRequest(found, layouts[method]);
    const parsed = parsers[method](request);
    const bytes = found.definition.requestSerialize(request);
    assert.deepEqual(parsers[method](parsedRequest({ ...found, bytes }, layouts[method])), parsed);
  },
};
