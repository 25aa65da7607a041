/** Answers of a gateway or a coordinator, as clients and founders read them, and the details of a failed call. */
import assert from 'node:assert/strict';
import { parseServedModel } from '../../../clients/typescript/connection/served-model.js';
import { reportMessage, reportOf } from '../../../src/coordinator/service/reports.js';
import { CutlayerError } from '../../../src/errors.js';
import { signedCodec } from '../../../src/protocol/federation/message-codec.js';
import { taskAnswerOf, taskMessage } from '../../../src/protocol/federation/task-codec.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { toServiceError } from '../../../src/protocol/wire/status.js';
import { decodeStatus, encodeStatus } from '../../../src/protocol/wire/status-proto.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { confirmation, enlistment, federation, sealed, signed } from '../federation-values.js';
import { deserialized, inputFor, methodInput } from '../service-methods.js';
import type { Target } from '../target.js';
import { methodMessage } from '../wire-messages.js';

const service = { ...loadSplitService().service, ...loadFederationService().service };
const methods = Object.keys(service);
const rows = (received: Parameters<typeof decodeTensor>[0]) => decodeTensor(received, { name: 'answer', shape: ['*', '*'] });
const report = (received: Parameters<typeof reportOf>[0]) => reportOf(received);

/** What a client makes of each answer; each reads the answer of its method, which only the generated types know. */
// biome-ignore lint/suspicious/noExplicitAny: one parameter stands for the types of all answers.
const readers: Readonly<Record<string, (answer: any) => unknown>> = {
  GetModel: (answer) => parseServedModel(answer),
  Forward: (answer) => rows(answer.hiddenStates),
  Backward: (answer) => [answer.adapterCotangent, answer.hiddenStatesCotangent].map((tensor) => tensor && rows(tensor)),
  KeyValues: (answer) => decodeTensor(answer.keyValues, { name: 'keyValues', shape: [2, 2, '*', 2, 2] }),
  GetFederation: (answer) => signedCodec.value(answer.manifest, 'manifest'),
  NextTask: (answer) => taskAnswerOf(answer),
  GetBroadcasts: (answer) => answer.broadcasts.map((one: Parameters<typeof signedCodec.value>[0]) => signedCodec.value(one, 'broadcast')),
  GetVersion: (answer) => decodeTensor(answer.parameters, { name: 'parameters', shape: [8] }),
  ControlFederation: (answer) => report(answer),
  GetStatus: (answer) => answer.federations.map(report),
};

const answer = (method: string, message: object): Uint8Array => inputFor(service, method, message, 'response');
const status = toServiceError(new CutlayerError('INVALID_SHAPE', 'x: expected more', { details: { field: 'x' } }));
const details = status.metadata?.get('grpc-status-details-bin')[0] as Buffer; // a binary trailer
const base = { broadcasts: 3, remainingMs: 1000 };
const metrics = { loss: 1, accuracy: 0.5, exactMatch: 0 };
const reported = reportMessage({
  federation,
  name: 'ward notes',
  state: 'running',
  reason: '',
  round: {
    round: 2,
    purpose: 'train',
    stage: 'sharing',
    remainingMs: 500,
    cohort: ['ward-1'],
    answered: [],
    awaited: ['ward-1'],
    stageMs: 20,
  },
  versions: [
    { version: 0, parent: null, round: null, status: 'promoted', digest: 'ab', participants: 0, current: metrics, earlier: null, at: 1 },
    { version: 1, parent: 0, round: 1, status: 'candidate', digest: 'cd', participants: 3, current: null, earlier: metrics, at: 2 },
  ],
  released: 1,
  aborted: 0,
  privacy: { unit: 'client', epsilon: 1, delta: 1e-5, rounds: 1, sampling: 'all', maxEpsilon: 8 },
  bytesIn: 10,
  bytesOut: 20,
  broadcasts: 3,
  chainHead: 'ef',
  orders: 2,
  recent: [{ round: 1, purpose: 'evaluate', version: 1, aborted: null, at: 3, cohort: 3, lost: ['ward-2'] }],
  members: [{ name: 'ward-1', seenAt: 4 }],
});

/** The last method number stands for the trailer of a failed call. */
const TRAILER = methods.length;

export const target: Target = {
  examples: [
    answer('GetModel', {
      name: 'small',
      family: 'llama',
      backboneDigest: 'cd'.repeat(32),
      dims: { hiddenSize: 4, numLayers: 2, numHeads: 2, numKvHeads: 2, headDim: 2, maxPositions: 32 },
      cut: { bottom: 1, top: 1 },
      limits: { maxMessageBytes: 1000, maxBatch: 4, maxTokens: 32, maxVirtualTokens: 4, maxDeadlineMs: 1000 },
      wireDtypes: ['DTYPE_F32', 'DTYPE_BF16'],
      adapters: ['ADAPTER_KIND_SOFT_PROMPT'],
    }),
    answer('Forward', { hiddenStates: encodeTensor(f32([2, 2], [1, 2, 3, 4]), 'int8') }),
    answer('Backward', { adapterCotangent: encodeTensor(f32([1, 2], [1, 2]), 'f16') }),
    answer('KeyValues', { keyValues: encodeTensor(f32([2, 2, 1, 2, 2], Array(16).fill(1)), 'bf16') }),
    answer('GetFederation', { manifest: signedCodec.message(signed) }),
    answer('GetBroadcasts', { broadcasts: [signedCodec.message(signed)] }),
    answer('GetVersion', { parameters: encodeTensor(f32([8], Array(8).fill(1)), 'f32') }),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'wait', reason: 'no round' } })),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'enlist', round: 1, purpose: 'evaluate', version: 2, promoted: 1 } })),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'shareKeys', round: 1, cohort: [enlistment, enlistment] } })),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'submit', round: 1, cohort: [enlistment], inbox: sealed } })),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'confirm', round: 1, survivors: ['ward-1', 'ward-2'] } })),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'unmask', round: 1, confirmations: [confirmation] } })),
    answer('NextTask', taskMessage({ ...base, task: { kind: 'finished', reason: 'done' } })),
    answer('ControlFederation', reported),
    answer('GetStatus', { federations: [reported] }),
    Buffer.concat([Uint8Array.of(TRAILER), details]),
  ],
  made: methodMessage(methods.length + 1),
  words: ['running', 'promoted', 'candidate', 'cutlayer', 'type.googleapis.com/google.rpc.ErrorInfo'],
  run(input) {
    if (input[0] === TRAILER) {
      const rich = decodeStatus(Buffer.from(input.subarray(1)));
      if (rich !== undefined) assert.deepEqual(decodeStatus(encodeStatus(rich)), rich);
      return;
    }
    const { method, definition, bytes } = methodInput(service, input);
    const message = deserialized(() => definition.responseDeserialize(bytes));
    const value = readers[method]?.(message);
    if (method === 'NextTask') {
      const again = definition.responseDeserialize(definition.responseSerialize(taskMessage(value as ReturnType<typeof taskAnswerOf>)));
      assert.deepEqual(readers[method]?.(again), value);
    }
  },
};
