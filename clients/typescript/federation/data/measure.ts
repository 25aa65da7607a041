/** An evaluate round's work: a version measured on both held-out slices, and two as a payload. */
import { CutlayerError } from '../../../../src/errors.js';
import type { VersionMetrics } from '../../../../src/protocol/federation/chain.js';
import {
  EVALUATION_LENGTH,
  evaluatedVersions,
  evaluationMetrics,
  evaluationSlices,
  metricIndex,
} from '../../../../src/protocol/federation/payload.js';
import type { Adapter } from '../../adapters/adapter.js';
import type { Example } from '../../data/examples.js';
import { type EvaluateOptions, type EvaluationResult, evaluate } from '../../inference/evaluate.js';
import type { SplitModel } from '../../model/split-model.js';
import type { HeldOut } from './local-data.js';

/** A version's metrics on a participant's held-out examples. */
export interface MeasuredVersion {
  readonly current: VersionMetrics;
  readonly earlier: VersionMetrics;
}

/**
 * Measures an adapter as it is now; each example goes through the model once.
 * @throws CutlayerError INVALID_DATA without held-out examples, or an error of `evaluate`
 */
export async function measureSlices(
  model: SplitModel,
  adapter: Adapter,
  { current, earlier }: HeldOut,
  options: EvaluateOptions = {},
): Promise<MeasuredVersion> {
  if (current.length === 0 || earlier.length === 0) {
    throw new CutlayerError('INVALID_DATA', 'evaluation: this participant has no held-out examples; give --held-out, or more data');
  }
  const before = new Set<Example>(earlier);
  const later = current.filter((example) => !before.has(example));
  const old = await evaluate(model, adapter, earlier, options);
  const all = later.length === 0 ? old : together(old, await evaluate(model, adapter, later, options));
  return { current: metricsOf(all), earlier: metricsOf(old) };
}

/**
 * The numbers of an evaluate round, each in [0, 1], in the places of {@link metricIndex}.
 * @param lossCap Nats; a loss above it, or one that is no number, counts as it.
 */
export function evaluationPayload(
  measured: { readonly promoted: MeasuredVersion; readonly candidate: MeasuredVersion },
  lossCap: number,
): Float64Array {
  const payload = new Float64Array(EVALUATION_LENGTH);
  for (const version of evaluatedVersions) {
    for (const slice of evaluationSlices) {
      for (const metric of evaluationMetrics) {
        const value = measured[version][slice][metric];
        const share = metric === 'loss' ? value / lossCap : value;
        payload[metricIndex(version, slice, metric)] = Number.isNaN(share) ? (metric === 'loss' ? 1 : 0) : Math.min(1, Math.max(0, share));
      }
    }
  }
  return payload;
}

type Counted = Pick<EvaluationResult, 'loss' | 'accuracy' | 'exactMatch' | 'targets' | 'examples'>;

/** The evaluation of two disjoint lists as one. */
function together(a: Counted, b: Counted): Counted {
  const targets = a.targets + b.targets;
  const examples = a.examples + b.examples;
  // What was measured on nothing counts for nothing.
  const part = (share: number, count: number): number => (count === 0 ? 0 : share * count);
  const mean = (key: 'loss' | 'accuracy') => (part(a[key], a.targets) + part(b[key], b.targets)) / targets;
  return {
    loss: mean('loss'),
    accuracy: mean('accuracy'),
    exactMatch: (part(a.exactMatch, a.examples) + part(b.exactMatch, b.examples)) / examples,
    targets,
    examples,
  };
}

function metricsOf({ loss, accuracy, exactMatch }: Counted): VersionMetrics {
  return { loss, accuracy, exactMatch };
}
