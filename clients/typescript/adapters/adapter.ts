/**
 * The interface of all methods: trainable parameters, what they put into a step, their gradients,
 * and saving. A method is one file that implements {@link Adapter}, one row of `registry.ts` and
 * one of `method-table.ts`.
 */
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { LearnedMap } from './learned-map.js';

/** The methods that a client can train with, in the order in which they are shown. */
export const methodNames = [
  'prompt-tuning',
  'p-tuning',
  'prefix-tuning',
  'multitask-prompt-tuning',
  'trainable-tokens',
  'lora',
  'full',
  'classification-head',
] as const;

export type MethodName = (typeof methodNames)[number];

/** Named tensors that go into or come out of a graph. */
export type Feeds = Readonly<Record<string, Tensor>>;
/** What comes out of a client's graphs: they compute in float32 throughout. */
export type FloatFeeds = Readonly<Record<string, Tensor<'float32'>>>;

/** What an adapter must know of the model's shape. */
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

/** What an adapter puts into a step, by place. The tensors do not change until the step ends. */
export interface StepParts {
  /** [P, d], as it enters the bottom: after the model's promptScale. */
  readonly softPrompt?: Tensor<'float32'>;
  /** [layers of the whole model, 2, P, numKvHeads, headDim] */
  readonly prefix?: Tensor<'float32'>;
  /** Rows of the embedding table, and of a head that is tied to it. */
  readonly tokenRows?: TrainedTokenRows;
  /** By the checkpoint's weight name: values that replace those of the client's blocks. */
  readonly blockWeights?: Readonly<Record<string, Tensor<'float32'>>>;
  /** Added to the LM head: z = h Wᵀ + scale · (h Aᵀ) Bᵀ. */
  readonly headLora?: HeadLora;
  /** Classes instead of the LM head: [C, d]. */
  readonly classifier?: Tensor<'float32'>;
  /** How rows at the cut are changed before they are sent, where that defence is on. */
  readonly rowTransform?: LearnedMap;
}

/** Rows in place of the checkpoint's: ids strictly increasing, `rows` [T, d] before embedScale. */
export interface TrainedTokenRows {
  readonly tokenIds: readonly number[];
  readonly rows: Tensor<'float32'>;
}

/** A low-rank addition to the LM head: `a` [r, d], `b` [V, r]. */
export interface HeadLora {
  readonly a: Tensor<'float32'>;
  readonly b: Tensor<'float32'>;
  readonly scale: number;
}

/** The cotangents of {@link StepParts}, each of its part's shape, summed over label tokens. */
export interface StepCotangents {
  readonly softPrompt?: Tensor<'float32'>;
  readonly prefix?: Tensor<'float32'>;
  /** [T, d], of `tokenRows.rows`. */
  readonly tokenRows?: Tensor<'float32'>;
  readonly blockWeights?: Readonly<Record<string, Tensor<'float32'>>>;
  readonly headLora?: { readonly a: Tensor<'float32'>; readonly b: Tensor<'float32'> };
  readonly classifier?: Tensor<'float32'>;
  /** Flat, by the transform's weights: of the whole objective, its own term included. */
  readonly rowTransform?: Readonly<Record<string, Tensor<'float32'>>>;
}

/** A trained tensor: changed in place, between steps only. `name` is that of PEFT's state dict. */
export interface Parameter {
  readonly name: string;
  readonly value: Tensor<'float32'>;
}

export interface Adapter {
  readonly method: MethodName | 'combined';
  /** What it puts before the text: nothing, rows, or keys and values of every block. */
  readonly spanKind: SpanKind;
  /** 0 where there are none. */
  readonly numVirtualTokens: number;
  /** In a fixed order, names distinct. */
  readonly parameters: readonly Parameter[];
  /** Multitask: names of the tasks by id. */
  readonly tasks?: readonly string[];
  /** Classification: class names by id; such a model has no LM loss and generates nothing. */
  readonly labels?: readonly string[];
  /** Computes the parts: once per optimizer step and task, not per batch. @param task Its id. */
  parts(task?: number): Promise<StepParts>;
  /**
   * The vjp of the last {@link parts}, in the order of the parameters, which must not have changed
   * since; linear in the cotangents.
   * Places without a cotangent count as zero; those that the adapter does not fill are ignored.
   * The arrays are the caller's to change.
   */
  pullBack(cotangents: StepCotangents, task?: number): Promise<readonly Float32Array[]>;
  /** Writes the adapter into an existing directory: PEFT's files where PEFT has the method. */
  save(dir: string): Promise<void>;
}
