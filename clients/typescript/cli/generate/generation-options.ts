/** Options of every command that generates text: the adapter, and how tokens are chosen. */
import {
  nonNegativeInteger,
  nonNegativeNumber,
  number,
  numberBetween,
  optional,
  path,
  positiveInteger,
  positiveNumber,
  text,
  texts,
  withDefault,
} from '../../../../src/options/option.js';
import { constraintOptions } from './constraint-option.js';

/** The small model, at every command that generates. */
export const draftModel = optional(path('dir', 'a small model of the same tokenizer, as cutlayer pack writes it, that drafts tokens here'));

export const generationOptions = {
  adapter: optional(path('dir', "saved adapter, or a run's directory (default: the bare model)")),
  task: optional(text('name', 'the task, for an adapter with tasks')),
  maxNewTokens: withDefault(positiveInteger('n', 'stop after n tokens'), 128),
  temperature: withDefault(nonNegativeNumber('t', '0: always the most probable token'), 0),
  topK: optional(positiveInteger('k', "draw from the k most probable tokens (default: the model's, else all)")),
  topP: optional(positiveNumber('p', "draw from the fewest tokens with this probability (default: the model's, else 1)")),
  minP: withDefault(numberBetween(0, 1, 'p', 'draw from tokens with this share of the largest probability'), 0),
  typicalP: withDefault(positiveNumber('p', 'draw from the tokens of nearly expected information that hold this much'), 1),
  repetitionPenalty: optional(positiveNumber('r', "make tokens that are there less probable (default: the model's, else 1)")),
  presencePenalty: withDefault(number('p', 'taken off the logits of generated tokens', 'a number', Number.isFinite), 0),
  frequencyPenalty: withDefault(number('p', 'the same, for each time that a token came', 'a number', Number.isFinite), 0),
  stop: optional(texts('text', 'the text ends before this string; may be repeated')),
  ...constraintOptions,
  minTokens: withDefault(nonNegativeInteger('n', 'do not stop before n tokens'), 0),
  draftTokens: withDefault(
    nonNegativeInteger('n', 'tokens drafted at a time, from the text or by --draft-model; they save round trips and change no token'),
    16,
  ),
  draftModel,
  seed: withDefault(nonNegativeInteger('n', 'of the drawing'), 0),
};
