/** The families by `model_type`, and the one parser of `config.json` into a model description. */
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { type ConfigJson, specialTokensOf } from './config.js';
import { gemma } from './families/gemma.js';
import { gemma2 } from './families/gemma2.js';
import { gemma3Text } from './families/gemma3-text.js';
import { gpt2 } from './families/gpt2.js';
import { granite } from './families/granite.js';
import { llama } from './families/llama.js';
import { mistral } from './families/mistral.js';
import { gemma3, mistral3, qwen3Vl, qwen25Vl } from './families/multimodal.js';
import { olmo2 } from './families/olmo2.js';
import { phi3 } from './families/phi3.js';
import { qwen2 } from './families/qwen2.js';
import { qwen3 } from './families/qwen3.js';
import type { DecoderSpec, SpecialTokens } from './spec.js';
import { type Family, type WeightTable, weightTable } from './weights.js';

export const families = {
  gpt2,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3_text: gemma3Text,
  phi3,
  olmo2,
  granite,
} as const satisfies Readonly<Record<string, Family>>;

/** Models that also read images, of which the text model is packed. */
export const multimodalFamilies = {
  gemma3,
  mistral3,
  qwen2_5_vl: qwen25Vl,
  qwen3_vl: qwen3Vl,
} as const satisfies Readonly<Record<string, Family>>;

const all = { ...families, ...multimodalFamilies };

export interface ModelDescription {
  /** As the file states it. */
  readonly config: ConfigJson;
  readonly family: Family;
  readonly spec: DecoderSpec;
  readonly weights: WeightTable;
  readonly specialTokens: SpecialTokens;
  /** What the vendor should know about the checkpoint: a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Describes a model from the text of its `config.json`.
 * @throws CutlayerError INVALID_CONFIG, UNSUPPORTED_FAMILY, UNSUPPORTED_CONFIG,
 *   UNSUPPORTED_CHECKPOINT
 */
export function describeModel(configText: string): ModelDescription {
  const config = parseConfig(configText);
  const modelType = config.model_type;
  if (typeof modelType !== 'string') throw new CutlayerError('INVALID_CONFIG', 'config.json: model_type: expected a string');
  if (!isFamily(modelType)) {
    throw new CutlayerError(
      'UNSUPPORTED_FAMILY',
      `config.json: model_type: expected one of ${Object.keys(all).join(', ')}; got ${JSON.stringify(modelType.slice(0, 64))}. ` +
        'Any other comes in as a graph, unless its slices depend on data: cutlayer pack --onnx',
    );
  }
  const family: Family = all[modelType];
  const text = family.textConfig?.(config) ?? config;
  const spec = family.parse(text);
  const { specialTokens, notes } = specialTokensOf(text, spec.vocabSize, family.tokenIds);
  const textOnly = `the parts of a ${family.name} that read images are left out: the packed model reads text only`;
  return {
    config,
    family,
    spec,
    weights: weightTable(spec, family.names),
    specialTokens,
    notes: family.textConfig === undefined ? notes : [...notes, textOnly],
  };
}

/** Whether a `model_type` is a known family's. */
export function isFamily(name: string): name is keyof typeof all {
  return Object.hasOwn(all, name);
}

/**
 * The object in the text of a `config.json`.
 * @throws CutlayerError INVALID_CONFIG
 */
export function parseConfig(text: string): ConfigJson {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', 'config.json: expected JSON, got text that does not parse', { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new CutlayerError('INVALID_CONFIG', 'config.json: expected an object');
  return json as ConfigJson; // an object from JSON has string keys
}
