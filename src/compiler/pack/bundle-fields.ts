/** What the manifest of a client bundle says of a model's two ends, wherever its blocks come from. */
import type { ModelDescription } from '../models/registry.js';

/** Fields of the manifest. @param generationEos End tokens that `generation_config.json` adds. */
export function bundleFields(model: ModelDescription, generationEos: readonly number[]) {
  const { eosTokenIds, bosTokenId, padTokenId } = model.specialTokens;
  const { vocabSize, embedScale, promptScale, linearLayout, tiedHead } = model.spec;
  return {
    vocabSize,
    eosTokenIds: [...new Set([...eosTokenIds, ...generationEos])],
    bosTokenId,
    padTokenId,
    embedScale,
    promptScale,
    linearLayout,
    tiedHead,
    modules: { embedTokens: moduleOf(model, 'embedTokens'), head: moduleOf(model, 'head') },
  };
}

/** transformers' name of a module outside the blocks; a tied head has none of its own in the checkpoint, but a name all the same. */
function moduleOf({ family }: ModelDescription, role: 'embedTokens' | 'head'): string {
  return (family.names.model[role] ?? 'lm_head.weight').replace(/\.weight$/, '');
}
