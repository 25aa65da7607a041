/** What an architectural choice costs in the graph: nothing where it is not made, once where blocks share it. */
import assert from 'node:assert/strict';
import { compileBackbone } from '../../../src/compiler/graphs/backbone-graphs.js';
import { describeModel } from '../../../src/compiler/models/registry.js';
import type { Graph } from '../../../src/compiler/onnx/graph.js';
import { fixtureConfig } from '../../support/checkpoint-variant.js';

const layers = 4;

/** How often each op stands in the backbone's forward graph and in its vjp, under a soft prompt. */
function opsOf(config: object): readonly [forward: Readonly<Record<string, number>>, vjp: Readonly<Record<string, number>>] {
  const { forward, vjp } = compileBackbone(describeModel(JSON.stringify(config)), { bottom: 0, top: 0, numLayers: layers }, 'softPrompt');
  return [countOps(forward), countOps(vjp)];
}

function countOps({ ops }: Graph): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { op } of ops) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

const sizes = {
  vocab_size: 97,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: layers,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 64,
};
const llama = { ...sizes, model_type: 'llama' };
const count = (ops: Readonly<Record<string, number>>, op: string): number => ops[op] ?? 0;

describe('models: choices', () => {
  it('a family without a choice has the graph of a Llama: no window, no cap, no multiplier, no offset costs an op', () => {
    const plain = opsOf(llama);
    assert.deepEqual(opsOf({ ...sizes, model_type: 'mistral', sliding_window: null }), plain);
    assert.deepEqual(
      opsOf({ ...sizes, model_type: 'granite', attention_multiplier: 0.3, embedding_multiplier: 7, logits_scaling: 2 }),
      plain,
    );
    assert.equal(count(plain[0], 'Tanh'), 0);
  });

  it('blocks share one mask a kind and one rotation a rope', () => {
    const [plain] = opsOf(llama);
    const [windowed] = opsOf({ ...sizes, model_type: 'mistral', sliding_window: 4 });
    // The masks of the text's two halves, or with a window of its four parts, and the prompt's. Each
    // of a window has a second bound.
    assert.deepEqual([count(plain, 'Where'), count(windowed, 'Where')], [3, 10]);
    const gemma3 = { ...sizes, model_type: 'gemma3_text', sliding_window: 4, sliding_window_pattern: 2 };
    const [two] = opsOf(gemma3);
    assert.deepEqual([count(plain, 'Cos'), count(two, 'Cos')], [1, 2]);
    assert.equal(count(two, 'Where'), 12, 'blocks without a window have two halves, and share the bound of the prompt');
    const [dynamic] = opsOf({ ...llama, rope_scaling: { type: 'dynamic', factor: 2 } });
    assert.equal(count(dynamic, 'Pow'), 2);
  });

  it('fused projections take one product where split ones take three, or two', () => {
    const [split] = opsOf(llama);
    const [fused] = opsOf({ ...sizes, model_type: 'phi3', head_dim: undefined, pad_token_id: 0 });
    assert.equal(count(split, 'Gemm') - count(fused, 'Gemm'), layers * (2 + 1));
  });

  it('GPT-2 has no rotation', () => {
    const [ops] = opsOf(fixtureConfig('gpt2-tiny'));
    assert.equal(count(ops, 'Cos'), 0);
  });
});
