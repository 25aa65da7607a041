/**
 * Models that also read images: their text model is packed, the rest is left out. A text without
 * images runs through the text model alone, with one position a token on every axis.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type ConfigJson, parseKeys, refuseUnknownKeys, unsupported } from '../config.js';
import type { Family } from '../weights.js';
import { gemma3Text } from './gemma3-text.js';
import { mistral } from './mistral.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

/** Keys about images, and those of the text model. */
const IMAGE_KEYS = `vision_config image_token_index image_token_id video_token_id vision_token_id vision_start_token_id vision_end_token_id
  boi_token_index eoi_token_index mm_tokens_per_image projector_hidden_act vision_feature_layer vision_feature_select_strategy
  multimodal_projector_bias spatial_merge_size image_seq_length`.split(/\s+/);
const TOWERS = /^(model\.)?(vision_tower|multi_modal_projector|visual)\./;

/** Where the text model has a config of its own. */
const nested = z.object({ text_config: z.looseObject({}) });

interface Multimodal {
  readonly name: string;
  readonly text: Family;
  /** `model_type` of `text_config`. */
  readonly textType: string;
  readonly tied: boolean;
  /** Older configs state the text model's keys beside `vision_config`. */
  readonly flat?: true;
}

function multimodal({ name, text, textType, tied, flat }: Multimodal): Family {
  return {
    ...text,
    name,
    names: {
      ...text.names,
      rename: (tensor) => tensor.replace(/^language_model\.(?=model\.|lm_head\.)/, '').replace(/^model\.language_model\./, 'model.'),
      ignored: [...text.names.ignored, TOWERS],
    },
    textConfig(config) {
      const own = Object.entries(config).filter(([key]) => !IMAGE_KEYS.includes(key) && key !== 'text_config');
      const isFlat = flat === true && config.text_config === undefined;
      const inner: ConfigJson = isFlat ? Object.fromEntries(own) : parseKeys(nested, config).text_config;
      if (!isFlat) {
        if (inner.model_type !== undefined && inner.model_type !== textType)
          throw unsupported('text_config.model_type', inner.model_type, textType);
        // Some configs repeat keys of the text model at the top.
        const further = own.filter(([key, value]) => !isDeepStrictEqual(value, inner[key]));
        refuseUnknownKeys(Object.fromEntries(further), { read: ['tie_word_embeddings'], harmless: [] }, name);
      }
      return {
        ...inner,
        model_type: textType,
        tie_word_embeddings: config.tie_word_embeddings ?? inner.tie_word_embeddings ?? tied,
        ...Object.fromEntries(
          ['eos_token_id', 'bos_token_id', 'pad_token_id'].flatMap((key) => (config[key] == null ? [] : [[key, config[key]]])),
        ),
        ...Object.fromEntries(
          ['rope_scaling', 'rope_parameters'].flatMap((key) => (inner[key] == null ? [] : [[key, oneAxis(inner[key])]])),
        ),
      };
    },
  };
}

/** Rope settings with one position a token: sections and their order say nothing about text. */
function oneAxis(settings: unknown): unknown {
  if (typeof settings !== 'object' || settings === null) return settings;
  const { mrope_section: _section, mrope_interleaved: _interleaved, ...rest } = settings as Record<string, unknown>; // an object, as checked
  return Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, value === 'mrope' && (key === 'type' || key === 'rope_type') ? 'default' : value]),
  );
}

export const gemma3 = multimodal({ name: 'gemma3', text: gemma3Text, textType: 'gemma3_text', tied: true });
export const mistral3 = multimodal({ name: 'mistral3', text: mistral, textType: 'mistral', tied: false });
export const qwen25Vl = multimodal({ name: 'qwen2_5_vl', text: qwen2, textType: 'qwen2_5_vl_text', tied: false, flat: true });
export const qwen3Vl = multimodal({ name: 'qwen3_vl', text: qwen3, textType: 'qwen3_vl_text', tied: false });
