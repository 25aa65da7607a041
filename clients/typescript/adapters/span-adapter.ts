/** An adapter of one parameter, by the spans that it enters. */
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterKind, Feeds } from './adapter.js';

/** Cotangents of a step, as each span gave them; a span that does not exist gives nothing. */
export interface SpanCotangents {
  readonly bottom?: Feeds;
  /** Of {@link SpanAdapter.backboneValue}. */
  readonly backbone: Tensor<'float32'>;
  readonly top?: Feeds;
}

/** A trainable adapter of one parameter. */
export interface SpanAdapter {
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
