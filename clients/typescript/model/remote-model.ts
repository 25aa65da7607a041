/**
 * Layer 1: the vendor's backbone as one differentiable call, `forward`, and its vjp, `backward`.
 * Both are repeated by the error table; a step that the gateway lost is sent again under its id.
 */
import { randomUUID } from 'node:crypto';
import { Mutex } from 'async-mutex';
import { CutlayerError } from '../../../src/errors.js';
import type { BackwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { KeyValuesRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/KeyValuesRequest.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { wireBytes } from '../../../src/protocol/wire/wire-dtype.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { addWork, type ChargedWork } from '../connection/charged-work.js';
import type { Connection } from '../connection/connect.js';
import type { VirtualTokenKind } from '../connection/served-model.js';
import { type WireRows, wireRows } from './wire-rows.js';

/** The backbone's input. It must not change before the step ends: it may be sent again. */
export interface ForwardInput {
  /** [batch, sequence, hiddenSize], right-padded. */
  readonly hiddenStates: Tensor<'float32'>;
  /** Real tokens of each sequence. */
  readonly lengths: readonly number[];
  /** Soft prompt [P, hiddenSize], or prefix [backbone layers, 2, P, kvHeads, headDim]. */
  readonly adapter?: { readonly kind: VirtualTokenKind; readonly value: Tensor<'float32'> } | undefined;
  /** Rows wanted, strictly increasing (numbered as in split.proto); absent: all. */
  readonly positions?: readonly number[] | undefined;
  /** Whether `backward` will be called. Default true. */
  readonly training?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What `backward` gives. */
export interface Cotangents {
  /** The adapter's shape, summed over the batch; absent without an adapter. */
  readonly adapter?: Tensor<'float32'>;
  /** [batch, sequence, hiddenSize], when wanted. */
  readonly hiddenStates?: Tensor<'float32'>;
}

/** A step whose forward pass has run. */
export interface RemoteStep {
  readonly stepId: string;
  /** [rows, hiddenSize] */
  readonly output: Tensor<'float32'>;
  /**
   * The vjp of the step.
   * @param cotangent [rows, hiddenSize], of `output`.
   * @throws CutlayerError INVALID_ARGUMENT when the step was not run for training
   */
  backward(cotangent: Tensor<'float32'>, options?: BackwardOptions): Promise<Cotangents>;
}

/** What `backward` is to give besides the adapter's cotangent. */
export interface BackwardOptions {
  readonly wantHiddenStates?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Most times a step is sent again; then the gateway's memory is called too small. */
const MAX_RESENDS = 8;

/** The backbone behind a connection. Many steps may be under way at once. */
export class RemoteModel {
  readonly connection: Connection;
  readonly #run = randomUUID();
  #steps = 0;
  readonly #recovery = new Mutex();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Runs the backbone. @throws CutlayerError the gateway's; UNAVAILABLE; CANCELLED; NON_FINITE */
  async forward(input: ForwardInput): Promise<RemoteStep> {
    const { wireDtype, card } = this.connection;
    const training = input.training ?? true;
    const stepId = `${this.#run}.${this.#steps++}`;
    const { hiddenStates, adapter, lengths, positions = [] } = input;
    const [batch, sequence] = hiddenStates.shape as readonly [number, number, number];
    const crossing = wireRows({ batch, sequence, lengths }, card.packedRows);
    const sent = crossing.hiddenStates(hiddenStates);
    const promptRows = promptRowsOf(input);
    const request: ForwardRequest = {
      stepId,
      backboneDigest: card.backboneDigest,
      hiddenStates: encodeTensor(sent, wireDtype, 'hiddenStates'),
      lengths: [...lengths],
      positions: [...crossing.positions(positions, promptRows)],
      training,
      ...(adapter === undefined ? {} : { [adapter.kind]: encodeTensor(adapter.value, wireDtype, adapter.kind), adapter: adapter.kind }),
    };
    const forward = promptRows + crossing.count;
    const rows = positions.length || forward;
    const payloadUp = wireBytes(sent.shape, wireDtype) + (adapter === undefined ? 0 : wireBytes(adapter.value.shape, wireDtype));
    let answered = false;
    const send = async (signal?: AbortSignal): Promise<Tensor<'float32'>> => {
      const response = await this.connection.call('Forward', request, { signal });
      const bytesOut = this.#count(payloadUp, response.hiddenStates?.data, response.hiddenStates?.scales);
      // A step that is sent again is charged once.
      if (!answered) this.#charge({ forward, bytesIn: payloadUp, bytesOut });
      answered = true;
      const answer = decodeTensor(response.hiddenStates, { name: 'Forward.hiddenStates', shape: [rows, card.dims.hiddenSize] });
      return positions.length > 0 ? answer : crossing.allPadded(answer, promptRows);
    };
    const output = await send(input.signal);
    return {
      stepId,
      output,
      backward: (cotangent, options = {}) => {
        if (!training) throw new CutlayerError('INVALID_ARGUMENT', `step ${stepId} was run with training: false and has no backward`);
        const ofSent = positions.length > 0 ? cotangent : crossing.allRows(cotangent, promptRows);
        return this.#backward({ stepId, input, crossing, resend: send }, ofSent, options);
      },
    };
  }

  /**
   * What the backbone's blocks would cache for one sequence, in float32.
   * @param hiddenStates [1, sequence, hiddenSize], as it enters the backbone.
   * @returns Rotated keys, and values: [backbone layers, 2, sequence, numKvHeads, headDim]
   * @throws CutlayerError PREFIX_INIT_REFUSED by the vendor's policy; else as forward
   */
  async keyValues(hiddenStates: Tensor<'float32'>, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const { backboneDigest, dims } = this.connection.card;
    const request: KeyValuesRequest = { backboneDigest, hiddenStates: encodeTensor(hiddenStates, 'f32', 'hiddenStates') };
    const { keyValues } = await this.connection.call('KeyValues', request, { signal });
    const bytesIn = wireBytes(hiddenStates.shape, 'f32');
    this.#charge({ forward: hiddenStates.shape[1]!, bytesIn, bytesOut: this.#count(bytesIn, keyValues?.data) });
    const shape = [dims.numLayers, 2, hiddenStates.shape[1]!, dims.numKvHeads, dims.headDim];
    return decodeTensor(keyValues, { name: 'KeyValues.keyValues', shape });
  }

  /** @param cotangent of the answered rows, as they crossed */
  async #backward(
    { stepId, input, crossing, resend }: SentStep,
    cotangent: Tensor<'float32'>,
    options: BackwardOptions,
  ): Promise<Cotangents> {
    const { wireDtype } = this.connection;
    const request: BackwardRequest = {
      stepId,
      cotangent: encodeTensor(cotangent, wireDtype, 'cotangent'),
      wantHiddenStates: options.wantHiddenStates ?? false,
    };
    const payloadUp = wireBytes(cotangent.shape, wireDtype);
    const send = async (): Promise<Cotangents> => {
      const response = await this.connection.call('Backward', request, { signal: options.signal });
      const { adapterCotangent, hiddenStatesCotangent } = response;
      const { adapter } = input;
      const tensors = [adapterCotangent, hiddenStatesCotangent];
      const bytesOut = this.#count(payloadUp, ...tensors.flatMap((tensor) => [tensor?.data, tensor?.scales]));
      if (bytesOut > 0) this.#charge({ backward: promptRowsOf(input) + crossing.count, bytesIn: payloadUp, bytesOut });
      return {
        ...(adapter === undefined
          ? {}
          : { adapter: decodeTensor(adapterCotangent, { name: 'Backward.adapterCotangent', shape: adapter.value.shape }) }),
        ...(request.wantHiddenStates
          ? {
              hiddenStates: crossing.padded(
                decodeTensor(hiddenStatesCotangent, {
                  name: 'Backward.hiddenStatesCotangent',
                  shape: crossing.shape(input.hiddenStates.shape[2]!),
                }),
              ),
            }
          : {}),
      };
    };
    const first = await send().catch(resendable);
    if (!(first instanceof CutlayerError)) return first;
    // One at a time: steps that are sent again side by side would evict each other for ever.
    return this.#recovery.runExclusive(async () => {
      for (let resends = 1; ; resends++) {
        await resend(options.signal);
        const result = await send().catch(resendable);
        if (!(result instanceof CutlayerError)) return result;
        if (resends === MAX_RESENDS) throw result;
      }
    });
  }

  /** Counts payloads. @returns the bytes that were received */
  #count(up: number, ...received: readonly (Uint8Array | undefined)[]): number {
    const { counters } = this.connection;
    const down = received.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
    counters.bytesUp += up;
    counters.bytesDown += down;
    return down;
  }

  #charge(work: Partial<ChargedWork>): void {
    this.connection.charged = addWork(this.connection.charged, work);
  }
}

/** A step that was sent. */
interface SentStep {
  readonly stepId: string;
  readonly input: ForwardInput;
  readonly crossing: WireRows;
  readonly resend: (signal?: AbortSignal) => Promise<unknown>;
}

/** Rows of the step's soft prompt. */
const promptRowsOf = ({ adapter }: ForwardInput): number => (adapter?.kind === 'softPrompt' ? adapter.value.shape[0]! : 0);

/** A failure that sending Forward again mends, as a value; every other error is thrown. */
function resendable(caught: unknown): CutlayerError {
  const error = CutlayerError.from(caught);
  if (error.retry === 'resendForward') return error;
  throw error;
}
