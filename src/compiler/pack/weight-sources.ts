/** Matches a checkpoint's tensors with its config's weights: none missing, none extra. */
import { CutlayerError } from '../../errors.js';
import type { Checkpoint } from '../../safetensors/checkpoint.js';
import { isWeightDType, weightDTypes } from '../../safetensors/dtype.js';
import type { ModelDescription } from '../models/registry.js';
import { heldName, type Weight } from '../models/weights.js';

/** Where each weight comes from. */
export interface WeightSources {
  /** The checkpoint's name of a weight. */
  nameOf(weight: Weight): string;
  /** With a tied head: the checkpoint's copy of the head, which must equal the embedding. */
  readonly headCopy?: string;
}

const MAX_NAMED = 5;

/**
 * Checks that a checkpoint holds exactly the weights of a model.
 * @throws CutlayerError MISSING_TENSOR, UNEXPECTED_TENSOR, INVALID_SHAPE, UNSUPPORTED_CHECKPOINT
 *   (element types)
 */
export function matchWeights(model: ModelDescription, checkpoint: Checkpoint): WeightSources {
  const { tensors } = checkpoint;
  const { names } = model.family;
  const sources = new Map<Weight, string>();
  const missing: string[] = [];
  for (const weight of model.weights.all) {
    const name = heldName(names, tensors, weight.name);
    if (name === undefined) missing.push(weight.name);
    else sources.set(weight, name);
  }
  if (missing.length > 0) throw new CutlayerError('MISSING_TENSOR', `checkpoint: lacks ${listed(missing)}, which config.json asks for`);

  const head = names.model.head;
  const headCopy = model.spec.tiedHead && head !== undefined && tensors.has(head) ? head : undefined;
  const used = new Set([...sources.values(), ...(headCopy === undefined ? [] : [headCopy])]);
  const unexpected = [...tensors.keys()].filter((name) => !used.has(name) && !names.ignored.some((pattern) => pattern.test(name)));
  if (unexpected.length > 0) {
    throw new CutlayerError(
      'UNEXPECTED_TENSOR',
      `checkpoint: holds ${listed(unexpected)}, which a ${model.family.name} of this config does not have; merge adapters into the model before packing`,
    );
  }
  for (const [weight, name] of sources) checkTensor(checkpoint, name, weight.shape);
  if (headCopy !== undefined) checkTensor(checkpoint, headCopy, model.weights.model('embedTokens').shape);
  return { nameOf: (weight) => sources.get(weight)!, ...(headCopy !== undefined && { headCopy }) };
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

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(', ');
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}
