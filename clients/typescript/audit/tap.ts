/**
 * What a vendor sees of a step: a connection whose messages are also read as the gateway reads
 * them. So it shows what is sent after every stage of the client, rounded to the wire's type.
 */
import { CutlayerError } from '../../../src/errors.js';
import type { BackwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import type { BackwardResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/BackwardResponse.js';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { ForwardResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardResponse.js';
import type { Tensor__Output, Tensor as TensorMessage } from '../../../src/protocol/wire/generated/cutlayer/v1/Tensor.js';
import { decodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Connection } from '../connection/connect.js';
import type { SeenRecord } from './seen.js';

type Floats = Tensor<'float32'>;

/** A connection that is listened to, and what was heard of the last step of one sequence. */
export interface Tap {
  readonly connection: Connection;
  /** The last step. @throws CutlayerError INTERNAL when nothing was sent */
  seen(): SeenRecord;
}

/** How a tap listens. */
export interface TapOptions {
  /** False: nothing is sent. Default true. */
  readonly answered?: boolean;
  /** Milliseconds since any moment. */
  readonly now?: () => number;
}

/** Listens to a connection, which stays open by itself. */
export function tapped(to: Connection, { answered = true, now = () => performance.now() }: TapOptions = {}): Tap {
  let answeredAt = 0;
  let last: SeenRecord | undefined;
  const call = async (method: string, request: object, options?: object): Promise<unknown> => {
    if (method === 'Forward') last = sentRows(request as ForwardRequest);
    if (method === 'Backward') {
      const lossMs = now() - answeredAt;
      last = { ...last!, lossMs, cotangents: rowsOf((request as BackwardRequest).cotangent, 'cotangent') };
    }
    if (!answered) throw new CutlayerError('CANCELLED', 'audit: without a gateway nothing is answered');
    const answer = await (to.call as (method: string, request: object, options?: object) => Promise<unknown>)(method, request, options);
    answeredAt = now();
    if (method === 'Forward') last = { ...last!, outputs: rowsOf((answer as ForwardResponse__Output).hiddenStates, 'outputs') };
    if (method === 'Backward' && last!.prompt !== undefined) {
      const { adapterCotangent } = answer as BackwardResponse__Output;
      if (adapterCotangent !== null) last = { ...last!, promptCotangent: rowsOf(adapterCotangent, 'adapterCotangent') };
    }
    return answer;
  };
  // Everything else is the connection's own.
  const connection = Object.create(to, { call: { value: call } }) as Connection;
  return {
    connection,
    seen() {
      if (last === undefined) throw new CutlayerError('INTERNAL', 'audit: the client has sent nothing');
      return last;
    },
  };
}

function sentRows({ hiddenStates, lengths, positions, softPrompt, prefix }: ForwardRequest): SeenRecord {
  const rows = rowsOf(hiddenStates, 'hiddenStates');
  const sequences = lengths?.length ?? 1;
  if (sequences !== 1) throw new CutlayerError('INTERNAL', `audit: expected a step of one sequence, got ${sequences}`);
  const prompt = softPrompt == null ? undefined : decoded(softPrompt, 'softPrompt');
  return {
    rows,
    length: lengths?.[0] ?? rows.shape[0]!,
    leading: prompt?.shape[0] ?? 0,
    virtualTokens: prompt?.shape[0] ?? prefix?.shape?.[2] ?? 0,
    positions: [...(positions ?? [])],
    ...(prompt === undefined ? {} : { prompt }),
  };
}

/** Any tensor of rows as [rows, d]. */
function rowsOf(message: TensorMessage | null | undefined, name: string): Floats {
  const { shape, data } = decoded(message, name);
  const d = shape.at(-1)!;
  return f32([data.length / d, d], data);
}

function decoded(message: TensorMessage | null | undefined, name: string): Floats {
  const whole = { scales: Buffer.alloc(0), ...message } as Tensor__Output; // of a type without scales it has none
  return decodeTensor(whole, { name: `audit: ${name}`, shape: message?.shape ?? [] });
}
