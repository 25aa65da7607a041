/** A client's connection to a gateway: a channel to the split service, model card, counters. */

import { loadDecodeService } from '../../../src/protocol/wire/decode-service.js';
import type { DecodeDefinition } from '../../../src/protocol/wire/generated/cutlayer/v1/Decode.js';
import type { DecodeRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import type { DecodeResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeResponse.js';
import type { SplitDefinition } from '../../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import type { Attested } from './attestation/policy.js';
import { type ChargedWork, noWork } from './charged-work.js';
import type { MessageStream } from './message-stream.js';
import type { RetryNotice, RetryPolicy } from './retry.js';
import { type ChannelOptions, type MethodsOf, openChannel, type RpcChannel } from './rpc-channel.js';
import { checkWireDType, parseServedModel, type ServedModel } from './served-model.js';

/** How to reach a gateway. Default deadline of calls: 120 s, or the gateway's limit if less. */
export interface ConnectOptions extends ChannelOptions {
  /** Element type of tensors on the wire. Default f32. */
  readonly wireDtype?: WireDType;
  /** Text that all sequences of a batch begin with is sent once. Default true. */
  readonly shareText?: boolean;
  readonly signal?: AbortSignal;
}

/** Tensor payload bytes sent and received, without framing, and repeated calls. */
export interface WireCounters {
  bytesUp: number;
  bytesDown: number;
  retries: number;
  /** Rows that were not sent, because another sequence of the batch begins with them too. */
  rowsShared: number;
}

/** The services of a gateway. */
type GatewayDefinition = MethodsOf<SplitDefinition> & MethodsOf<DecodeDefinition>;

type SplitChannel = RpcChannel<GatewayDefinition>;

/** A stream of one decode session. */
export type DecodeStream = MessageStream<DecodeRequest, DecodeResponse__Output>;

export class Connection {
  readonly address: string;
  readonly card: ServedModel;
  readonly wireDtype: WireDType;
  readonly shareText: boolean;
  readonly counters: WireCounters = { bytesUp: 0, bytesDown: 0, retries: 0, rowsShared: 0 };
  /** Steps that were answered, each once, as the gateway charges them. */
  charged: ChargedWork = noWork;
  /** One call, repeated by the error table; see `RpcChannel.call`. */
  readonly call: SplitChannel['call'];
  /** Opens a decode stream. @param fresh with a token that is asked for again */
  readonly decodeStream: (fresh?: boolean) => Promise<DecodeStream>;
  /** How calls are repeated. */
  readonly retry: RetryPolicy;
  /** Told of every call that will be repeated. */
  readonly onRetry: (notice: RetryNotice) => void;
  readonly #channel: SplitChannel;

  /** Use {@link connect}. */
  constructor(channel: SplitChannel, options: ConnectOptions, card: ServedModel) {
    this.address = options.address;
    this.card = card;
    this.wireDtype = options.wireDtype ?? 'f32';
    this.shareText = options.shareText ?? true;
    this.#channel = channel;
    const deadlineMs = Math.min(options.deadlineMs ?? 120_000, card.limits.maxDeadlineMs);
    this.retry = options.retry ?? {};
    this.onRetry = (notice) => {
      this.counters.retries += 1;
      options.onRetry?.(notice);
    };
    this.call = (method, request, callOptions = {}) => channel.call(method, request, { deadlineMs, ...callOptions, onRetry: this.onRetry });
    // A stream lives as long as it may: each one costs a message to go on with its session.
    this.decodeStream = (fresh = false) => channel.stream('Decode', { deadlineMs: card.limits.maxDeadlineMs, fresh });
  }

  /** What was verified of the gateway's code last; undefined where nothing is demanded. */
  get attested(): Attested | undefined {
    return this.#channel.attested;
  }

  /** Closes the channel; calls under way fail with CANCELLED or UNAVAILABLE. */
  close(): void {
    this.#channel.close();
  }
}

/** A gateway silent from the start is rather a wrong address than a restart: wait less. */
const MAX_FIRST_WAIT_MS = 20_000;

/**
 * Connects and fetches the model card.
 * @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND (token or CA file), UNAVAILABLE,
 *   CERTIFICATE_REJECTED, TOKEN_*, SCOPE_MISSING, ATTESTATION_*
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { Decode } = loadDecodeService().service;
  const channel = await openChannel({ ...loadSplitService().service, Decode }, 'gateway', options);
  try {
    const answer = await channel.call(
      'GetModel',
      {},
      {
        deadlineMs: Math.min(options.deadlineMs ?? 30_000, 30_000),
        retry: { ...options.retry, retryForMs: Math.min(options.retry?.retryForMs ?? MAX_FIRST_WAIT_MS, MAX_FIRST_WAIT_MS) },
        signal: options.signal,
      },
    );
    const card = parseServedModel(answer);
    checkWireDType(card, options.wireDtype ?? 'f32');
    return new Connection(channel, options, card);
  } catch (error) {
    channel.close();
    throw error;
  }
}
