/**
 * The attention of one layer, without what is around it. That of a forward which no vjp follows
 * (compiler/models/fused-attention.ts) is held against that of a training step. Each side runs in
 * processes of its own, in turn, so that each has its own peak of memory.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AttentionRun, AttentionSize } from './attention-run.js';
import { median } from './paired.js';
import type { Report } from './report.js';

const SIZES: readonly AttentionSize[] = [
  ...[64, 512, 2048, 4096].map((sequence) => ({ batch: sequence === 64 ? 8 : 1, sequence, numHeads: 12, numKvHeads: 12, window: null })),
  ...[null, 512].map((window) => ({ batch: 1, sequence: 2048, numHeads: 14, numKvHeads: 2, window })),
];

/** Times are of one thread's processor, so that other work on the machine disturbs them less. */
export function benchAttention(report: Report, rounds: number): void {
  for (const size of SIZES) {
    const runs: { readonly fused: AttentionRun[]; readonly plain: AttentionRun[] } = { fused: [], plain: [] };
    for (let round = 0; round < rounds; round++) for (const form of ['fused', 'plain'] as const) runs[form].push(runOnce(form, size));
    const { batch, sequence, numHeads, numKvHeads, window } = size;
    const title = `attention, ${batch} x ${sequence}, heads ${numHeads} over ${numKvHeads}${window === null ? '' : `, window ${window}`}`;
    const against = (key: keyof AttentionRun): number => median(runs.plain.map((run) => run[key]));
    const own = (key: keyof AttentionRun): number => median(runs.fused.map((run) => run[key]));
    for (const [key, unit] of [
      ['cpuMs', 'ms of a thread'],
      ['peakMiB', 'MiB over the start'],
    ] as const)
      report.add(title, own(key), unit, { baseline: `attention of a step, ${against(key).toFixed(0)}`, ratio: own(key) / against(key) });
  }
}

function runOnce(form: 'fused' | 'plain', size: AttentionSize): AttentionRun {
  const entry = fileURLToPath(new URL('attention-run.js', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [entry, form, JSON.stringify(size)], { encoding: 'utf8' })) as AttentionRun;
}
