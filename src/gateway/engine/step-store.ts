/**
 * What the gateway remembers of training steps between `Forward` and `Backward`: a pure state under a byte budget.
 *
 * A step holds its inputs and, until its first vjp, its residuals. When the budget is exceeded the least recently used
 * residuals go first (they can be computed again from the inputs), then the least recently used inputs. Steps that have been
 * answered hold their inputs only for the case that the answer got lost, in a small share of the budget: memory stays flat
 * however long the training. What is left is the digest of the inputs, so that a step id that comes again with other inputs is
 * still refused.
 */
import { CutlayerError } from '../../errors.js';

/** How to make a {@link StepStore}. */
export interface StepStoreOptions<Inputs, Residuals> {
  /** Bytes of residuals and inputs held at most (those in use by a running vjp count, but cannot be evicted). */
  readonly budgetBytes: number;
  /** Bytes of these that inputs of answered steps may take; the last answered step is kept in any case. */
  readonly answeredBytes: number;
  /** Steps remembered at most, evicted ones included. */
  readonly maxSteps: number;
  /** A step that nobody has touched for this long is forgotten. */
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

/** The steps of all tenants, by a key that the caller makes of tenant and step id. */
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
   * @throws CutlayerError STEP_CONFLICT (the id came before with other inputs), LIMIT_EXCEEDED (the inputs alone exceed the budget)
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

  /** Keeps the residuals of a step; they replace older ones. Those of a step that is no longer known are released. */
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

  /** Whether the residuals of a step are here. */
  hasResiduals(key: string): boolean {
    return this.#steps.get(key)?.residuals !== undefined;
  }

  /** Whether residuals of this size could be kept at all beside the inputs of their step. */
  fits(key: string, residualBytes: number): boolean {
    return residualBytes + (this.#steps.get(key)?.inputBytes ?? 0) <= this.#options.budgetBytes;
  }

  /**
   * The inputs of a step, and its residuals, which go over to the caller (who gives them back with `keepResiduals` when
   * they were not used).
   * @throws CutlayerError STEP_EVICTED when neither is here any more
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

  /** Notes that a step's vjp has been answered: its inputs are now only held for a retry. */
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

  /** Drops all that is known of a step. */
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
