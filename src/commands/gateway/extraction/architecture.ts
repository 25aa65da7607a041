/** A student's architecture: that of a config.json, or a Llama of the model card's sizes. */
import { readFile } from 'node:fs/promises';
import type { ClientBundle } from '../../../../clients/typescript/model/client-bundle.js';
import type { Cut } from '../../../artifacts/manifest.js';
import { cutOf } from '../../../compiler/graphs/cut.js';
import { describeModel, type ModelDescription } from '../../../compiler/models/registry.js';
import { CutlayerError } from '../../../errors.js';

/** A student's. */
export interface Architecture {
  readonly model: ModelDescription;
  readonly cut: Cut;
  /** Where it is from, for the report. */
  readonly from: string;
}

/** Size of a head where a card does not state it. */
const HEAD_DIM = 64;

/**
 * @param config a config.json; without it a Llama of the card's sizes
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG, UNSUPPORTED_FAMILY, INVALID_CUT
 */
export async function architectureOf(bundle: ClientBundle, config: string | undefined): Promise<Architecture> {
  const { bottom, top } = bundle.manifest.cut;
  const { hiddenSize } = bundle.dims;
  const text = config === undefined ? JSON.stringify(llamaOf(bundle)) : await readConfigFile(config);
  const model = describeModel(text);
  if (model.spec.hiddenSize !== hiddenSize) {
    throw new CutlayerError(
      'INVALID_CONFIG',
      `--student ${config}: expected a model whose rows are ${hiddenSize} wide, as the bundle's, got ${model.spec.hiddenSize}; set hidden_size`,
    );
  }
  const from = config === undefined ? "a Llama of the model card's sizes" : `${model.family.name}, by ${config}`;
  return { model, cut: cutOf(model.spec, bottom, top), from };
}

async function readConfigFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--student ${path}: it cannot be read; name the config.json of a Hugging Face model`, { cause });
  });
}

function llamaOf({ dims, vocabSize, manifest }: ClientBundle): Readonly<Record<string, unknown>> {
  const headDim = dims.headDim || HEAD_DIM;
  const heads = dims.numHeads || Math.max(1, Math.floor(dims.hiddenSize / headDim));
  return {
    model_type: 'llama',
    vocab_size: vocabSize,
    hidden_size: dims.hiddenSize,
    intermediate_size: 8 * Math.ceil(dims.hiddenSize / 3),
    num_hidden_layers: manifest.cut.numLayers,
    num_attention_heads: heads,
    num_key_value_heads: dims.numKvHeads || heads,
    head_dim: headDim,
    max_position_embeddings: manifest.dims.maxPositions,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
  };
}
