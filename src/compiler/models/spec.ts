/**
 * A decoder as data: one typed field per architectural choice. A family turns its `config.json`
 * into this and names its weights; the decoder is built from this alone. A new family is a data
 * file under `families/` and a fixture. A new choice is a new field or union member here, and the
 * compiler reports every place that must handle it.
 */

/** How angles grow with position. @see transformers `modeling_rope_utils.py` */
export type RopeSpec =
  | { readonly scaling: 'none'; readonly theta: number }
  | { readonly scaling: 'linear'; readonly theta: number; readonly factor: number }
  /** The base grows with the length of the batch beyond `trainedPositions`. */
  | { readonly scaling: 'dynamic'; readonly theta: number; readonly factor: number; readonly trainedPositions: number }
  | {
      readonly scaling: 'yarn';
      readonly theta: number;
      readonly factor: number;
      readonly originalMaxPositions: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whether the ends of the ramp are rounded outwards to whole frequencies. */
      readonly truncate: boolean;
      /** Factor on cosine and sine. */
      readonly attentionFactor: number;
    }
  /** Divides frequencies by `longFactor` beyond `originalMaxPositions`, else by `shortFactor`. */
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

/** How positions enter: a learned table added to embeddings, or rotated queries and keys. */
export type PositionSpec =
  | { readonly kind: 'learned' }
  | {
      readonly kind: 'rope';
      readonly rope: RopeSpec;
      /** The rope of blocks with a window, if it differs. */
      readonly windowRope?: RopeSpec;
      /** How many of a head's values are rotated, from the first; the others are unchanged. */
      readonly rotaryDim: number;
    };

/** The normalizations of a block and the one before the head. */
export interface NormSpec {
  /** `layerNorm` subtracts the mean and has a bias; `rmsNorm` does neither. */
  readonly kind: 'layerNorm' | 'rmsNorm';
  readonly epsilon: number;
  /** Added to the stored weight: 1 for checkpoints that store the weight minus 1. */
  readonly weightOffset: 0 | 1;
  /** Before each sublayer, after each (before the residual sum), or both. */
  readonly placement: 'before' | 'after' | 'around';
}

/** Self-attention: `numKvHeads` groups of query heads, each with one key and value head. */
export interface AttentionSpec {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Query, key and value as one projection (their outputs side by side) or as three. */
  readonly projections: 'fused' | 'split';
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  /** Norm of queries and keys before rope: per head with one weight, or of all heads together. */
  readonly queryKeyNorm: 'none' | 'head' | 'projection';
  /** Factor on the scores before the softmax. */
  readonly scale: number;
  /** Scores s become cap tanh(s / cap), after {@link scale} and before the mask; null for most. */
  readonly softcap: number | null;
  /** Per block: a query at p sees keys (p - window, p], virtual tokens counted; null: [0, p]. */
  readonly windows: readonly (number | null)[];
}

/** Activations by Hugging Face's names; `gelu_new` and its aliases are the tanh approximation. */
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
  /** Longest sequence of the checkpoint, by its config or by its rope's scaling. */
  readonly maxPositions: number;
  readonly position: PositionSpec;
  readonly norm: NormSpec;
  readonly attention: AttentionSpec;
  readonly mlp: MlpSpec;
  /** True if rows reach the head normed, as an imported backbone applies the final norm. */
  readonly normedBelow?: true;
  /** Layout of linear weights: torch's Linear is [out, in], GPT-2's Conv1D [in, out]. */
  readonly linearLayout: 'outIn' | 'inOut';
  /** Factor on each sublayer's output before the residual sum; 1 for most. */
  readonly residualScale: number;
  /** The head's weight is the token embedding. */
  readonly tiedHead: boolean;
  /** The head adds a bias [vocabulary]; imported models only. */
  readonly headBias?: true;
  /** Factor on embedded tokens; 1 for most. */
  readonly embedScale: number;
  /**
   * Factor that the model applies to embeddings from outside, such as a soft prompt. 1 if the scale
   * belongs to the token embedding; {@link embedScale} if the model scales all embeddings.
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
