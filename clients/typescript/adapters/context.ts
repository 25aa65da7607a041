/** What a method may use of the client's half of the model: {@link ClientBundle}, or less. */
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims, Feeds, FloatFeeds } from './adapter.js';

/** What a method is created or loaded with. */
export interface AdapterContext {
  readonly bundle: AdapterModel;
  /**
   * The whole model's keys and values: [layers, 2, tokens, numKvHeads, headDim]; needs a gateway.
   * @throws CutlayerError when the vendor's policy does not allow it
   */
  readonly keyValues?: (tokenIds: readonly number[]) => Promise<Tensor<'float32'>>;
}

/** The model that an adapter was trained with; loading it into another is refused. */
export interface ModelIdentity {
  /** sha256 of the backbone's manifest. */
  readonly backboneDigest: string;
  /** sha256 over the tokenizer's files; undefined when the bundle has none. */
  readonly tokenizerDigest: string | undefined;
}

/** A weight of a block that the client holds. */
export interface ClientBlockWeight {
  /** The checkpoint's tensor name. */
  readonly name: string;
  /** Its part in the block, such as `query` or `down`. */
  readonly role: string;
  /** Counted over the whole model. */
  readonly layer: number;
  readonly shape: readonly number[];
}

/** The client's half of the model, as methods see it. */
export interface AdapterModel {
  readonly dims: AdapterDims;
  readonly vocabSize: number;
  readonly family: string;
  readonly identity: ModelIdentity;
  /** Factor that `embed` has applied to the table's rows. */
  readonly embedScale: number;
  /** Factor between a soft prompt as PEFT holds it and as it enters the blocks. */
  readonly promptScale: number;
  /** transformers' names of the modules outside the blocks. */
  readonly modules: { readonly embedTokens: string; readonly head: string };
  /** Whether the LM head is the embedding table. */
  readonly tiedHead: boolean;
  /** How the checkpoint stores linear weights: [out, in] (most) or [in, out] (GPT-2's Conv1D). */
  readonly linearLayout: 'outIn' | 'inOut';
  /** Weights of the client's blocks, the bottom's first. */
  readonly blockWeights: readonly ClientBlockWeight[];
  /** Token ids of a text, without special tokens. */
  encode(text: string): readonly number[];
  /** Rows [ids, d] of the embedding, after embedScale. */
  embed(tokenIds: readonly number[]): Promise<Tensor<'float32'>>;
  /** A weight of the bundle by the checkpoint's name. @throws CutlayerError MISSING_TENSOR */
  weight(name: string): Promise<Tensor<'float32'>>;
  /** Runs a method's graph. @throws CutlayerError INVALID_ARTIFACT when the bundle lacks it */
  runMethod(name: string, feeds: Feeds): Promise<FloatFeeds>;
  /** Runs its vjp: the inputs and `<output>Cotangent` in, `<input>Cotangent` out. */
  runMethodVjp(name: string, feeds: Feeds): Promise<FloatFeeds>;
}
