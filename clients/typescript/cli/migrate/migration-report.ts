/** Old score against new score. */
import type { Sidecar } from '../../adapters/sidecar.js';
import { columns, figure, percent } from '../text-layout.js';

/** Metrics on held-out examples. */
export interface Score {
  readonly loss: number;
  readonly accuracy: number;
  readonly exactMatch: number;
}

/** One side of a migration. */
export interface MigratedSide {
  readonly backboneDigest: string | null;
  /** Null: not known, or nothing to measure on. */
  readonly score: Score | null;
}

export interface MigrationReport {
  readonly old: MigratedSide;
  readonly new: MigratedSide;
  /** Whether a loss per token means the same: both models have one tokenizer. */
  readonly sameTokenizer: boolean;
  /** The new adapter. */
  readonly adapter: string;
  readonly notes: readonly string[];
}

/** Whether two models have one tokenizer, as far as is known. */
export function sameTokenizer(old: Pick<Sidecar, 'tokenizerDigest'> | undefined, now: string | undefined): boolean {
  return old?.tokenizerDigest === undefined || old.tokenizerDigest === null || now === undefined || old.tokenizerDigest === now;
}

/** The table, and what to know of it. */
export function reportLines(report: MigrationReport): readonly string[] {
  const row = (name: string, { backboneDigest, score }: MigratedSide) => [
    name,
    backboneDigest?.slice(0, 12) ?? '-',
    score === null ? '-' : figure(score.loss, 4),
    score === null ? '-' : percent(score.accuracy),
    score === null ? '-' : percent(score.exactMatch),
  ];
  return [
    ...columns([['', 'backbone', 'loss', 'token accuracy', 'exact match'], row('old', report.old), row('new', report.new)]),
    ...(report.sameTokenizer ? [] : ['note: the tokenizers differ, so a loss per token does not mean the same: compare the exact match']),
    ...report.notes.map((note) => `note: ${note}`),
    `adapter: ${report.adapter}`,
  ];
}
