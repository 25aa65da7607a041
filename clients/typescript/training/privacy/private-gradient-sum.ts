/**
 * A step's gradient with example-level differential privacy (DP-SGD). Each example's gradient is
 * clipped; the sum gets Gaussian noise. It is divided by the EXPECTED number of examples, since the
 * true one is not public. What the optimizer does with it costs nothing more. The guarantee is
 * about the adapter, against its readers. It does not cover the gateway, which sees the examples'
 * activations.
 * @see Abadi et al., "Deep Learning with Differential Privacy", arXiv:1607.00133, algorithm 1
 */
import { CutlayerError } from '../../../../src/errors.js';
import { CentralSum } from '../../../../src/privacy/central.js';
import type { RandomBytes } from '../../../../src/privacy/random.js';
import { mapFloats } from '../../../../src/tensor/floats.js';
import type { Adapter } from '../../adapters/adapter.js';
import { StepSum, type TaskResult } from '../gradient-sum.js';

/** How a step is made private. */
export interface StepPrivacy {
  /** Most L2 norm of one example's gradient (of its mean loss per target) over all parameters. */
  readonly clipNorm: number;
  /** The noise's deviation (not variance) on the sum, over `clipNorm`. 0: no noise or guarantee. */
  readonly noiseMultiplier: number;
  /** Expected examples of a step, by Poisson sampling: `poissonSample(examples, expectedBatch)`. */
  readonly expectedBatch: number;
  /** Of the noise. Default: the operating system's. Another one only in tests. */
  readonly random?: RandomBytes | undefined;
}

/** Examples since the last step, each by itself: a batch is one example. */
export class PrivateGradientSum extends StepSum {
  readonly #privacy: StepPrivacy;
  readonly #sum: CentralSum;
  readonly #flat: Float32Array;

  /** @throws CutlayerError INVALID_ARGUMENT */
  constructor(adapter: Pick<Adapter, 'parameters' | 'pullBack'>, privacy: StepPrivacy) {
    super(adapter);
    const { clipNorm, noiseMultiplier, expectedBatch } = privacy;
    if (!Number.isSafeInteger(expectedBatch) || expectedBatch < 1) {
      throw new CutlayerError('INVALID_ARGUMENT', `expected batch: expected a whole number of at least 1, got ${expectedBatch}`);
    }
    this.#privacy = privacy;
    const dimension = adapter.parameters.reduce((total, { value }) => total + value.data.length, 0);
    this.#sum = new CentralSum({ dimension, clipNorm, noiseMultiplier });
    this.#flat = new Float32Array(dimension);
  }

  protected release(): readonly Float32Array[] {
    const { expectedBatch, random } = this.#privacy;
    const { sum } = this.#sum.release(random);
    let at = 0;
    return this.adapter.parameters.map(({ value }) => {
      at += value.data.length;
      return mapFloats(sum.subarray(at - value.data.length, at), (total) => total / expectedBatch);
    });
  }

  protected async take({ task, cotangents, targets }: TaskResult): Promise<void> {
    const flat = this.#flat;
    let at = 0;
    for (const gradient of await this.adapter.pullBack(cotangents, task)) {
      for (let i = 0; i < gradient.length; i++) flat[at + i] = gradient[i]! / Math.max(1, targets);
      at += gradient.length;
    }
    this.#sum.add(flat);
  }
}
