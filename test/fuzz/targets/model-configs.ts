/** `config.json` of a checkpoint, up to the description of the decoder. */
import { describeModel } from '../../../src/compiler/models/registry.js';
import { corpus } from '../inputs.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

export const target: Target = {
  made: editedJson(corpus('model-configs').map((bytes) => JSON.parse(bytes.toString()) as unknown)),
  words: [
    '"rope_scaling":{"rope_type":"yarn","factor":4.0}',
    '"layer_types":["sliding_attention"]',
    '"model_type":"gemma2"',
    '1e308',
    'null',
  ],
  run(input) {
    describeModel(Buffer.from(input).toString());
  },
};
