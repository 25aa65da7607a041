/** A protection without a gateway: its clock stands still, and its events are collected. */
import { type Policy, standardPolicy } from '../../src/gateway/protection/policy.js';
import { Protection } from '../../src/gateway/protection/protection.js';
import type { ProtectionEvent } from '../../src/gateway/protection/refusal.js';
import { DayBudget, type DayLedger } from '../../src/gateway/tenants/day-budget.js';
import { seeded } from '../../src/tensor/random.js';
import { memoryLedger } from './memory-ledger.js';

/** What a test asks for. */
export interface ProtectionRigOptions {
  readonly hiddenSize: number;
  /** In place of parts of the standard policy. */
  readonly policy?: Partial<Policy> | (() => Partial<Policy>);
  readonly ledger?: DayLedger;
}

/** A protection and what it said. */
export interface ProtectionRig {
  readonly protection: Protection;
  readonly budget: DayBudget;
  readonly events: ProtectionEvent[];
  readonly clock: { now: number };
}

/** Makes one; the seed of its sketches is always the same. */
export function protectionRig({ hiddenSize, policy, ledger = memoryLedger() }: ProtectionRigOptions): ProtectionRig {
  const events: ProtectionEvent[] = [];
  const clock = { now: Date.parse('2026-03-01T10:00:00Z') };
  const random = seeded(1);
  const budget = new DayBudget(ledger, () => clock.now);
  const protection = new Protection({
    policies: { of: () => ({ ...standardPolicy(hiddenSize), ...(typeof policy === 'function' ? policy() : policy) }) },
    ...{ hiddenSize, budget },
    now: () => clock.now,
    random: (count) => Uint8Array.from({ length: count }, () => random.integer(256)),
    onEvent: (event) => void events.push(event),
  });
  return { protection, budget, events, clock };
}
