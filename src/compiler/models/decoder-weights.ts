/** A decoder's weights by role; only requested ones become initializers or inputs. */
import { GraphBuilder } from '../onnx/builder.js';
import type { Value } from '../onnx/value.js';
import { optimizations as defaults, type Optimizations } from './optimizations.js';
import type { DecoderSpec } from './spec.js';
import type { BlockRole, LayerRole, ModelRole, WeightTable } from './weights.js';

/** The graph under construction, the decoder that it computes, and the decoder's weights. */
export class DecoderGraph {
  readonly g = new GraphBuilder();
  readonly spec: DecoderSpec;
  readonly #table: WeightTable;

  constructor(
    model: { readonly spec: DecoderSpec; readonly weights: WeightTable },
    /** `inputs`: the blocks' weights are graph inputs, for clients that train them. */
    private readonly blockWeights: 'frozen' | 'inputs' = 'frozen',
    readonly optimizations: Optimizations = defaults,
    /** `forward`: no vjp is made of the graph, so it may hold ops that have none. */
    readonly use: 'step' | 'forward' = 'step',
  ) {
    this.spec = model.spec;
    this.#table = model.weights;
  }

  /** A weight outside the blocks. */
  model(role: ModelRole): Value {
    const { name, shape } = this.#table.model(role);
    return this.g.weight(name, 'float32', shape);
  }

  /** A weight of a block. */
  block(layer: number, role: BlockRole): Value {
    const { name, shape } = this.#table.block(layer, role);
    return this.blockWeights === 'inputs' ? this.g.input(name, 'float32', shape) : this.g.weight(name, 'float32', shape);
  }

  /** The LM head's weight, [vocabSize, hiddenSize]: the token embedding where they are tied. */
  head(): Value {
    return this.model(this.spec.tiedHead ? 'embedTokens' : 'head');
  }

  /**
   * A linear layer of a block on all rows: one Gemm.
   * @param x [rows, in]
   * @returns [rows, out]
   */
  linear(x: Value, layer: number, role: LayerRole, hasBias: boolean): Value {
    const B = this.block(layer, role);
    const C = hasBias ? this.block(layer, `${role}Bias`) : undefined;
    return this.g.gemm({ A: x, B, C }, { transB: this.spec.linearLayout === 'outIn' ? 1 : 0 });
  }
}
