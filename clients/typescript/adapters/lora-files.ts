/**
 * LoRA in PEFT's files: `base_model.model.<module>.lora_A.weight` [r, in] and `lora_B.weight`
 * [out, r]. Options that change what plain LoRA computes are refused, those of training ignored.
 * @see PEFT 0.21 `tuners/lora/config.py`, `utils/save_and_load.py`
 */
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { Parameter } from './adapter.js';
import { type AdapterConfig, expectFileShape, parseConfig, peftNames, readModuleTensors, writeAdapterFiles } from './adapter-config.js';
import type { AdapterModel } from './context.js';
import { type LoraLayer, type LoraScale, linearTargets, whyNot } from './lora-targets.js';
import { valuesOf } from './parameters.js';

/** Fields that do not change what a trained adapter computes, or that are read elsewhere. */
const passedOver = new Set(
  `alpha_pattern auto_mapping base_model_name_or_path bias corda_config ensure_weight_tying eva_config exclude_modules fan_in_fan_out inference_mode
  init_lora_weights layers_pattern layers_to_transform loftq_config lora_alpha lora_dropout lora_ga_config megatron_core modules_to_save peft_type
  peft_version qalora_group_size r rank_pattern revision runtime_config target_modules task_type use_rslora`.split(/\s+/),
);

/** Fields of PEFT's config that are written as null. */
const absent =
  `alora_invocation_tokens arrow_config corda_config eva_config exclude_modules kasa_config layer_replication layers_pattern layers_to_transform
  lora_ga_config megatron_config modules_to_save monteclora_config target_parameters trainable_token_indices use_bdlora velora_config`.split(
    /\s+/,
  );

/** First values that keep the base weights; others (PiSSA, OLoRA, ...) change them on loading. */
const plainInits: readonly unknown[] = [true, false, null, undefined, 'gaussian', 'orthogonal', 'eva'];

/** What a classification head adds to the modules of an adapter. */
const CLASSIFIERS = ['classifier', 'score'];

const fields = z.looseObject({
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().nullish(),
  modules_to_save: z.array(z.string()).nullish(),
});

/** What is written of an adapter. */
export interface SavedLora {
  readonly layers: readonly LoraLayer[];
  readonly parameters: readonly Parameter[];
  readonly rank: number;
  readonly scale: LoraScale;
}

/** Writes an adapter as PEFT does, without frozen weights (PEFT copies the head's by default). */
export async function saveLora(
  dir: string,
  { layers, parameters, rank, scale }: SavedLora,
  linearLayout: AdapterModel['linearLayout'],
): Promise<void> {
  const inBlocks = layers.some(({ target }) => target.weight !== undefined);
  const config = {
    ...Object.fromEntries(absent.map((field) => [field, null])),
    alpha_pattern: {},
    bias: 'none',
    ensure_weight_tying: false,
    fan_in_fan_out: inBlocks && linearLayout === 'inOut',
    init_lora_weights: true,
    loftq_config: {},
    lora_alpha: scale.alpha,
    lora_bias: false,
    lora_dropout: 0,
    megatron_core: 'megatron.core',
    peft_type: 'LORA',
    qalora_group_size: 16,
    r: rank,
    rank_pattern: {},
    // Full names, so that nothing in the vendor's blocks matches.
    target_modules: layers.map(({ target }) => target.module),
    use_dora: false,
    use_qalora: false,
    use_rslora: scale.rankStabilized === true,
  };
  await writeAdapterFiles(dir, config, peftNames(valuesOf(parameters)));
}

/**
 * Reads an adapter of PEFT's or of this library.
 * @throws CutlayerError INVALID_ADAPTER naming the option, vendor's layer or shape that is wrong
 */
export async function loadLora(
  model: AdapterModel,
  dir: string,
  config: AdapterConfig,
): Promise<{ readonly layers: readonly LoraLayer[]; readonly scale: LoraScale }> {
  const { r, lora_alpha: alpha, use_rslora: rslora, modules_to_save: saved } = parseConfig(dir, fields, config);
  refuseOptions(dir, config, saved ?? []);
  const tensors = new Map(await readModuleTensors(dir));
  // PEFT copies the frozen head beside its update unless it is told not to.
  const frozenHead = `${model.modules.head}.base_layer.weight`;
  if (tensors.has(frozenHead)) expectFileShape(`${dir}: ${frozenHead}`, tensors.get(frozenHead)!, [model.vocabSize, model.dims.hiddenSize]);
  tensors.delete(frozenHead);
  const held = linearTargets(model);
  const layers: LoraLayer[] = [];
  for (const target of held) {
    const taken = (matrix: 'A' | 'B', shape: readonly number[]): Tensor<'float32'> | undefined => {
      const name = `${target.module}.lora_${matrix}.weight`;
      const tensor = tensors.get(name);
      if (tensor !== undefined) expectFileShape(`${dir}: ${name}`, tensor, shape);
      tensors.delete(name);
      return tensor;
    };
    const [a, b] = [taken('A', [r, target.inputs]), taken('B', [target.outputs, r])];
    if (a !== undefined && b !== undefined) layers.push({ target, a, b });
    else if (a !== undefined || b !== undefined)
      throw new CutlayerError(
        'INVALID_ADAPTER',
        `${dir}: ${target.module}: expected lora_A and lora_B, got one of them; copy the adapter again`,
      );
  }
  const [other] = tensors.keys();
  if (other !== undefined) {
    const module = other.replace(/\.lora_.*$/, '');
    throw new CutlayerError('INVALID_ADAPTER', `${dir}: ${other}: ${whyNot(model, held, module)}`);
  }
  if (layers.length === 0)
    throw new CutlayerError('INVALID_ADAPTER', `${dir}: expected lora_A and lora_B of some layers, got no tensor; copy the adapter again`);
  return { layers, scale: { alpha, rankStabilized: rslora === true } };
}

function refuseOptions(dir: string, config: AdapterConfig, saved: readonly string[]): void {
  const refuse = (key: string, expected: string): never => {
    const got = (JSON.stringify(config[key]) ?? 'nothing').slice(0, 80);
    throw new CutlayerError('INVALID_ADAPTER', `${dir}: ${key}: expected ${expected}, got ${got}; only plain LoRA is computed`, {
      details: { key },
    });
  };
  const isOff = (value: unknown): boolean =>
    value === null || value === undefined || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
  for (const key of ['rank_pattern', 'alpha_pattern']) if (!isOff(config[key])) refuse(key, 'one rank and one alpha for all layers ({})');
  if (config.bias !== undefined && config.bias !== 'none') refuse('bias', '"none"');
  if (!plainInits.includes(config.init_lora_weights))
    refuse(
      'init_lora_weights',
      'first values that leave the base weights alone (convert the adapter: save_pretrained with path_initial_model_for_weight_conversion)',
    );
  if (saved.some((module) => !CLASSIFIERS.includes(module))) refuse('modules_to_save', 'null');
  for (const [key, value] of Object.entries(config)) if (!passedOver.has(key) && !isOff(value)) refuse(key, 'it off (null or false)');
}
