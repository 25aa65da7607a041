/**
 * The rows of single tokens as they enter the backbone, for decoding. That needs a client that
 * holds no block: its part of each row then depends on the token and its position alone.
 */
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import { unlabelledBatch } from '../data/batch.js';
import type { ClientBundle } from './client-bundle.js';
import type { RemoteModel } from './remote-model.js';
import type { RemoteSessionOptions } from './remote-session.js';
import { replaceTokenRows } from './token-rows.js';

type Floats = Tensor<'float32'>;

/** Whether continuations of this model and adapter can be decoded at the gateway. */
export function canDecode(bundle: ClientBundle, remote: RemoteModel, { blockWeights, classifier, softPrompt, prefix }: StepParts): boolean {
  const { bottom, top } = bundle.dims;
  const { maxDecodeRows, adapters } = remote.connection.card;
  const holdsBlocks = bottom > 0 || top > 0 || bundle.has('top') || blockWeights !== undefined;
  const taken = (softPrompt === undefined || adapters.includes('softPrompt')) && (prefix === undefined || adapters.includes('prefix'));
  return maxDecodeRows > 0 && !holdsBlocks && classifier === undefined && taken;
}

/**
 * The rows of tokens: [tokens, hiddenSize].
 * @param position of the first one, virtual tokens counted
 */
export async function tokenInputRows(
  bundle: ClientBundle,
  { tokenRows }: StepParts,
  ids: readonly number[],
  position: number,
  signal?: AbortSignal,
): Promise<Floats> {
  const batch = unlabelledBatch([ids]);
  const inputsEmbeds = await bundle.inputsEmbeds(batch.tokenIds, signal);
  if (tokenRows !== undefined) replaceTokenRows(inputsEmbeds, batch, tokenRows, bundle.embedScale);
  const shape = [ids.length, bundle.dims.hiddenSize];
  if (!bundle.has('bottom')) return f32(shape, inputsEmbeds.data);
  // A bottom without blocks adds positions: behind a prefix they begin after its tokens.
  const numVirtualTokens = tensor('int64', [], BigInt64Array.of(BigInt(position)));
  const variant = { span: 'bottom', kind: 'prefix', trained: false } as const;
  const { hiddenStates } = await bundle.spanForward(variant, { inputsEmbeds, numVirtualTokens }, signal);
  return f32(shape, hiddenStates!.data);
}

/** An adapter's virtual tokens as a session begins with them. */
export async function sessionAdapter(
  bundle: ClientBundle,
  { softPrompt, prefix }: StepParts,
  signal?: AbortSignal,
): Promise<RemoteSessionOptions['adapter']> {
  if (prefix !== undefined) return { kind: 'prefix', value: prefix };
  if (softPrompt === undefined) return undefined;
  if (!bundle.has('bottom')) return { kind: 'softPrompt', value: softPrompt };
  const inputsEmbeds = f32([1, 1, bundle.dims.hiddenSize], new Float32Array(bundle.dims.hiddenSize));
  const variant = { span: 'bottom', kind: 'softPrompt', trained: false } as const;
  const { softPromptHidden } = await bundle.spanForward(variant, { inputsEmbeds, softPrompt }, signal);
  return { kind: 'softPrompt', value: softPromptHidden ?? softPrompt };
}
