/**
 * A6: a record that has trained an adapter has a lower loss with it, and so smaller cotangents.
 * What a record's loss is without the adapter is a matter of the record; the difference is not.
 * @see Yeom et al., arXiv:1709.01604 (the loss); Watson et al., arXiv:2111.08440 (the difference)
 */
import { l2Norm } from '../../../../src/tensor/l2-norm.js';
import type { Tensor } from '../../../../src/tensor/tensor.js';
import { type AttackRun, attacker, type VendorView } from '../attacker.js';
import type { Candidate } from '../candidates.js';
import { labelLosses } from '../label-losses.js';
import { rocMeasures } from '../roc.js';

/** Of one record: higher for a record that has trained the adapter. */
interface Signals {
  readonly cotangents?: number;
  readonly loss: number;
  /** Absent where labels are classes, which the bare model does not know. */
  readonly difference?: number;
}

const names: Readonly<Record<keyof Signals, string>> = {
  cotangents: 'the norms of cotangents',
  loss: 'the loss',
  difference: 'the loss less that of the bare model',
};

export const membership = attacker<readonly Signals[]>({
  id: 'A6',
  title: 'which records have trained the adapter',
  knows:
    'whole records that it asks about, the rows that it answers for them and their cotangents, and the head with what the adapter trains of it (the worst case)',
  says: 'it sees one step of each record with the finished adapter; a vendor that sees the training itself needs no such guess.',
  async skipped({ answered, fresh, candidates }) {
    if (!answered) return 'nothing was answered; run it with a gateway';
    if (fresh) return 'the adapter is fresh, and no record has trained it; pass --adapter';
    if (candidates.length === 0) return 'it needs records of the same kind that have not trained the adapter; pass --non-members';
    return undefined;
  },
  async attack(view, run) {
    const signals: Signals[] = [];
    for (const [at, candidate] of view.candidates.entries()) {
      signals.push(await run.kept(`record ${at}`, () => signalsOf(view, candidate, run)));
      run.progress(at + 1, view.candidates.length);
    }
    return signals;
  },
  score(signals, { own, seed }) {
    return (Object.keys(names) as (keyof Signals)[]).flatMap((name) => {
      const of = (some: readonly Signals[]): readonly number[] => some.flatMap((one) => one[name] ?? []);
      return rocMeasures(
        `training records, by ${names[name]}`,
        { wanted: of(signals.slice(0, own)), others: of(signals.slice(own)) },
        seed,
      );
    });
  },
});

async function signalsOf({ bundle }: VendorView, { example, parts, seen, bare }: Candidate, { signal }: AttackRun): Promise<Signals> {
  const given = await parts();
  const step = await seen();
  const losses = await labelLosses(bundle, step, example, given, signal);
  const loss = -mean([...losses.values()]);
  const cotangents = step.cotangents === undefined ? {} : { cotangents: -meanNorm(step.cotangents) };
  if (given.classifier !== undefined) return { ...cotangents, loss };
  const without = await labelLosses(bundle, await bare(), example, {}, signal);
  // The bare model predicts no first token.
  const both = [...losses].filter(([token]) => without.has(token));
  return { ...cotangents, loss, difference: mean(both.map(([token, nll]) => without.get(token)! - nll)) };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Over rows that are not zero: those of filler say nothing. */
function meanNorm({ shape, data }: Tensor<'float32'>): number {
  const [count, d] = shape as [number, number];
  const norms = Array.from({ length: count }, (_, row) => l2Norm([data.subarray(row * d, (row + 1) * d)]));
  return mean(norms.filter((norm) => norm > 0));
}
