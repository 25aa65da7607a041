/**
 * The attention of one layer, without what is around it. That of a forward which no vjp follows
 * (compiler/models/fused-attention.ts) is held against that of a training step. Each side runs in
 * processes of its own, in turn, so that each has its own peak of memory.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AttentionForm, AttentionRun, AttentionSize } from './attention-run.js';
import { median } from './paired.js';
import type { Report } from './report.js';

const SIZES: readonly AttentionSize[] = [
  ...[64, 512, 2048, 4096].map((sequence) => ({ batch: sequence === 64 ? 8 : 1, sequence, numHeads: 12, numKvHeads: 12, window: null })),
  ...[null, 512].map((window) => ({ batch: 1, sequence: 2048, numHeads: 14, numKvHeads: 2, window })),
  { batch: 1, sequence: 4096, numHeads: 12, numKvHeads: 12, window: 512 },
];

/** Times are of one thread's processor, so that other work on the machine disturbs them less. */
export function benchAttention(report: Report, rounds: number): void {
  for (const size of SIZES) {
    compare(report, size, 'forward', ['fused', 'plain'], 'attention of a step', rounds);
    if (size.window !== null) compare(report, size, 'forward + vjp', ['step', 'masked step'], 'keys before the window masked', rounds);
  }
}

function compare(
  report: Report,
  size: AttentionSize,
  what: string,
  [own, other]: readonly [AttentionForm, AttentionForm],
  baseline: string,
  rounds: number,
): void {
  const runs: [AttentionRun, AttentionRun][] = [];
  for (let round = 0; round < rounds; round++) runs.push([runOnce(own, size), runOnce(other, size)]);
  const { batch, sequence, numHeads, numKvHeads, window } = size;
  const shape = `${batch} x ${sequence}, heads ${numHeads} over ${numKvHeads}${window === null ? '' : `, window ${window}`}`;
  for (const [key, unit] of [
    ['cpuMs', 'ms of a thread'],
    ['peakMiB', 'MiB over the start'],
  ] as const) {
    const [a, b] = [0, 1].map((side) => median(runs.map((pair) => pair[side]![key]))) as [number, number];
    report.add(`attention, ${what}, ${shape}`, a, unit, { baseline: `${baseline}, ${b.toFixed(0)}`, ratio: a / b });
  }
}

function runOnce(form: AttentionForm, size: AttentionSize): AttentionRun {
  const entry = fileURLToPath(new URL('attention-run.js', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [entry, form, JSON.stringify(size)], { encoding: 'utf8' })) as AttentionRun;
}
