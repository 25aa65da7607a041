/** How much of a model's quality a student has: the recovery ratio of an extraction attack. */
import { seeded } from '../../../tensor/random.js';

/** One held-out text's targets, and those that were predicted right. */
export interface TextScore {
  readonly targets: number;
  readonly correct: number;
  /** Sum of the targets' losses, in nats. */
  readonly lossSum: number;
}

/** Quality on all held-out texts. */
export interface Quality {
  /** Share of the labels that are the most probable token. */
  readonly accuracy: number;
  /** Mean loss of a label, in nats. */
  readonly loss: number;
  /** Share of the texts whose labels are all right. */
  readonly exact: number;
}

/** (the student's accuracy - that without access) / (the model's - that without access). */
export interface Recovery {
  readonly ratio: number;
  /** From the bootstrap over texts: the middle 95 %. */
  readonly low: number;
  readonly high: number;
}

/** The scores of the three, of the same texts in the same order. */
export interface Compared {
  readonly model: readonly TextScore[];
  readonly withoutAccess: readonly TextScore[];
  readonly student: readonly TextScore[];
}

const DRAWS = 2000;

/** Of no text, everything is NaN. */
export function qualityOf(scores: readonly TextScore[]): Quality {
  const sum = (value: (score: TextScore) => number): number => scores.reduce((total, score) => total + value(score), 0);
  const targets = sum((score) => score.targets);
  const scored = scores.filter((score) => score.targets > 0);
  return {
    accuracy: sum(({ correct }) => correct) / targets,
    loss: sum(({ lossSum }) => lossSum) / targets,
    exact: scored.filter((score) => score.correct === score.targets).length / scored.length,
  };
}

/**
 * The ratio, with an interval. Undefined where the model is not better than without access: the
 * held-out texts do not show what the model is worth then.
 */
export function recoveryOf({ model, withoutAccess, student }: Compared, seed: number): Recovery | undefined {
  const ratioOf = (texts: readonly number[]): number | undefined => {
    const [of, from, to] = [student, withoutAccess, model].map((scores) => qualityOf(texts.map((text) => scores[text]!)).accuracy) as [
      number,
      number,
      number,
    ];
    return to > from ? (of - from) / (to - from) : undefined;
  };
  const all = [...model.keys()];
  const ratio = ratioOf(all);
  if (ratio === undefined) return undefined;
  const random = seeded(seed);
  const draws: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const drawn = ratioOf(all.map(() => random.integer(all.length)));
    if (drawn !== undefined) draws.push(drawn);
  }
  draws.sort((a, b) => a - b);
  const at = (share: number): number => draws[Math.min(draws.length - 1, Math.floor(share * draws.length))] ?? Number.NaN;
  return { ratio, low: at(0.025), high: at(0.975) };
}
