/** `sweep.json`: what each learning rate came to, best first; and the same as a table. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { sparkline } from '../sparkline.js';
import { columns } from '../text-layout.js';

const rowSchema = z.strictObject({
  learningRate: z.number(),
  /** The run's directory below the sweep's. */
  run: z.string(),
  outcome: z.enum(['finished', 'patience', 'diverged']),
  step: z.int().min(0),
  /** Null where the run diverged before there was one. */
  trainingLoss: z.number().nullable(),
  /** The best; null without validation. */
  validationLoss: z.number().nullable(),
  seconds: z.number(),
  /** Of a run that diverged. */
  reason: z.string().optional(),
  /** Training losses, for a curve: at most {@link CURVE_POINTS}. */
  curve: z.array(z.number()),
});

const sweepSchema = z.strictObject({
  format: z.literal('cutlayer-sweep'),
  formatVersion: z.literal(1),
  /** sha256 of everything else that the runs share. */
  settings: z.string(),
  ranked: z.enum(['validationLoss', 'trainingLoss']),
  best: z.string().nullable(),
  rows: z.array(rowSchema),
});

export type SweepRow = z.infer<typeof rowSchema>;
export type SweepResults = z.infer<typeof sweepSchema>;

/** Most points of a row's curve. */
export const CURVE_POINTS = 200;

/** Orders rows, best first; diverged ones last. */
export function rankSweep(rows: readonly SweepRow[], settings: string): SweepResults {
  const ranked = rows.some(({ validationLoss }) => validationLoss !== null) ? 'validationLoss' : 'trainingLoss';
  const score = (row: SweepRow) => (row.outcome === 'diverged' ? Number.POSITIVE_INFINITY : (row[ranked] ?? Number.POSITIVE_INFINITY));
  const ordered = [...rows].sort((a, b) => (score(a) === score(b) ? a.learningRate - b.learningRate : score(a) - score(b)));
  const [first] = ordered;
  const best = first !== undefined && Number.isFinite(score(first)) ? first.run : null;
  return { format: 'cutlayer-sweep', formatVersion: 1, settings, ranked, best, rows: ordered };
}

/** Reads the file; undefined when there is none. @throws CutlayerError INVALID_DATA */
export async function readSweep(file: string): Promise<SweepResults | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return sweepSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CutlayerError('INVALID_DATA', `${file}: not the results of a sweep; choose another --out`, { cause });
  }
}

export function sweepTable({ rows, best }: SweepResults, unicode: boolean): readonly string[] {
  const show = (loss: number | null) => (loss === null ? '-' : loss.toFixed(4));
  const cells = rows.map((row) => [
    row.run === best ? '*' : '',
    String(row.learningRate),
    show(row.validationLoss),
    show(row.trainingLoss),
    `${row.step}`,
    row.outcome,
    sparkline(row.curve, { width: 24, unicode }),
  ]);
  return columns([['', 'lr', 'validation', 'training', 'steps', 'outcome', 'training loss'], ...cells]);
}
