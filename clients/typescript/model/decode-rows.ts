/**
 * The rows of single tokens, for decoding. They are embedded one by one: positions and blocks of
 * the client follow from the sequence that they extend.
 */
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import { unlabelledBatch } from '../data/batch.js';
import type { ClientBundle } from './client-bundle.js';
import type { RemoteModel } from './remote-model.js';
import { replaceTokenRows } from './token-rows.js';

type Floats = Tensor<'float32'>;

/** Whether continuations of this model and adapter can be decoded, here and at the gateway. */
export function canDecode({ decoders }: ClientBundle, remote: RemoteModel, { classifier, softPrompt, prefix }: StepParts): boolean {
  const { maxDecodeRows, adapters } = remote.connection.card;
  const taken = (softPrompt === undefined || adapters.includes('softPrompt')) && (prefix === undefined || adapters.includes('prefix'));
  return maxDecodeRows > 0 && decoders.complete && classifier === undefined && taken;
}

/** The longest sessions, in rows. */
export interface SessionRows {
  /** To where a rope begins to depend on the length, virtual tokens among them. */
  readonly short: number;
  /** With the rope of long sequences; 0: there are none. */
  readonly long: number;
}

/** Those of a gateway and a bundle. */
export function sessionRows({ decoders }: ClientBundle, { connection: { card } }: RemoteModel): SessionRows {
  return { short: card.maxDecodeRows, long: decoders.haveLongRope ? card.maxLongDecodeRows : 0 };
}

/** What to tell of a bundle that keeps a gateway from decoding; undefined where it does not. */
export function decodeNote({ decoders }: ClientBundle, remote: RemoteModel): string | undefined {
  if (decoders.complete || remote.connection.card.maxDecodeRows === 0) return undefined;
  return (
    'each token runs the whole sequence: this bundle holds blocks and was packed without graphs to decode through them; ' +
    'a vendor who packs the checkpoint again makes generation fast'
  );
}

/** Which rows of a text. */
export interface InputTokens {
  readonly ids: readonly number[];
  /** Of the first one, virtual tokens counted. */
  readonly position: number;
  /** Changes their embeddings in place. */
  readonly onEmbeddings?: (rows: Float32Array) => void;
}

/**
 * The rows of tokens as the client's blocks take them, or else the backbone: [tokens, hiddenSize].
 */
export async function tokenInputRows(
  bundle: ClientBundle,
  { tokenRows }: StepParts,
  { ids, position, onEmbeddings }: InputTokens,
  signal?: AbortSignal,
): Promise<Floats> {
  const batch = unlabelledBatch([ids]);
  const inputsEmbeds = await bundle.inputsEmbeds(batch.tokenIds, signal);
  if (tokenRows !== undefined) replaceTokenRows(inputsEmbeds, batch, tokenRows, bundle.embedScale);
  onEmbeddings?.(inputsEmbeds.data);
  const shape = [ids.length, bundle.dims.hiddenSize];
  // The graph of a bottom's blocks adds learned positions itself.
  if (!bundle.has('bottom') || bundle.dims.bottom > 0) return f32(shape, inputsEmbeds.data);
  // A bottom without blocks adds positions: behind a prefix they begin after its tokens.
  const numVirtualTokens = tensor('int64', [], BigInt64Array.of(BigInt(position)));
  const variant = { span: 'bottom', kind: 'prefix', trained: false } as const;
  const { hiddenStates } = await bundle.spanForward(variant, { inputsEmbeds, numVirtualTokens }, signal);
  return f32(shape, hiddenStates!.data);
}

/** A soft prompt [P, hiddenSize] likewise. */
export async function promptInputRows(bundle: ClientBundle, softPrompt: Floats, signal?: AbortSignal): Promise<Floats> {
  if (!bundle.has('bottom') || bundle.dims.bottom > 0) return softPrompt;
  const inputsEmbeds = f32([1, 1, bundle.dims.hiddenSize], new Float32Array(bundle.dims.hiddenSize));
  const variant = { span: 'bottom', kind: 'softPrompt', trained: false } as const;
  const { softPromptHidden } = await bundle.spanForward(variant, { inputsEmbeds, softPrompt }, signal);
  return softPromptHidden!;
}
