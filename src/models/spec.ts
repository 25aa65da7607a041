/**
 * What a decoder is: one typed field per architectural choice. A family turns its `config.json` into this and names its
 * weights; the decoder is built from this alone. A new family is a data file under `families/` and a fixture; a new choice is
 * a new field or a new member of a union here, and the compiler points at every place that must know it.
 */

/** How angles grow with position. @see transformers `modeling_rope_utils.py` */
export type RopeSpec =
  | { readonly scaling: 'none'; readonly theta: number }
  | { readonly scaling: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly scaling: 'llama3';
      readonly theta: number;
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

/** Where position enters: a learned table added to the embeddings, or rotation of queries and keys. */
export type PositionSpec = { readonly kind: 'learned' } | { readonly kind: 'rope'; readonly rope: RopeSpec };

/** Normalization before each sublayer and before the head. */
export interface NormSpec {
  /** `layerNorm` subtracts the mean and has a bias; `rmsNorm` does neither. */
  readonly kind: 'layerNorm' | 'rmsNorm';
  readonly epsilon: number;
}

/** Self-attention: `numHeads` query heads in `numKvHeads` groups, each group sharing one key and value head. */
export interface AttentionSpec {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Query, key and value as one projection (their outputs side by side) or as three. */
  readonly projections: 'fused' | 'split';
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  /** Factor on the scores before the softmax. */
  readonly scale: number;
}

/** The activation functions known, by Hugging Face's names: `gelu_new` and its kin are the tanh approximation. */
export type Activation = 'gelu' | 'geluTanh' | 'quickGelu' | 'silu' | 'relu';

/** The feed-forward sublayer: `down(act(up x))`, or gated, `down(act(gate x) * up x)`. */
export interface MlpSpec {
  readonly kind: 'plain' | 'gated';
  readonly intermediateSize: number;
  readonly activation: Activation;
  readonly bias: boolean;
}

/** A decoder-only transformer with pre-norm residual blocks. */
export interface DecoderSpec {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  /** Longest sequence that the checkpoint was made for. */
  readonly maxPositions: number;
  readonly position: PositionSpec;
  readonly norm: NormSpec;
  readonly attention: AttentionSpec;
  readonly mlp: MlpSpec;
  /** Linear weights as torch's Linear holds them, [out, in], or as GPT-2's Conv1D does, [in, out]. */
  readonly linearLayout: 'outIn' | 'inOut';
  /** The head's weight is the token embedding. */
  readonly tiedHead: boolean;
  /** Factor on embedded tokens; 1 for most. */
  readonly embedScale: number;
  /**
   * Factor that the model itself puts on embeddings handed in from outside, so on a soft prompt too: 1 where the scale belongs to the
   * token embedding (then a prompt of outside enters as it is), {@link embedScale} where the model scales whatever comes.
   */
  readonly promptScale: number;
  /** Factor on the logits; 1 for most. */
  readonly logitScale: number;
  /** Logits z become cap tanh(z / cap), after {@link logitScale}; null for most. */
  readonly logitSoftcap: number | null;
}

/** Token ids with a meaning, as the checkpoint states them. */
export interface SpecialTokens {
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | null;
  readonly padTokenId: number | null;
}
