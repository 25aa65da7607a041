/**
 * AdamW with float32 state and the arithmetic of `torch.optim.AdamW`: decoupled weight decay, bias
 * correction, epsilon added after the square root has been bias-corrected.
 * @see arXiv:1711.05101 algorithm 2
 */
import { CutlayerError } from '../../../src/errors.js';
import { allFinite } from '../../../src/tensor/finite.js';
import { type ClientOptimizations, optimizations } from '../optimizations.js';
import { type AdamWFactors, type AdamWValues, stepAdamW } from './adamw-step.js';
import { stepAdamWByVectors } from './adamw-vectors.js';

/** Settings of {@link AdamW}; the defaults are torch's. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** A checkpoint's part: float32 moments of the parameter's length, and the steps taken. */
export interface AdamWState {
  readonly step: number;
  readonly expAvg: Float32Array;
  readonly expAvgSq: Float32Array;
}

/** The optimizer of one parameter; it holds nothing of the parameter's size but the moments. */
export class AdamW {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  #step = 0;
  readonly #expAvg: Float32Array;
  readonly #expAvgSq: Float32Array;
  readonly #stepper: typeof stepAdamW;

  /** @param length Elements of the parameter. */
  constructor(length: number, options: AdamWOptions = {}, { vectors }: Pick<ClientOptimizations, 'vectors'> = optimizations) {
    this.beta1 = inRange('beta1', options.beta1 ?? 0.9, 0, 1);
    this.beta2 = inRange('beta2', options.beta2 ?? 0.999, 0, 1);
    this.epsilon = inRange('epsilon', options.epsilon ?? 1e-8, 0, Infinity);
    this.weightDecay = inRange('weightDecay', options.weightDecay ?? 0.01, 0, Infinity);
    this.#expAvg = new Float32Array(length);
    this.#expAvgSq = new Float32Array(length);
    this.#stepper = vectors ? stepAdamWByVectors : stepAdamW;
  }

  /** Updates `parameter` in place. @param learningRate This step's, after the schedule. */
  step(parameter: Float32Array, gradient: Float32Array, learningRate: number): void {
    const values = this.#values(parameter, gradient);
    this.#stepper(values, this.#factors(learningRate));
    this.#step += 1;
  }

  /** Whether all parameters would be finite after a step, which is not taken. */
  staysFinite(parameter: Float32Array, gradient: Float32Array, learningRate: number): boolean {
    let finite = true;
    this.#stepper(this.#values(parameter, gradient), this.#factors(learningRate), (updated) => {
      finite &&= allFinite(updated);
    });
    return finite;
  }

  /** Steps taken. */
  get steps(): number {
    return this.#step;
  }

  /** A copy of the state. */
  state(): AdamWState {
    return { step: this.#step, expAvg: this.#expAvg.slice(), expAvgSq: this.#expAvgSq.slice() };
  }

  /** Takes up a saved state. @throws CutlayerError INVALID_SHAPE for another parameter size */
  load(state: AdamWState): void {
    if (state.expAvg.length !== this.#expAvg.length || state.expAvgSq.length !== this.#expAvgSq.length) {
      throw new CutlayerError(
        'INVALID_SHAPE',
        `optimizer state: expected moments of ${this.#expAvg.length} elements, got ${state.expAvg.length} and ${state.expAvgSq.length}`,
      );
    }
    this.#step = state.step;
    this.#expAvg.set(state.expAvg);
    this.#expAvgSq.set(state.expAvgSq);
  }

  #values(parameter: Float32Array, gradient: Float32Array): AdamWValues {
    const [expAvg, expAvgSq] = [this.#expAvg, this.#expAvgSq];
    if (parameter.length === expAvg.length && gradient.length === expAvg.length) return { parameter, gradient, expAvg, expAvgSq };
    throw new CutlayerError(
      'INVALID_SHAPE',
      `AdamW: expected ${expAvg.length} parameters and gradients, got ${parameter.length} and ${gradient.length}`,
    );
  }

  /** Those of the next step. */
  #factors(learningRate: number): AdamWFactors {
    const { fround, sqrt } = Math;
    const step = this.#step + 1;
    return {
      decay: fround(1 - learningRate * this.weightDecay),
      blend: fround(1 - this.beta1),
      beta2: fround(this.beta2),
      square: fround(1 - this.beta2),
      stepSize: fround(-learningRate / (1 - this.beta1 ** step)),
      correction: fround(sqrt(1 - this.beta2 ** step)),
      epsilon: fround(this.epsilon),
    };
  }
}

function inRange(name: string, value: number, low: number, high: number): number {
  if (!(value >= low && value <= high)) {
    throw new CutlayerError('INVALID_ARGUMENT', `AdamW: ${name} must be between ${low} and ${high}, got ${value}`);
  }
  return value;
}
