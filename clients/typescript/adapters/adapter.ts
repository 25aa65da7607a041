/**
 * What the rest of the client knows of an adapter: one trainable parameter, how it enters the three spans of a step (bottom, backbone,
 * top), how the spans' cotangents come back to the parameter, and how it is saved.
 */
import type { Tensor } from '../../../src/tensor/tensor.js';

/** The adapter kinds that train; `none` is the bare model. */
export type AdapterKind = 'softPrompt' | 'prefix';

/** Named tensors that go into or come out of a graph. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** What an adapter must know of the model. */
export interface AdapterDims {
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Blocks in the client's bottom, in the backbone, in the client's top. */
  readonly bottom: number;
  readonly backbone: number;
  readonly top: number;
}

/** Cotangents of a step, as each span gave them; a span that does not exist gives nothing. */
export interface SpanCotangents {
  readonly bottom?: Feeds;
  /** Of {@link Adapter.backboneValue}. */
  readonly backbone: Tensor<'float32'>;
  readonly top?: Feeds;
}

/** A trainable adapter. */
export interface Adapter {
  readonly kind: AdapterKind;
  readonly numVirtualTokens: number;
  /** Rows of its own in the sequence: numVirtualTokens for a soft prompt, 0 for a prefix. */
  readonly promptRows: number;
  /** Trained in place, between steps. */
  readonly parameter: Tensor<'float32'>;
  /** Inputs of the bottom graph besides `inputsEmbeds`. */
  bottomFeeds(): Feeds;
  /** What is sent to the backbone. @param bottomOutputs The bottom graph's outputs; undefined when the bottom is the identity. */
  backboneValue(bottomOutputs: Feeds | undefined): Tensor<'float32'>;
  /** Inputs of the top graph besides `hiddenStates` and `positions`. @param promptHidden [promptRows, d], the backbone's prompt rows. */
  topFeeds(promptHidden: Tensor<'float32'>): Feeds;
  /** The cotangent of {@link parameter}, of its length. */
  parameterCotangent(cotangents: SpanCotangents): Float32Array;
  /** Writes PEFT's two files into an existing directory. */
  save(dir: string): Promise<void>;
}
