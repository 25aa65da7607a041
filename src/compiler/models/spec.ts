/**
 * What a decoder is: one typed field per architectural choice. A family turns its `config.json` into this and names its
 * weights; the decoder is built from this alone. A new family is a data file under `families/` and a fixture; a new choice is
 * a new field or a new member of a union here, and the compiler points at every place that must know it.
 */

/** How angles grow with position. @see transformers `modeling_rope_utils.py` */
export type RopeSpec =
  | { readonly scaling: 'none'; readonly theta: number }
  | { readonly scaling: 'linear'; readonly theta: number; readonly factor: number }
  /** The base grows with the length of the batch, once that is over `trainedPositions`. */
  | { readonly scaling: 'dynamic'; readonly theta: number; readonly factor: number; readonly trainedPositions: number }
  | {
      readonly scaling: 'yarn';
      readonly theta: number;
      readonly factor: number;
      readonly originalMaxPositions: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** The ends of the ramp between the two kinds of frequencies are rounded outwards to whole frequencies. */
      readonly truncate: boolean;
      /** Factor on cosine and sine. */
      readonly attentionFactor: number;
    }
  /** Frequencies are divided by `longFactor` when the batch is longer than `originalMaxPositions`, else by `shortFactor`. */
  | {
      readonly scaling: 'longrope';
      readonly theta: number;
      readonly shortFactor: readonly number[];
      readonly longFactor: readonly number[];
      readonly originalMaxPositions: number;
      /** Factor on cosine and sine. */
      readonly attentionFactor: number;
    }
  | {
      readonly scaling: 'llama3';
      readonly theta: number;
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

/** Where position enters: a learned table added to the embeddings, or rotation of queries and keys. */
export type PositionSpec =
  | { readonly kind: 'learned' }
  | {
      readonly kind: 'rope';
      readonly rope: RopeSpec;
      /** The rope of blocks with a window, where it is another. */
      readonly windowRope?: RopeSpec;
      /** The first so many of a head's values are rotated; the others pass. */
      readonly rotaryDim: number;
    };

/** The normalizations of a block and the one before the head. */
export interface NormSpec {
  /** `layerNorm` subtracts the mean and has a bias; `rmsNorm` does neither. */
  readonly kind: 'layerNorm' | 'rmsNorm';
  readonly epsilon: number;
  /** What is added to the stored weight: 1 where checkpoints hold its distance from 1. */
  readonly weightOffset: 0 | 1;
  /** Before each sublayer, after each (before it is added to the residual stream), or both. */
  readonly placement: 'before' | 'after' | 'around';
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
  /** Normalization of queries and keys before rope: of each head with one weight for all, or of all heads together. */
  readonly queryKeyNorm: 'none' | 'head' | 'projection';
  /** Factor on the scores before the softmax. */
  readonly scale: number;
  /** Scores s become cap tanh(s / cap), after {@link scale} and before the mask; null for most. */
  readonly softcap: number | null;
  /** Block by block: a query at position p sees the keys in (p - window, p], virtual tokens counted; null: all in [0, p]. */
  readonly windows: readonly (number | null)[];
}

/** The activation functions known, by Hugging Face's names: `gelu_new` and its kin are the tanh approximation. */
export type Activation = 'gelu' | 'geluTanh' | 'quickGelu' | 'silu' | 'relu';

/** The feed-forward sublayer: `down(act(up x))`, or gated, `down(act(gate x) * up x)`. */
export interface MlpSpec {
  readonly kind: 'plain' | 'gated';
  /** Gate and up as one projection (the gate's outputs first) or as two. */
  readonly projections: 'fused' | 'split';
  readonly intermediateSize: number;
  readonly activation: Activation;
  readonly bias: boolean;
}

/** A decoder-only transformer of residual blocks. */
export interface DecoderSpec {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  /** Longest sequence that the checkpoint was made for, by its own length or by how its rope is scaled. */
  readonly maxPositions: number;
  readonly position: PositionSpec;
  readonly norm: NormSpec;
  readonly attention: AttentionSpec;
  readonly mlp: MlpSpec;
  /** True where rows come to the head normed: an imported backbone has the final norm inside. Absent otherwise. */
  readonly normedBelow?: true;
  /** Linear weights as torch's Linear holds them, [out, in], or as GPT-2's Conv1D does, [in, out]. */
  readonly linearLayout: 'outIn' | 'inOut';
  /** Factor on what each sublayer adds to the residual stream; 1 for most. */
  readonly residualScale: number;
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
