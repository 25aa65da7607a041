/** What a checkpoint says of generation, in `generation_config.json`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { GenerationDefaults } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';

/** The keys that are read; values that switch one off are left out. */
const schema = z.looseObject({
  eos_token_id: z.union([z.int(), z.array(z.int()).max(1024)]).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  no_repeat_ngram_size: z.int().min(0).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().positive().max(1).nullish(),
});

/** Keys that change which tokens transformers chooses, not applied, with values that are off. */
const NOT_APPLIED: Readonly<Record<string, readonly unknown[]>> = {
  num_beams: [1],
  penalty_alpha: [],
  min_length: [0],
  min_new_tokens: [],
  min_p: [0],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  bad_words_ids: [],
  force_words_ids: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  sequence_bias: [],
  encoder_repetition_penalty: [1],
  guidance_scale: [1],
  exponential_decay_length_penalty: [],
};

export interface GenerationConfig {
  /** End-of-sequence tokens beside those of `config.json`. */
  readonly eosTokenIds: readonly number[];
  readonly defaults: GenerationDefaults;
  /** Keys that generation does not apply: a sentence. */
  readonly notes: readonly string[];
}

/**
 * Reads the file; says nothing without it. An id outside the vocabulary stands for no token.
 * @throws CutlayerError INVALID_CONFIG
 */
export async function readGenerationConfig(dir: string, vocabSize: number): Promise<GenerationConfig> {
  const path = join(dir, 'generation_config.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return { eosTokenIds: [], defaults: {}, notes: [] };
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${path}: expected JSON`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = String(issue?.path[0] ?? '');
    const expected = key === 'eos_token_id' ? 'expected a token id or a list of them' : (issue?.message ?? 'invalid');
    throw new CutlayerError('INVALID_CONFIG', `${path}: ${key}: ${expected}`);
  }
  const { eos_token_id: eos, repetition_penalty: penalty, no_repeat_ngram_size: ngram, top_k: topK, top_p: topP } = parsed.data;
  const ids = eos == null ? [] : [eos].flat();
  const ignored = Object.entries(NOT_APPLIED).filter(([key, off]) => {
    const value = parsed.data[key];
    return value != null && !off.includes(value);
  });
  return {
    eosTokenIds: ids.filter((id) => id >= 0 && id < vocabSize),
    defaults: {
      ...(penalty != null && penalty !== 1 && { repetitionPenalty: penalty }),
      ...(ngram != null && ngram > 0 && { noRepeatNgramSize: ngram }),
      ...(topK != null && topK > 0 && { topK }),
      ...(topP != null && topP < 1 && { topP }),
    },
    notes: ignored.length === 0 ? [] : [`generation_config.json: generation does not apply ${ignored.map(([key]) => key).join(', ')}`],
  };
}
