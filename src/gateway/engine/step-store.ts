/**
 * What the gateway holds of training steps between `Forward` and `Backward`, within a byte budget.
 *
 * A step holds its inputs and, until its first vjp, its residuals. Over the budget, the least
 * recently used residuals are evicted first, since the inputs can recompute them. Then the least
 * recently used inputs are evicted. An answered step holds its inputs in case its answer was lost.
 * All answered steps share a small part of the budget: memory stays flat in a long training. The
 * digest of the inputs remains, so that a step id with other inputs is still refused.
 */
import { CutlayerError } from '../../errors.js';

/** How to make a {@link StepStore}. */
export interface StepStoreOptions<Inputs, Residuals> {
  /** Most bytes of residuals and inputs; those of a running vjp count, but are not evicted. */
  readonly budgetBytes: number;
  /** Most of these for inputs of answered steps; the last answered step is always kept. */
  readonly answeredBytes: number;
  /** Most steps remembered, evicted ones included. */
  readonly maxSteps: number;
  /** A step without a call for this long is forgotten. */
  readonly idleMs: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
  readonly inputBytes: (inputs: Inputs) => number;
  readonly residualBytes: (residuals: Residuals) => number;
  /** Called with what was evicted or dropped, to free it. */
  readonly release: (residuals: Residuals) => void;
}

/** A store's size, for metrics. */
export interface StepStoreStats {
  /** Steps whose inputs or residuals are held. */
  readonly stepsHeld: number;
  readonly residualBytes: number;
  readonly inputBytes: number;
  readonly budgetBytes: number;
  readonly evictedResiduals: number;
  readonly evictedInputs: number;
}

interface Step<Inputs, Residuals> {
  readonly digest: string;
  inputs: Inputs | undefined;
  inputBytes: number;
  residuals: Residuals | undefined;
  residualBytes: number;
  /** Its vjp has been answered. */
  answered: boolean;
  usedAtMs: number;
}

/** The steps of all tenants; the caller makes a step's key of tenant and step id. */
export class StepStore<Inputs, Residuals> {
  readonly #options: StepStoreOptions<Inputs, Residuals>;
  /** In order of last use. */
  readonly #steps = new Map<string, Step<Inputs, Residuals>>();
  #residualBytes = 0;
  #inputBytes = 0;
  /** The part of `#inputBytes` that belongs to answered steps. */
  #answeredBytes = 0;
  #evictedResiduals = 0;
  #evictedInputs = 0;

  constructor(options: StepStoreOptions<Inputs, Residuals>) {
    this.#options = options;
  }

  /**
   * Remembers a step's inputs, or takes them as a retry of the same step.
   * @throws CutlayerError STEP_CONFLICT (the id came before with other inputs), LIMIT_EXCEEDED (the
   *   inputs alone exceed the budget)
   */
  admit(key: string, digest: string, inputs: Inputs): void {
    this.#forgetIdle();
    const inputBytes = this.#options.inputBytes(inputs);
    const known = this.#steps.get(key);
    if (known !== undefined && known.digest !== digest) {
      throw new CutlayerError('STEP_CONFLICT', 'stepId: this step was sent before with other inputs; use a new id for each step');
    }
    if (inputBytes > this.#options.budgetBytes) {
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `step: its inputs are ${inputBytes} bytes, the gateway holds at most ${this.#options.budgetBytes} for all steps; send smaller batches`,
      );
    }
    const step = known ?? {
      digest,
      inputs: undefined,
      inputBytes: 0,
      residuals: undefined,
      residualBytes: 0,
      answered: false,
      usedAtMs: 0,
    };
    if (step.inputs === undefined) {
      step.inputs = inputs;
      step.inputBytes = inputBytes;
      this.#inputBytes += inputBytes;
    }
    this.#setAnswered(step, false);
    this.#steps.set(key, step);
    this.#touch(key, step);
    for (const oldest of this.#steps.keys()) {
      if (this.#steps.size <= this.#options.maxSteps) break;
      this.forget(oldest);
    }
    this.#evict();
  }

  /** Keeps a step's residuals in place of older ones; releases those of an unknown step. */
  keepResiduals(key: string, residuals: Residuals): void {
    const step = this.#steps.get(key);
    if (step === undefined) {
      this.#options.release(residuals);
      return;
    }
    this.#dropResiduals(step);
    step.residuals = residuals;
    step.residualBytes = this.#options.residualBytes(residuals);
    this.#residualBytes += step.residualBytes;
    this.#touch(key, step);
    this.#evict();
  }

  /** Whether the residuals of a step are held. */
  hasResiduals(key: string): boolean {
    return this.#steps.get(key)?.residuals !== undefined;
  }

  /** Whether residuals of this size fit the budget beside the inputs of their step. */
  fits(key: string, residualBytes: number): boolean {
    return residualBytes + (this.#steps.get(key)?.inputBytes ?? 0) <= this.#options.budgetBytes;
  }

  /**
   * Hands out a step's inputs and residuals. The caller owns the residuals, and returns unused ones
   * with `keepResiduals`.
   * @throws CutlayerError STEP_EVICTED when neither is held any more
   */
  take(key: string): { readonly inputs: Inputs; readonly residuals: Residuals | undefined } {
    this.#forgetIdle();
    const step = this.#steps.get(key);
    if (step?.inputs === undefined) {
      throw new CutlayerError(
        'STEP_EVICTED',
        'stepId: the gateway does not hold this step (any more); send its Forward again, then Backward',
      );
    }
    const { inputs, residuals } = step;
    this.#residualBytes -= step.residualBytes;
    step.residuals = undefined;
    step.residualBytes = 0;
    this.#touch(key, step);
    return { inputs, residuals };
  }

  /** Marks a step's vjp as answered: its inputs are held only for a retry. */
  answered(key: string): void {
    const step = this.#steps.get(key);
    if (step === undefined) return;
    this.#setAnswered(step, true);
    this.#touch(key, step);
    for (const [other, candidate] of this.#steps) {
      if (this.#answeredBytes <= this.#options.answeredBytes || other === key) return;
      if (candidate.answered && candidate.inputs !== undefined) this.#dropInputs(candidate);
    }
  }

  /** Drops a step and its digest. */
  forget(key: string): void {
    const step = this.#steps.get(key);
    if (step === undefined) return;
    this.#dropResiduals(step);
    this.#dropInputs(step);
    this.#steps.delete(key);
  }

  /** Drops every step. */
  clear(): void {
    for (const key of [...this.#steps.keys()]) this.forget(key);
  }

  stats(): StepStoreStats {
    let stepsHeld = 0;
    for (const step of this.#steps.values()) if (step.inputs !== undefined) stepsHeld++;
    return {
      stepsHeld,
      residualBytes: this.#residualBytes,
      inputBytes: this.#inputBytes,
      budgetBytes: this.#options.budgetBytes,
      evictedResiduals: this.#evictedResiduals,
      evictedInputs: this.#evictedInputs,
    };
  }

  #touch(key: string, step: Step<Inputs, Residuals>): void {
    step.usedAtMs = this.#options.now();
    this.#steps.delete(key);
    this.#steps.set(key, step);
  }

  #forgetIdle(): void {
    const before = this.#options.now() - this.#options.idleMs;
    for (const [key, step] of this.#steps) {
      if (step.usedAtMs >= before) break;
      this.forget(key);
    }
  }

  #evict(): void {
    const exceeded = (): boolean => this.#residualBytes + this.#inputBytes > this.#options.budgetBytes;
    if (!exceeded()) return;
    for (const step of this.#steps.values()) {
      if (step.residuals === undefined) continue;
      this.#dropResiduals(step);
      this.#evictedResiduals++;
      if (!exceeded()) return;
    }
    for (const step of this.#steps.values()) {
      if (step.inputs === undefined) continue;
      this.#dropInputs(step);
      this.#evictedInputs++;
      if (!exceeded()) return;
    }
  }

  #dropResiduals(step: Step<Inputs, Residuals>): void {
    if (step.residuals === undefined) return;
    this.#residualBytes -= step.residualBytes;
    this.#options.release(step.residuals);
    step.residuals = undefined;
    step.residualBytes = 0;
  }

  #setAnswered(step: Step<Inputs, Residuals>, answered: boolean): void {
    if (step.answered === answered) return;
    step.answered = answered;
    this.#answeredBytes += answered ? step.inputBytes : -step.inputBytes;
  }

  #dropInputs(step: Step<Inputs, Residuals>): void {
    this.#setAnswered(step, false);
    this.#inputBytes -= step.inputBytes;
    step.inputs = undefined;
    step.inputBytes = 0;
  }
}
