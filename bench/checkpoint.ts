/** Makes checkpoints of a given shape with random weights, in Hugging Face's layout. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDirectoryAtomic } from '../src/files/atomic-file.js';
import { layOut, type TensorSpec } from '../src/safetensors/layout.js';
import { createSafetensors } from '../src/safetensors/writer.js';

/** A model to make: its config.json and its tensors in the order of the file. */
export interface ModelShape {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorSpec[];
}

/** GPT-2 small: 12 blocks, hidden size 768, 12 heads, vocabulary 50,257, 1,024 positions. */
export const gpt2Small: ModelShape = gpt2Shape({ layers: 12, hiddenSize: 768, heads: 12, vocabSize: 50257, positions: 1024 });

/** GPT-2 small with 4,096 positions. */
export const gpt2Long: ModelShape = {
  ...gpt2Shape({ layers: 12, hiddenSize: 768, heads: 12, vocabSize: 50257, positions: 4096 }),
  name: 'gpt2-small-4096',
};

/** A GPT-2 of a few megabytes for smoke tests; its figures mean nothing. */
export const gpt2Tiny: ModelShape = {
  ...gpt2Shape({ layers: 4, hiddenSize: 64, heads: 4, vocabSize: 1000, positions: 128 }),
  name: 'gpt2-tiny',
};

/**
 * The shape of 0.5 B models of the Llama and Qwen kind. 24 blocks, hidden size 896, 14 heads over 2
 * KV heads, SwiGLU of 4,864, vocabulary 151,936.
 */
export const llamaHalfBillion: ModelShape = llamaShape({
  layers: 24,
  hiddenSize: 896,
  heads: 14,
  kvHeads: 2,
  intermediateSize: 4864,
  vocabSize: 151936,
  positions: 4096,
});

/**
 * Writes the checkpoint into `parent/<name>` unless it exists, and returns its directory. Matrices
 * are N(0, 0.02²), norm weights 1, biases 0, from a fixed seed.
 */
export async function makeCheckpoint(shape: ModelShape, parent: string): Promise<string> {
  const dir = join(parent, shape.name);
  if (existsSync(dir)) return dir;
  await writeDirectoryAtomic(dir, (temporary) => fill(shape, temporary));
  return dir;
}

async function fill(shape: ModelShape, dir: string): Promise<void> {
  await writeFile(join(dir, 'config.json'), `${JSON.stringify(shape.config, null, 2)}\n`);
  const writer = await createSafetensors(join(dir, 'model.safetensors'), layOut(shape.tensors));
  const normal = normalNumbers(20251);
  for (const { name, shape: dims } of shape.tensors) {
    let left = dims.reduce((product, dim) => product * dim, 1);
    while (left > 0) {
      const chunk = new Float32Array(Math.min(left, 1 << 20));
      if (dims.length > 1) for (let i = 0; i < chunk.length; i++) chunk[i] = 0.02 * normal();
      else chunk.fill(/bias$/.test(name) ? 0 : 1);
      await writer.append(chunk);
      left -= chunk.length;
    }
  }
  await writer.finish();
}

function gpt2Shape(s: { layers: number; hiddenSize: number; heads: number; vocabSize: number; positions: number }): ModelShape {
  const d = s.hiddenSize;
  const block = (i: number): [string, number[]][] => [
    [`h.${i}.ln_1.weight`, [d]],
    [`h.${i}.ln_1.bias`, [d]],
    [`h.${i}.attn.c_attn.weight`, [d, 3 * d]],
    [`h.${i}.attn.c_attn.bias`, [3 * d]],
    [`h.${i}.attn.c_proj.weight`, [d, d]],
    [`h.${i}.attn.c_proj.bias`, [d]],
    [`h.${i}.ln_2.weight`, [d]],
    [`h.${i}.ln_2.bias`, [d]],
    [`h.${i}.mlp.c_fc.weight`, [d, 4 * d]],
    [`h.${i}.mlp.c_fc.bias`, [4 * d]],
    [`h.${i}.mlp.c_proj.weight`, [4 * d, d]],
    [`h.${i}.mlp.c_proj.bias`, [d]],
  ];
  return {
    name: 'gpt2-small',
    config: {
      architectures: ['GPT2LMHeadModel'],
      model_type: 'gpt2',
      activation_function: 'gelu_new',
      attn_pdrop: 0,
      embd_pdrop: 0,
      resid_pdrop: 0,
      layer_norm_epsilon: 1e-5,
      n_ctx: s.positions,
      n_positions: s.positions,
      n_embd: d,
      n_head: s.heads,
      n_layer: s.layers,
      vocab_size: s.vocabSize,
      bos_token_id: s.vocabSize - 1,
      eos_token_id: s.vocabSize - 1,
      tie_word_embeddings: true,
    },
    tensors: f32Tensors([
      ['wte.weight', [s.vocabSize, d]],
      ['wpe.weight', [s.positions, d]],
      ...Array.from({ length: s.layers }, (_, i) => block(i)).flat(),
      ['ln_f.weight', [d]],
      ['ln_f.bias', [d]],
    ]),
  };
}

interface LlamaSizes {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly positions: number;
}

function llamaShape(s: LlamaSizes): ModelShape {
  const d = s.hiddenSize;
  const kv = (d / s.heads) * s.kvHeads;
  const block = (i: number): [string, number[]][] => [
    [`model.layers.${i}.input_layernorm.weight`, [d]],
    [`model.layers.${i}.self_attn.q_proj.weight`, [d, d]],
    [`model.layers.${i}.self_attn.k_proj.weight`, [kv, d]],
    [`model.layers.${i}.self_attn.v_proj.weight`, [kv, d]],
    [`model.layers.${i}.self_attn.o_proj.weight`, [d, d]],
    [`model.layers.${i}.post_attention_layernorm.weight`, [d]],
    [`model.layers.${i}.mlp.gate_proj.weight`, [s.intermediateSize, d]],
    [`model.layers.${i}.mlp.up_proj.weight`, [s.intermediateSize, d]],
    [`model.layers.${i}.mlp.down_proj.weight`, [d, s.intermediateSize]],
  ];
  return {
    name: 'llama-0.5b',
    config: {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      attention_bias: false,
      attention_dropout: 0,
      bos_token_id: 0,
      eos_token_id: 1,
      hidden_act: 'silu',
      hidden_size: d,
      intermediate_size: s.intermediateSize,
      max_position_embeddings: s.positions,
      mlp_bias: false,
      num_attention_heads: s.heads,
      num_hidden_layers: s.layers,
      num_key_value_heads: s.kvHeads,
      rms_norm_eps: 1e-6,
      rope_theta: 10000,
      tie_word_embeddings: true,
      vocab_size: s.vocabSize,
    },
    tensors: f32Tensors([
      ['model.embed_tokens.weight', [s.vocabSize, d]],
      ...Array.from({ length: s.layers }, (_, i) => block(i)).flat(),
      ['model.norm.weight', [d]],
    ]),
  };
}

function f32Tensors(list: readonly [string, number[]][]): TensorSpec[] {
  return list.map(([name, shape]) => ({ name, dtype: 'F32', shape }));
}

/** Standard normal numbers by Box and Muller over a 32-bit xorshift, equal on every machine. */
function normalNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 4294967296;
  };
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
