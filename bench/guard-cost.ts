/**
 * What protection and audit log cost a training step: the same step through two gateways that
 * differ in one of them, in turns.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policyNames } from '../src/gateway/protection/policy.js';
import { kebab } from '../src/options/option.js';
import type { StepSize } from './compiler.js';
import { openGatewayTrainer } from './gateway-trainer.js';
import { paired } from './paired.js';
import type { Report } from './report.js';
import type { Model } from './session.js';

/** What each of the two gateways has: flags of `gateway start`. */
interface Sides {
  readonly what: string;
  readonly withIt: readonly string[];
  readonly without: readonly string[];
}

/** Measures both in pairs. @param rounds pairs of steps */
export async function benchGuardCost(report: Report, model: Model, size: StepSize, rounds: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-guard-cost-'));
  try {
    const off = join(dir, 'off.yaml');
    await writeFile(off, `default:\n${policyNames.map((name) => `  ${kebab(name)}: off\n`).join('')}`);
    const bounded = join(dir, 'bounded.yaml');
    // As a vendor has it: the rows of a day are counted too.
    await writeFile(bounded, 'default:\n  rows-per-day: 1000000000\n');
    const noAudit = ['--audit', 'none'];
    const [protectedBy, unprotected] = [
      ['--protection', bounded],
      ['--protection', off],
    ];
    await measure({ what: 'protection', withIt: [...noAudit, ...protectedBy], without: [...noAudit, ...unprotected] });
    await measure({ what: 'audit log', withIt: protectedBy, without: [...noAudit, ...protectedBy] });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }

  async function measure({ what, withIt, without }: Sides): Promise<void> {
    const open = (side: string, flags: readonly string[]) =>
      openGatewayTrainer({ ...model, stateDir: join(dir, `${what} ${side}`) }, size, flags);
    const guarded = await open('with', withIt);
    try {
      const bare = await open('without', without);
      try {
        const { aMs, bMs, ratio } = await paired(guarded.step, bare.step, rounds);
        report.add(`step with ${what}, ${model.name}, ${size.batch} x ${size.sequence} + ${size.virtualTokens}`, aMs, 'ms', {
          baseline: `${bMs.toFixed(1)} ms without, in turns`,
          ratio,
        });
      } finally {
        await bare.close();
      }
    } finally {
      await guarded.close();
    }
  }
}
