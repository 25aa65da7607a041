/** Prompts of a request: texts or token ids, one or several. */
import { badField } from '../http/problem.js';
import type { TextModel } from '../model/text-model.js';

/** A field of texts or ids. */
export type PromptValue = string | readonly number[] | readonly string[] | readonly (readonly number[])[];

/** The ids of each prompt. @throws CutlayerError INVALID_ARGUMENT (none, or an unknown id) */
export function promptsOf(value: PromptValue, model: TextModel, param: string): readonly (readonly number[])[] {
  const all = typeof value === 'string' ? [model.promptIds(value)] : listed(value, model);
  if (all.length === 0) throw badField(param, 'expected at least one, got an empty list');
  for (const id of all.flat())
    if (id >= model.vocabSize) throw badField(param, `expected token ids from 0 to ${model.vocabSize - 1}, got ${id}`);
  return all;
}

function listed(value: Exclude<PromptValue, string>, model: TextModel): readonly (readonly number[])[] {
  if (value.length > 0 && value.every((item) => typeof item === 'number')) return [value as readonly number[]]; // all are numbers
  return (value as readonly (string | readonly number[])[]).map((item) => (typeof item === 'string' ? model.promptIds(item) : item));
}
