/**
 * Names that a checkpoint gives its tensors, as the family's own names. Training wrappers put words
 * into them; a base model saved without its head leaves the family's prefix out.
 */
import { CutlayerError } from '../../errors.js';
import type { WeightNames } from './weights.js';

/** Words of torch.compile, of FSDP and of activation checkpointing, anywhere in a name. */
const INNER_WRAPPERS = /(^|\.)(?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+/g;
/** Data parallel training. */
const DATA_PARALLEL = /^(?:module\.)+/;
/** A trainer's own module around the model. */
const TRAINER = /^(?:model\.)+(?=(?:model|transformer|lm_head)\.)/;

/**
 * The checkpoint's name of each tensor, by the family's.
 * @throws CutlayerError UNEXPECTED_TENSOR for two tensors of one name
 */
export function tensorNames(names: WeightNames, tensors: Iterable<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const tensor of tensors) {
    const name = familyName(names, tensor);
    const other = found.get(name);
    if (other !== undefined)
      throw new CutlayerError('UNEXPECTED_TENSOR', `checkpoint: ${other} and ${tensor} are both ${name}; keep one of them`);
    found.set(name, tensor);
  }
  return found;
}

function familyName({ optionalPrefix = '', rename, model }: WeightNames, tensor: string): string {
  const plain = tensor.replaceAll(INNER_WRAPPERS, '$1').replace(DATA_PARALLEL, '');
  const unwrapped = (rename?.(plain) ?? plain).replace(TRAINER, '');
  const isHead = unwrapped.replace(/\.(weight|bias)$/, '') === model.head?.replace(/\.weight$/, '');
  return isHead || unwrapped.startsWith(optionalPrefix) ? unwrapped : `${optionalPrefix}${unwrapped}`;
}
