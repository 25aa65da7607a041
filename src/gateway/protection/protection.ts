/**
 * Protects a backbone from being learned by its answers (docs/protection.md). It looks at every
 * call's rows and cotangents before the engine does. It refuses what a tenant's policy does not
 * allow.
 *
 * Its memory is bounded: tenants, and what is remembered of each, have a share of fixed totals.
 */
import type { CutlayerError } from '../../errors.js';
import type { WireDType } from '../../protocol/wire/wire-dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { CheckedInputs } from '../engine/step-inputs.js';
import { stepEvicted } from '../engine/step-store.js';
import { DAY_MS, type DayBudget } from '../tenants/day-budget.js';
import type { PolicySource } from './policies.js';
import { type Policy, type PolicyName, policyNames } from './policy.js';
import type { RandomBytes } from './projection.js';
import { Recent } from './recent.js';
import { leastPolicies, type ProtectedMethod, type ProtectionEvent, protectionRefused } from './refusal.js';
import { roundingOf, Sketches, START_CELL, type TextRow } from './sketches.js';
import { type RecordBounds, type StepRecord, TenantRecord } from './tenant-record.js';

/** The parts of a protection. */
export interface ProtectionOptions {
  readonly policies: PolicySource;
  readonly hiddenSize: number;
  /** Of the rows answered in a day. */
  readonly budget: DayBudget;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: RandomBytes;
  /** Called with evidence of each refusal, and of each alarm once a day. */
  readonly onEvent: (event: ProtectionEvent) => void;
}

/** What every call has. */
interface ProtectedCall {
  readonly tenant: string;
  /** Of the request's rows. */
  readonly dtype: WireDType;
}

/** A forward to look at. */
export interface ProtectedForward extends ProtectedCall {
  readonly stepId: string;
  readonly inputs: CheckedInputs;
  /** Of the inputs, of a training step. */
  readonly digest: string;
  readonly lengths: readonly number[];
  readonly training: boolean;
}

/** A backward to look at. */
export interface ProtectedBackward {
  readonly tenant: string;
  readonly stepId: string;
  readonly cotangent: Tensor<'float32'>;
  /** Of the cotangent's values. */
  readonly digest: string;
  readonly wantHiddenStates: boolean;
}

/** Rows of one text to look at. */
export interface ProtectedRows extends ProtectedCall {
  readonly method: 'KeyValues' | 'Decode';
  /** [rows, hiddenSize], or with dimensions of one before. */
  readonly rows: Tensor<'float32'>;
  /** Rows of the answer. */
  readonly answered: number;
  /** The decode session and the rows before these. */
  readonly session?: { readonly id: string; readonly from: number };
}

/** Where an observation was made. */
interface Where {
  readonly tenant: string;
  readonly method: ProtectedMethod;
  readonly id?: string;
}

/** The protection's counts, for metrics. */
export interface ProtectionStats {
  readonly protectionRefused: number;
  readonly protectionAlarms: number;
  readonly protectionTenants: number;
}

const MOST_TENANTS = 256;
/** Tenants whose shares of the totals are set aside from the first one on. */
const LEAST_TENANTS = 8;

/** What is remembered of all tenants together. */
const totals: RecordBounds = {
  rows: 131_072,
  directions: 1_048_576,
  steps: 32_768,
  stepRows: 4_194_304,
  inputs: 32_768,
  inputDirections: 524_288,
  sessions: 2048,
};

/** The protection of one backbone. */
export class Protection {
  readonly #options: ProtectionOptions;
  readonly #sketches: Sketches;
  readonly #records = new Recent<string, TenantRecord>();
  readonly #nearest = new Map<PolicyName, number>();
  #refused = 0;
  #alarms = 0;

  constructor(options: ProtectionOptions) {
    this.#options = options;
    this.#sketches = new Sketches(options.hiddenSize, options.random);
  }

  /** What a tenant is told of its policy. */
  policyOf(tenant: string): Policy {
    return this.#options.policies.of(tenant);
  }

  stats(): ProtectionStats {
    return { protectionRefused: this.#refused, protectionAlarms: this.#alarms, protectionTenants: this.#records.size };
  }

  /** By policy: the greatest share of its bound that was seen. */
  nearest(): ReadonlyMap<PolicyName, number> {
    return this.#nearest;
  }

  /**
   * Runs a forward that the policy allows. @throws CutlayerError PROTECTION_REFUSED, and of `run`
   */
  async forward<T>(call: ProtectedForward, run: () => Promise<T>): Promise<T> {
    const { tenant, stepId, inputs, lengths, training, dtype, digest } = call;
    const policy = this.policyOf(tenant);
    if (isUnbound(policy)) return run();
    const record = this.#record(tenant);
    const where: Where = { tenant, method: 'Forward', id: stepId };
    if (inputs.adapter.kind === 'softPrompt') this.#checkPrompt(policy, inputs.adapter.value, where);
    const rows = this.#sketches.step(inputs, lengths, this.#rowCheck(policy, record, roundingOf[dtype], where));
    const again = training && record.step(stepId)?.digest === digest;
    const answer = await this.#charged(policy, where, again ? 0 : rows.positions.length, run);
    if (training && !again) record.setStep(stepId, { digest, rows, cotangents: new Set(), calls: new Map() });
    this.#trim(record);
    return answer;
  }

  /**
   * Runs a backward that the policy allows. The same call again is allowed, and charged once.
   * @throws CutlayerError PROTECTION_REFUSED; STEP_EVICTED when the step is not remembered (any
   *   more); and of `run`
   */
  async backward<T>(call: ProtectedBackward, run: () => Promise<T>): Promise<T> {
    const { tenant, stepId, cotangent, digest, wantHiddenStates } = call;
    const policy = this.policyOf(tenant);
    if (isUnbound(policy)) return run();
    const record = this.#record(tenant);
    const where: Where = { tenant, method: 'Backward', id: stepId };
    const step = record.step(stepId);
    if (step === undefined) throw stepEvicted();
    // The engine refuses it, and says what was expected.
    if (cotangent.shape[0] !== step.rows.positions.length) return run();
    const name = `${digest} ${wantHiddenStates}`;
    if (!step.calls.has(name)) {
      this.#require(policy, 'directionsPerStep', step.cotangents.size + (step.cotangents.has(digest) ? 0 : 1), where);
      this.#require(policy, 'backwardsPerForward', step.calls.size + 1, where);
      if (!step.cotangents.has(digest)) this.#checkCotangent(policy, record, step, cotangent, where);
      step.cotangents.add(digest);
      step.calls.set(name, false);
      this.#trim(record);
    }
    const rows = step.calls.get(name) === true ? 0 : step.rows.virtualTokens + (wantHiddenStates ? step.rows.textRows : 0);
    const answer = await this.#charged(policy, where, rows, run);
    step.calls.set(name, true);
    return answer;
  }

  /** Answers rows of one text that the policy allows. @throws CutlayerError as forward */
  async rows<T>({ tenant, dtype, method, rows, answered, session }: ProtectedRows, run: () => Promise<T>): Promise<T> {
    const policy = this.policyOf(tenant);
    if (isUnbound(policy)) return run();
    const record = this.#record(tenant);
    const where: Where = { tenant, method, ...(session && { id: session.id }) };
    const look = this.#rowCheck(policy, record, roundingOf[dtype], where);
    const cells = session === undefined ? [] : record.session(session.id);
    const from = session?.from ?? 0;
    const count = rows.shape.at(-2)!;
    cells.length = Math.min(cells.length, from);
    // Rows that this record does not know (virtual ones, or those of a forgotten session).
    while (cells.length < from) cells.push(cells.at(-1) ?? START_CELL);
    this.#sketches.walk(rows.data, { first: 0, count, cell: cells.at(-1) ?? START_CELL }, (row) => {
      look(row);
      cells.push(row.cell);
    });
    this.#trim(record);
    return this.#charged(policy, where, answered, run);
  }

  /** Forgets what is remembered of a tenant, but not the rows of its day. */
  forgetTenant(tenant: string): void {
    this.#records.delete(tenant);
  }

  /** A decode session begins without rows. */
  openSession(tenant: string, id: string): void {
    this.#record(tenant).endSession(id);
  }

  copySession(tenant: string, id: string, copy: string): void {
    this.#record(tenant).copySession(id, copy);
  }

  endSession(tenant: string, id: string): void {
    this.#record(tenant).endSession(id);
  }

  /** Checks a text's rows as they are walked. */
  #rowCheck(policy: Policy, record: TenantRecord, rounding: number, where: Where): (row: TextRow) => void {
    return ({ cell, sketch, norm }) => {
      this.#require(policy, 'minRowNorm', norm, where);
      this.#require(policy, 'maxRowNorm', norm, where);
      if (policy.nearInputs === undefined) return;
      const near = record.seeRow({ cell, sketch, rounding });
      if (near > 0) this.#require(policy, 'nearInputs', near, where, record.nearAllowed(policy.nearInputs));
    };
  }

  #checkPrompt(policy: Policy, { data, shape }: Tensor<'float32'>, where: Where): void {
    if (policy.maxPromptNorm === undefined) return;
    const [count, width] = shape as readonly [number, number];
    for (let row = 0; row < count; row++) {
      let squares = 0;
      for (let i = row * width; i < (row + 1) * width; i++) squares += data[i]! * data[i]!;
      this.#require(policy, 'maxPromptNorm', Math.sqrt(squares), where);
    }
  }

  /** A direction that the step has not had. */
  #checkCotangent(policy: Policy, record: TenantRecord, step: StepRecord, cotangent: Tensor<'float32'>, where: Where): void {
    const { sequences, mostSeen } = this.#sketches.cotangent(cotangent, step.rows);
    const short = policy.minTokens !== undefined && mostSeen > 0 && mostSeen < policy.minTokens;
    if (short && !record.shortAllowed()) this.#require(policy, 'minTokens', mostSeen, where);
    if (policy.directionsPerInput !== undefined)
      for (const { cell, sketch } of sequences) this.#require(policy, 'directionsPerInput', record.seeCotangent(cell, sketch), where);
    record.countVjp(short);
  }

  /** Charges the rows of an answer; a call that fails is not charged. */
  async #charged<T>(policy: Policy, where: Where, rows: number, run: () => Promise<T>): Promise<T> {
    const { rowsPerDay } = policy;
    if (rowsPerDay === undefined || rows === 0) return run();
    const { budget } = this.#options;
    const { tenant } = where;
    const charge = await budget.charge(tenant, rows, rowsPerDay);
    const { taken, seen } = charge;
    if (!taken) throw this.#refuse('rowsPerDay', seen, rowsPerDay, where);
    this.#note('rowsPerDay', seen / rowsPerDay);
    this.#alarm(policy, 'rowsPerDay', seen, rowsPerDay, where);
    try {
      return await run();
    } catch (caught) {
      budget.refund(charge);
      throw caught;
    }
  }

  /** @throws CutlayerError PROTECTION_REFUSED */
  #require(policy: Policy, name: PolicyName, seen: number, where: Where, allowed = policy[name]): void {
    if (allowed === undefined) return;
    if (leastPolicies.has(name) ? seen < allowed : seen > allowed) throw this.#refuse(name, seen, allowed, where);
    this.#note(name, seen / allowed);
    if (alarmed.has(name)) this.#alarm(policy, name, seen, allowed, where);
  }

  #note(name: PolicyName, share: number): void {
    if (share > (this.#nearest.get(name) ?? 0)) this.#nearest.set(name, share);
  }

  #refuse(policy: PolicyName, seen: number, allowed: number, where: Where): CutlayerError {
    this.#refused++;
    this.#options.onEvent({ decision: 'refused', policy, ...where, seen, allowed });
    return protectionRefused({ policy, seen, allowed });
  }

  #alarm({ alarmAt }: Policy, policy: PolicyName, seen: number, allowed: number, where: Where): void {
    if (seen < alarmAt * allowed || !this.#record(where.tenant).firstAlarm(policy)) return;
    this.#alarms++;
    this.#options.onEvent({ decision: 'alarm', policy, ...where, seen, allowed });
  }

  #record(tenant: string): TenantRecord {
    const day = this.#day();
    const known = this.#records.find(tenant);
    if (known !== undefined) {
      known.turnTo(day);
      return known;
    }
    const record = new TenantRecord(day);
    this.#records.set(tenant, record);
    if (this.#records.size > MOST_TENANTS) this.#records.forgetOldest();
    // Each share is smaller now.
    if (this.#records.size > LEAST_TENANTS) for (const other of this.#records.values()) this.#trim(other);
    return record;
  }

  #trim(record: TenantRecord): void {
    const tenants = Math.max(LEAST_TENANTS, this.#records.size);
    record.trim(boundsOf(tenants));
  }

  #day(): number {
    return Math.floor(this.#options.now() / DAY_MS);
  }
}

/** Whether nothing is asked of a tenant: its calls are not looked at, and not remembered. */
const isUnbound = (policy: Policy): boolean => policyNames.every((name) => policy[name] === undefined);

/** The policies that count through a day: their bounds are neared. */
const alarmed: ReadonlySet<PolicyName> = new Set(['directionsPerInput', 'nearInputs', 'rowsPerDay']);

/** One tenant's share. */
const boundsOf = (tenants: number): RecordBounds => {
  const share = (total: number): number => Math.floor(total / tenants);
  return {
    rows: share(totals.rows),
    directions: share(totals.directions),
    steps: share(totals.steps),
    stepRows: share(totals.stepRows),
    inputs: share(totals.inputs),
    inputDirections: share(totals.inputDirections),
    sessions: share(totals.sessions),
  };
};
