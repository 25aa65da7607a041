/**
 * Log probabilities of tokens under the model itself, before penalties, temperature and filters.
 */
import { rankTokens } from './candidates.js';

/** A token and its log probability, in nats. */
export interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
}

/** The log probability of any token. @param logits [vocabulary] */
export function logprobsOf(logits: Float32Array): (id: number) => number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return (id) => logits[id]! - total;
}

/**
 * The most probable tokens, most probable first.
 * @param logits [vocabulary]
 * @param of What `logprobsOf` gives of them, where it is known
 */
export function topLogprobs(logits: Float32Array, count: number, of = logprobsOf(logits)): readonly TokenLogprob[] {
  if (count === 0) return [];
  return Array.from(rankTokens(logits).subarray(0, count), (id) => ({ id, logprob: of(id) }));
}
