/** Options of `cutlayer pack`. */
import {
  choice,
  integerBetween,
  type OptionTable,
  optional,
  path,
  positiveNumber,
  required,
  text,
  toggle,
  type ValuesOf,
  withDefault,
} from '../../options/option.js';

const sides = ['bundle', 'backbone'] as const;

/** Options of the command. */
export const packOptions = {
  out: { ...required(path('dir', 'where the two artifacts go; written whole or not at all')), short: 'o' },
  bottom: { ...withDefault(integerBetween(0, 9999, 'blocks', 'blocks below the backbone, held by the client'), 0), short: 'k' },
  top: { ...withDefault(integerBetween(0, 9999, 'blocks', 'blocks above the backbone, held by the client'), 0), short: 'm' },
  onnx: optional(path('file', 'the backbone as a graph instead: hidden states in, hidden states out')),
  bundleFrom: optional(path('dir', 'with --onnx: directory with config.json, tokenizer, and the safetensors of embedding and head')),
  finalNorm: optional(choice('side', sides, 'with --onnx: who applies the final norm; needed where the directory holds one')),
  embedScale: optional(choice('side', sides, 'with --onnx: who scales embeddings, in families whose model scales them')),
  embedTensor: optional(text('name', 'with --onnx: the tensor that embeds tokens, where its name is unusual')),
  headTensor: optional(text('name', 'with --onnx: the tensor of the LM head, where its name is unusual')),
  headBias: optional(text('name', "with --onnx: the tensor of the head's bias, where its name is unusual")),
  logitScale: optional(positiveNumber('x', 'with --onnx: factor on the logits, where the config has one')),
  maxPositions: optional(integerBetween(1, 99_999_999, 'tokens', "with --onnx: longest sequence (default: the config's)")),
  name: optional(text('name', "the model's name (default: the config's, else the directory's)")),
  sign: optional(path('file', 'sign both manifests with this key (cutlayer signer new)')),
  measure: toggle(true, 'do not run the model on a few tokens, to say in the bundle whether f16 on the wire holds its values'),
  force: toggle(false, 'replace artifacts packed there before'),
  json: toggle(false, 'print the result as one JSON line on stdout'),
} satisfies OptionTable;

/** Parsed options of the command. */
export type PackFlags = ValuesOf<typeof packOptions>;
