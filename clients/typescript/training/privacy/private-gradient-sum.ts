/**
 * A step's gradient with example-level differential privacy (DP-SGD): the gradient of each example by itself is pulled back to the adapter's parameters,
 * clipped, and summed; the sum gets Gaussian noise and is divided by the EXPECTED number of examples, for the true one is not public. What the optimizer does
 * with it afterwards costs nothing more.
 *
 * The guarantee is about the adapter that comes out. The gateway sees activations of the examples themselves; it holds for whoever gets the adapter, not for it.
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
  /** Most L2 norm of one example's gradient, over all parameters of the adapter together. An example's gradient is that of its mean loss per target. */
  readonly clipNorm: number;
  /** Deviation of the noise on the sum of gradients over `clipNorm`: not a variance. 0: no noise, and no guarantee. */
  readonly noiseMultiplier: number;
  /** Expected examples of a step. Each has to be sampled by Poisson: `poissonSample(examples, expectedBatch)`. */
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
