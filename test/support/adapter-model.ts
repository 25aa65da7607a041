/** A client model for adapters, without a bundle: dims and embeddings; all else throws. */
import type { AdapterDims } from '../../clients/typescript/adapters/adapter.js';
import type { AdapterModel } from '../../clients/typescript/adapters/context.js';
import { f32 } from '../../src/tensor/tensor.js';

const absent = (what: string) => async (): Promise<never> => {
  throw new Error(`this test's model has no ${what}`);
};

/**
 * A model of 50 tokens: the embedding of token t is t + j / 100 at column j, a text's tokens are
 * its letters.
 */
export function adapterModel(dims: AdapterDims, other: Partial<AdapterModel> = {}): AdapterModel {
  const vocabSize = 50;
  return {
    dims,
    vocabSize,
    family: 'llama',
    identity: { backboneDigest: 'a'.repeat(64), tokenizerDigest: 'b'.repeat(64) },
    embedScale: 1,
    promptScale: 1,
    modules: { embedTokens: 'model.embed_tokens', head: 'lm_head' },
    tiedHead: false,
    linearLayout: 'outIn',
    blockWeights: [],
    encode: (text) => [...text].map((letter) => letter.charCodeAt(0) % vocabSize),
    embed: async (ids) =>
      f32(
        [ids.length, dims.hiddenSize],
        ids.flatMap((id) => Array.from({ length: dims.hiddenSize }, (_, j) => id + j / 100)),
      ),
    weight: absent('weights'),
    runMethod: absent('graphs of methods'),
    runMethodVjp: absent('graphs of methods'),
    ...other,
  };
}
