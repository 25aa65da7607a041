/** Matches a checkpoint's tensors with its config's weights: none missing, none extra. */
import { CutlayerError } from '../../errors.js';
import type { Checkpoint } from '../../safetensors/checkpoint.js';
import { isWeightDType, weightDTypes } from '../../safetensors/dtype.js';
import type { ModelDescription } from '../models/registry.js';
import { tensorNames } from '../models/tensor-names.js';
import type { Weight } from '../models/weights.js';

/** Where each weight comes from. */
export interface WeightSources {
  /** The checkpoint's name of a weight. */
  nameOf(weight: Weight): string;
  /** With a tied head: the checkpoint's copy of the head, which must equal the embedding. */
  readonly headCopy?: string;
}

const MAX_NAMED = 5;
/** Names of tensors that the checkpoint holds, in an error about those that it lacks. */
const MAX_SHOWN = 3;

/**
 * Checks that a checkpoint holds exactly the weights of a model.
 * @throws CutlayerError MISSING_TENSOR, UNEXPECTED_TENSOR, INVALID_SHAPE, UNSUPPORTED_CHECKPOINT
 *   (element types)
 */
export function matchWeights(model: ModelDescription, checkpoint: Checkpoint): WeightSources {
  const { tensors } = checkpoint;
  const { names } = model.family;
  const held = tensorNames(names, tensors.keys());
  const sources = new Map<Weight, string>();
  const missing: string[] = [];
  for (const weight of model.weights.all) {
    const name = held.get(weight.name);
    if (name === undefined) missing.push(weight.name);
    else sources.set(weight, name);
  }
  if (missing.length > 0) throw new CutlayerError('MISSING_TENSOR', missingMessage(model, missing, held));

  const head = names.model.head;
  const headCopy = model.spec.tiedHead && head !== undefined ? held.get(head) : undefined;
  const used = new Set([...sources.values(), ...(headCopy === undefined ? [] : [headCopy])]);
  const unexpected = [...held].flatMap(([name, tensor]) =>
    used.has(tensor) || names.ignored.some((pattern) => pattern.test(name)) ? [] : [tensor],
  );
  if (unexpected.length > 0) {
    throw new CutlayerError(
      'UNEXPECTED_TENSOR',
      `checkpoint: holds ${listed(unexpected, MAX_NAMED)}, which a ${model.family.name} of this config does not have; merge adapters into the model before packing`,
    );
  }
  for (const [weight, name] of sources) checkTensor(checkpoint, name, weight.shape);
  if (headCopy !== undefined) checkTensor(checkpoint, headCopy, model.weights.model('embedTokens').shape);
  return { nameOf: (weight) => sources.get(weight)!, ...(headCopy !== undefined && { headCopy }) };
}

/** What lacks, what is there instead, and the likely cause. */
function missingMessage(
  { weights, spec, family }: ModelDescription,
  missing: readonly string[],
  held: ReadonlyMap<string, string>,
): string {
  const wanted = new Set(weights.all.map(({ name }) => name));
  const others = [...held].flatMap(([name, tensor]) => (wanted.has(name) ? [] : [tensor]));
  const shown = others.length > 0 ? others : [...held.values()];
  const holds = shown.length === 0 ? 'it holds no tensor' : `it holds ${listed(shown, MAX_SHOWN)}`;
  return `checkpoint: lacks ${listed(missing, MAX_NAMED)}, which config.json asks for; ${holds}${cause()}`;

  function cause(): string {
    const { head } = family.names.model;
    if (missing.length === 1 && missing[0] === head)
      return '. Where the head is tied to the embedding, set tie_word_embeddings to true in config.json';
    const blocks = new Set([...held.keys()].flatMap((name) => /\.(\d+)\./.exec(name)?.[1] ?? []));
    const sameBlocks = missing.every((name) => Number(/\.(\d+)\./.exec(name)?.[1] ?? -1) >= blocks.size);
    if (sameBlocks && blocks.size > 0) return `. It has ${blocks.size} blocks, config.json says ${spec.numLayers}`;
    if (missing.length < wanted.size) return '. Is config.json of this checkpoint, and are all its shards there?';
    return `. Names of a ${family.name} begin as ${missing[0]}: rename the tensors, or correct model_type`;
  }
}

function checkTensor(checkpoint: Checkpoint, name: string, wanted: readonly number[]): void {
  const { dtype, shape } = checkpoint.tensors.get(name)!;
  if (!isWeightDType(dtype))
    throw new CutlayerError(
      'UNSUPPORTED_CHECKPOINT',
      `checkpoint: ${name}: expected ${weightDTypes.join(', ')}, got ${dtype}; save the model in one of those`,
    );
  if (shape.length !== wanted.length || shape.some((dim, axis) => dim !== wanted[axis]))
    throw new CutlayerError('INVALID_SHAPE', `checkpoint: ${name}: expected [${wanted.join(', ')}], got [${shape.join(', ')}]`);
}

function listed(names: readonly string[], most: number): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
