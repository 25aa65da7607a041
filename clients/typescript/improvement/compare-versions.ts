/** Measures a candidate and the promoted version on the same held-out examples, and judges. */
import type { VersionSlices } from '../versions/version-registry.js';
import { type Difference, difference, metricsOf } from './bootstrap.js';
import { judge } from './gate.js';
import { readExamples } from './read-examples.js';
import type { ArrivedExample } from './stored-example.js';
import type { Trainer } from './trainer.js';
import { measuredSet } from './training-set.js';

export interface Comparison {
  readonly trainer: Trainer;
  /** `seen`: how much of the examples its data had. */
  readonly promoted: { readonly version: number; readonly adapterDir: string; readonly seen: number };
  readonly candidate: { readonly version: number; readonly adapterDir: string };
  readonly heldOut: readonly ArrivedExample[];
  readonly maxForgetting: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** What became of a candidate. */
export interface GateDecision {
  readonly version: number;
  /** The version that it was compared with. */
  readonly rival: number;
  readonly promote: boolean;
  readonly reasons: readonly string[];
  /** Metrics of both; null without held-out examples. */
  readonly candidate: VersionSlices | null;
  readonly promoted: VersionSlices | null;
  /** Candidate less promoted on all held-out examples, and on the earlier ones. */
  readonly current: Difference | null;
  readonly earlier: Difference | null;
}

/** @throws CutlayerError of measuring */
export async function compareVersions(comparison: Comparison): Promise<GateDecision> {
  const { trainer, promoted, candidate, heldOut, maxForgetting, seed, signal } = comparison;
  const { examples, ordinals } = readExamples(measuredSet(heldOut), trainer);
  const named = { version: candidate.version, rival: promoted.version };
  if (examples.length === 0) {
    const nothing = { candidate: null, promoted: null, current: null, earlier: null };
    return { ...named, ...nothing, ...judge({ current: undefined, earlier: undefined, maxForgetting }) };
  }
  const before = await trainer.measure(promoted.adapterDir, examples, signal);
  const after = await trainer.measure(candidate.adapterDir, examples, signal);
  const isEarlier = (_: unknown, at: number) => ordinals[at]! < promoted.seen;
  const [oldBefore, oldAfter] = [before.filter(isEarlier), after.filter(isEarlier)];
  const current = difference(before, after, seed);
  const earlier = oldBefore.length === 0 ? undefined : difference(oldBefore, oldAfter, seed + 1);
  const slices = (all: typeof before, old: typeof before): VersionSlices => ({
    current: metricsOf(all),
    earlier: metricsOf(old.length === 0 ? all : old),
  });
  return {
    ...named,
    ...judge({ current, earlier, maxForgetting }),
    candidate: slices(after, oldAfter),
    promoted: slices(before, oldBefore),
    current,
    earlier: earlier ?? null,
  };
}
