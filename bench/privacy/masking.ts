/**
 * What masking cotangents hides from a vendor who looks, on the demo's model and notes. Measured
 * are labels that come back with the head and without it, undefended and masked, and the price.
 */
import type { Measure } from '../../clients/typescript/audit/metrics.js';
import type { Report } from '../report.js';
import { attackMasked, type MaskedResult } from './attacks.js';
import { interval, openDemoModel } from './demo-model.js';
import { type MaskedRun, runMasked } from './masked-steps.js';

type Setting = Pick<MaskedRun, 'sent' | 'decoys' | 'optimizer' | 'virtualTokens'>;

const usual = { optimizer: 'adamw', virtualTokens: 16 } as const;

/** The last ones have more calls a step than their prompt has values. */
const settings: readonly Setting[] = [
  { ...usual, sent: 1, decoys: 'noise' },
  ...(['noise', 'labels'] as const).flatMap((decoys) => [2, 4, 8].map((sent) => ({ ...usual, sent, decoys }))),
  { ...usual, sent: 8, decoys: 'labels', optimizer: 'sgd' },
  ...(['noise', 'labels'] as const).map((decoys) => ({ ...usual, sent: 16, decoys, virtualTokens: 1 })),
];

const names: Readonly<Record<keyof MaskedResult, string>> = {
  span: 'labels, head, sent',
  used: 'labels, head, next prompt',
  sentAlike: 'equal labels (AUC), sent',
  rebuiltAlike: 'equal labels (AUC), next prompt',
};

/** Runs every setting over steps of 16 notes. */
export async function benchMasking(report: Report): Promise<void> {
  const demo = await openDemoModel(0);
  try {
    const { bundle, connection } = demo;
    const examples = await demo.examples('data/train.jsonl');
    for (const setting of settings) {
      const run: MaskedRun = { ...{ bundle, connection, examples, batch: 16, steps: 3, learningRate: 0.01, seed: 0 }, ...setting };
      const seen = await runMasked(run);
      const what = `masking: ${setting.sent} sent, ${setting.decoys}, ${setting.optimizer}, ${setting.virtualTokens} virtual tokens`;
      const result = await attackMasked(run, seen);
      for (const [name, measure] of Object.entries(result) as [keyof MaskedResult, Measure][])
        report.add(`${what}: ${names[name]} ${interval(measure)}`, 100 * measure.value, '%');
      report.add(`${what}: calls of a record`, seen.price.calls, 'calls');
      report.add(`${what}: bytes of a record`, seen.price.bytes / 1000, 'kB');
    }
  } finally {
    await demo.close();
  }
}
