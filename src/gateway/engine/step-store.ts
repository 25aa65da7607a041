/**
 * What the gateway holds of training steps between `Forward` and `Backward`, within a byte budget.
 *
 * A step holds its inputs and, until its first vjp, its residuals, slice by slice. Over the budget,
 * the tenant that holds most gives first. Its least recently used residuals go first, since the
 * inputs can recompute them, then its least recently used inputs. So a tenant within an equal share
 * loses nothing to others. Steps are bounded alike: the tenant with most steps forgets its oldest.
 *
 * An answered step holds its inputs in case its answer was lost. All answered steps share a small
 * part of the budget: memory stays flat in a long training. The digest of the inputs remains, so
 * that a step id with other inputs is still refused.
 */
import { CutlayerError } from '../../errors.js';
import { Shares } from '../../server/shares.js';
import type { LimitSource } from '../tenants/limits.js';

/** How to make a {@link StepStore}. */
export interface StepStoreOptions<Inputs, Residuals> {
  /** Most bytes of residuals and inputs; those of a running vjp are not counted here. */
  readonly budgetBytes: number;
  /**
   * Most of these for inputs of answered steps; the last answered step is always kept. 'none'
   * forgets each step with its answer.
   */
  readonly answeredBytes: number | 'none';
  /** Bytes that one tenant's steps may hold. Default: all of the budget. */
  readonly limits?: LimitSource;
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

/** A step's identity: its id is unique within the tenant. */
export interface StepKey {
  readonly tenant: string;
  readonly stepId: string;
}

interface Step<Inputs, Residuals> extends StepKey {
  readonly digest: string;
  inputs: Inputs | undefined;
  inputBytes: number;
  /** By slice. */
  readonly residuals: Map<number, Residuals>;
  residualBytes: number;
  /** Its vjp has been answered. */
  answered: boolean;
  usedAtMs: number;
}

/** The steps of all tenants. */
export class StepStore<Inputs, Residuals> {
  readonly #options: StepStoreOptions<Inputs, Residuals>;
  /** By tenant and step id; each tenant's in order of last use. */
  readonly #tenants = new Map<string, Map<string, Step<Inputs, Residuals>>>();
  /** Steps remembered. */
  readonly #counts = new Shares();
  readonly #residualBytes = new Shares();
  readonly #inputBytes = new Shares();
  /** Residuals and inputs. */
  readonly #heldBytes = new Shares();
  /** The part of `#inputBytes` that belongs to answered steps. */
  readonly #answeredBytes = new Shares();
  #budgetBytes: number;
  #evictedResiduals = 0;
  #evictedInputs = 0;

  constructor(options: StepStoreOptions<Inputs, Residuals>) {
    this.#options = options;
    this.#budgetBytes = options.budgetBytes;
  }

  /** Changes the budget for now; what exceeds it is evicted. At most the budget of the options. */
  resize(budgetBytes: number): void {
    this.#budgetBytes = Math.min(budgetBytes, this.#options.budgetBytes);
    this.#evict();
  }

  /**
   * Remembers a step's inputs, or takes them as a retry of the same step.
   * @throws CutlayerError STEP_CONFLICT (the id came before with other inputs), LIMIT_EXCEEDED (the
   *   inputs alone exceed the budget)
   */
  admit(key: StepKey, digest: string, inputs: Inputs): void {
    this.forgetIdle();
    const inputBytes = this.#options.inputBytes(inputs);
    const known = this.#find(key);
    if (known !== undefined && known.digest !== digest) {
      throw new CutlayerError('STEP_CONFLICT', 'stepId: this step was sent before with other inputs; use a new id for each step');
    }
    if (inputBytes > this.#options.budgetBytes) {
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `step: its inputs are ${inputBytes} bytes, the gateway holds at most ${this.#options.budgetBytes} for all steps; send smaller batches`,
      );
    }
    const own = this.#limitOf(key.tenant);
    if (inputBytes > own) {
      const message = `step: its inputs are ${inputBytes} bytes, those of ${key.tenant} may be ${own}; send smaller batches`;
      throw new CutlayerError('LIMIT_EXCEEDED', message, { details: { limit: own } });
    }
    const step = known ?? this.#remember(key, digest);
    if (step.inputs === undefined) {
      step.inputs = inputs;
      step.inputBytes = inputBytes;
      this.#count(this.#inputBytes, step, inputBytes);
    }
    this.#setAnswered(step, false);
    this.#touch(step);
    this.#forgetBeyondLimit();
    this.#evict(key.tenant);
  }

  /** Keeps residuals of a slice in place of older ones; releases those of an unknown step. */
  keepResiduals(key: StepKey, residuals: Residuals, slice = 0): void {
    const step = this.#find(key);
    if (step === undefined) {
      this.#options.release(residuals);
      return;
    }
    this.#dropSlice(step, slice);
    step.residuals.set(slice, residuals);
    this.#addResidualBytes(step, this.#options.residualBytes(residuals));
    this.#touch(step);
    this.#evict(key.tenant);
  }

  /** Whether the residuals of a step's slice are held. */
  hasResiduals(key: StepKey, slice = 0): boolean {
    return this.#find(key)?.residuals.has(slice) === true;
  }

  /** Whether residuals of this size would be kept beside the inputs of their step. */
  fits(key: StepKey, residualBytes: number): boolean {
    const bytes = residualBytes + (this.#find(key)?.inputBytes ?? 0);
    return bytes <= this.#limitOf(key.tenant) && this.#heldBytes.levelledTo(key.tenant, bytes) <= this.#budgetBytes;
  }

  /**
   * A step's inputs, which stay in the store.
   * @throws CutlayerError STEP_EVICTED when they are not held any more
   */
  inputs(key: StepKey): Inputs {
    this.forgetIdle();
    const step = this.#find(key);
    if (step?.inputs === undefined) throw stepEvicted();
    this.#touch(step);
    return step.inputs;
  }

  /** The digest of a step that is held. @throws CutlayerError STEP_EVICTED */
  digest(key: StepKey): string {
    const step = this.#find(key);
    if (step === undefined) throw stepEvicted();
    return step.digest;
  }

  /**
   * Hands out a step's inputs, and the residuals of one slice. The caller owns the residuals, and
   * returns unused ones with `keepResiduals`.
   * @throws CutlayerError STEP_EVICTED when neither is held any more
   */
  take(key: StepKey, slice = 0): { readonly inputs: Inputs; readonly residuals: Residuals | undefined } {
    const inputs = this.inputs(key);
    const step = this.#find(key)!;
    const residuals = step.residuals.get(slice);
    if (residuals !== undefined) {
      step.residuals.delete(slice);
      this.#addResidualBytes(step, -this.#options.residualBytes(residuals));
    }
    return { inputs, residuals };
  }

  /** Marks a step's vjp as answered: its inputs are held only for a retry. */
  answered(key: StepKey): void {
    const last = this.#find(key);
    if (last === undefined) return;
    const { answeredBytes } = this.#options;
    if (answeredBytes === 'none') {
      this.forget(key);
      return;
    }
    this.#setAnswered(last, true);
    this.#touch(last);
    const droppable = (tenant: string) => this.#oldest(tenant, (step) => step !== last && step.answered && step.inputs !== undefined);
    while (this.#answeredBytes.total > answeredBytes) {
      const tenant = this.#answeredBytes.heaviest((one) => droppable(one) !== undefined);
      if (tenant === undefined) return;
      this.#dropInputs(droppable(tenant)!);
    }
  }

  /** Drops a step and its digest. */
  forget(key: StepKey): void {
    const step = this.#find(key);
    if (step === undefined) return;
    this.#dropResiduals(step);
    this.#dropInputs(step);
    const steps = this.#tenants.get(step.tenant)!;
    steps.delete(step.stepId);
    this.#counts.add(step.tenant, -1);
    if (steps.size === 0) this.#tenants.delete(step.tenant);
  }

  /** Bytes of residuals and inputs of a tenant. */
  heldBy(tenant: string): number {
    return this.#heldBytes.of(tenant);
  }

  /** Drops the steps of a tenant. */
  forgetTenant(tenant: string): void {
    for (const step of [...(this.#tenants.get(tenant)?.values() ?? [])]) this.forget(step);
  }

  /** Drops every step. */
  clear(): void {
    for (const step of this.#all()) this.forget(step);
  }

  stats(): StepStoreStats {
    return {
      stepsHeld: this.#all().filter(({ inputs }) => inputs !== undefined).length,
      residualBytes: this.#residualBytes.total,
      inputBytes: this.#inputBytes.total,
      budgetBytes: this.#budgetBytes,
      evictedResiduals: this.#evictedResiduals,
      evictedInputs: this.#evictedInputs,
    };
  }

  #find({ tenant, stepId }: StepKey): Step<Inputs, Residuals> | undefined {
    return this.#tenants.get(tenant)?.get(stepId);
  }

  #all(): Step<Inputs, Residuals>[] {
    return [...this.#tenants.values()].flatMap((steps) => [...steps.values()]);
  }

  /** The step of a tenant that was used longest ago, of those with a property. */
  #oldest(tenant: string, has: (step: Step<Inputs, Residuals>) => boolean): Step<Inputs, Residuals> | undefined {
    for (const step of this.#tenants.get(tenant)?.values() ?? []) if (has(step)) return step;
    return undefined;
  }

  #remember({ tenant, stepId }: StepKey, digest: string): Step<Inputs, Residuals> {
    const nothing = { inputs: undefined, inputBytes: 0, residuals: new Map<number, Residuals>(), residualBytes: 0 };
    const step: Step<Inputs, Residuals> = { tenant, stepId, digest, ...nothing, answered: false, usedAtMs: 0 };
    const steps = this.#tenants.get(tenant) ?? new Map<string, Step<Inputs, Residuals>>();
    this.#tenants.set(tenant, steps);
    steps.set(stepId, step);
    this.#counts.add(tenant, 1);
    return step;
  }

  #touch(step: Step<Inputs, Residuals>): void {
    step.usedAtMs = this.#options.now();
    const steps = this.#tenants.get(step.tenant)!;
    steps.delete(step.stepId);
    steps.set(step.stepId, step);
  }

  /** Forgets steps that had no call for their time. */
  forgetIdle(): void {
    const before = this.#options.now() - this.#options.idleMs;
    for (const steps of [...this.#tenants.values()]) {
      for (const step of steps.values()) {
        if (step.usedAtMs >= before) break;
        this.forget(step);
      }
    }
  }

  #forgetBeyondLimit(): void {
    while (this.#counts.total > this.#options.maxSteps) this.forget(this.#oldest(this.#counts.heaviest()!, () => true)!);
  }

  #limitOf(tenant: string): number {
    return this.#options.limits?.of(tenant).residualBytes ?? Number.POSITIVE_INFINITY;
  }

  /** @param changed the tenant that holds more than before; undefined after a change for all */
  #evict(changed?: string): void {
    while (changed !== undefined && this.#heldBytes.of(changed) > this.#limitOf(changed)) this.#evictOne(changed);
    while (this.#heldBytes.total > this.#budgetBytes) this.#evictOne(this.#heldBytes.heaviest()!);
  }

  #evictOne(tenant: string): void {
    const withResiduals = this.#oldest(tenant, ({ residuals }) => residuals.size > 0);
    if (withResiduals !== undefined) {
      this.#dropResiduals(withResiduals);
      this.#evictedResiduals++;
    } else {
      this.#dropInputs(this.#oldest(tenant, ({ inputs }) => inputs !== undefined)!);
      this.#evictedInputs++;
    }
  }

  /** Adds to one count of a tenant's bytes, and to all that it holds. */
  #count(bytes: Shares, { tenant }: StepKey, amount: number): void {
    bytes.add(tenant, amount);
    this.#heldBytes.add(tenant, amount);
  }

  #addResidualBytes(step: Step<Inputs, Residuals>, bytes: number): void {
    step.residualBytes += bytes;
    this.#count(this.#residualBytes, step, bytes);
  }

  #dropResiduals(step: Step<Inputs, Residuals>): void {
    for (const slice of [...step.residuals.keys()]) this.#dropSlice(step, slice);
  }

  #dropSlice(step: Step<Inputs, Residuals>, slice: number): void {
    const residuals = step.residuals.get(slice);
    if (residuals === undefined) return;
    step.residuals.delete(slice);
    this.#addResidualBytes(step, -this.#options.residualBytes(residuals));
    this.#options.release(residuals);
  }

  #setAnswered(step: Step<Inputs, Residuals>, answered: boolean): void {
    if (step.answered === answered) return;
    step.answered = answered;
    this.#answeredBytes.add(step.tenant, answered ? step.inputBytes : -step.inputBytes);
  }

  #dropInputs(step: Step<Inputs, Residuals>): void {
    this.#setAnswered(step, false);
    this.#count(this.#inputBytes, step, -step.inputBytes);
    step.inputs = undefined;
    step.inputBytes = 0;
  }
}

/** What a client can mend by sending the step's Forward again. */
export const stepEvicted = (): CutlayerError =>
  new CutlayerError('STEP_EVICTED', 'stepId: the gateway does not hold this step (any more); send its Forward again, then Backward');
