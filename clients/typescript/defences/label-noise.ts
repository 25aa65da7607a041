/**
 * Randomised response on the labels of training records. A label is drawn from all labels of the
 * data, and its own is e^epsilon times as likely as each other one. What is sent, and the adapter,
 * come of the drawn labels alone.
 *
 * The draw is a race of exponential clocks, and a label's own clock runs e^epsilon times as fast.
 * Clocks follow from the secret, the record and the label. So the same record keeps its draw, and
 * labels that come later give away no more.
 * @see Warner 1965, JASA 60; Kairouz, Oh and Viswanath, arXiv:1407.1338 (k-ary)
 */
import { createCipheriv, createHash } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';
import type { Example } from '../data/examples.js';
import { defenceClaims } from './claims.js';
import type { Defence } from './defence.js';
import type { NoiseSecret } from './noise-secret.js';

/** Records with the labels that are sent. */
export interface NoisedLabels {
  readonly examples: readonly Example[];
  /** What is guaranteed of the labels of each task. */
  readonly notes: readonly string[];
}

/** What labels there may be. */
export interface LabelSpace {
  /** Classes of the head; undefined: a label is a record's answer. */
  readonly classes: number | undefined;
  /** Tokens of the longest record that can be sent. */
  readonly most: number;
}

export interface LabelNoise extends Defence {
  /** @throws CutlayerError INVALID_DATA where records have no label of few */
  noised(examples: readonly Example[], space: LabelSpace): NoisedLabels;
}

export interface LabelNoiseOptions {
  /** Of (label, epsilon, delta 0). */
  readonly epsilon: number;
  readonly secret: NoiseSecret;
}

/** Different labels of a task, at most. */
const MOST_LABELS = 1024;
/** AES takes this many bytes. */
const BLOCK = 16;
/** Share of epsilon that is left out: more than rounding adds. */
const SLACK = 2 ** -30;

/** A label, and what puts it into a record. */
interface Label {
  readonly key: string;
  /** Of an answer. */
  readonly tokens: number;
  readonly put: (example: Example) => Example;
}

/** The stage. @throws CutlayerError INVALID_ARGUMENT */
export function labelNoise({ epsilon, secret }: LabelNoiseOptions): LabelNoise {
  if (!(epsilon > 0 && epsilon < Infinity))
    throw new CutlayerError('INVALID_ARGUMENT', `label-noise: expected an epsilon above 0, got ${epsilon}`);
  return {
    name: 'label-noise',
    settings: { epsilon },
    claim: defenceClaims['label-noise'],
    noised(examples, space) {
      const groups = new Map<number | undefined, Map<string, Label>>();
      const own = examples.map((example) => {
        const label = labelOf(example, space.classes);
        const labels = groups.get(example.task) ?? new Map<string, Label>();
        groups.set(example.task, labels.set(label.key, label));
        return label.key;
      });
      const races = new Map([...groups].map(([task, labels]) => [task, new Race(space.classes ?? labels, epsilon)]));
      for (const [task, race] of races)
        race.check(
          examples.filter((example) => example.task === task),
          space,
        );
      const times = new Map<string, number>();
      const noised = examples.map((example, at) => {
        const asked = askedOf(example, space.classes);
        const text = `${example.task ?? ''} ${asked.join()}`;
        const time = times.get(text) ?? 0;
        times.set(text, time + 1);
        const [bytes] = secret.streams('label-noise', `${example.task ?? ''}\0${time}`, asked, 1);
        return races.get(example.task)!.winner(own[at]!, bytes!(32)).put(example);
      });
      return { examples: noised, notes: [...races.values()].map((race) => race.note()) };
    },
  };
}

/** Labels of a task, of which each record draws one. */
class Race {
  readonly #labels: readonly Label[];
  /** One block for each label: the same one whatever other labels there are. */
  readonly #blocks: Buffer;
  readonly #epsilon: number;

  constructor(labels: number | ReadonlyMap<string, Label>, epsilon: number) {
    this.#labels = typeof labels === 'number' ? Array.from({ length: labels }, (_, label) => classOf(label)) : [...labels.values()];
    this.#blocks = Buffer.concat(this.#labels.map(({ key }) => createHash('sha256').update(key).digest().subarray(0, BLOCK)));
    this.#epsilon = epsilon;
  }

  /** @throws CutlayerError INVALID_DATA */
  check(examples: readonly Example[], { classes, most }: LabelSpace): void {
    const count = this.#labels.length;
    if (count < 2 || count > MOST_LABELS)
      throw new CutlayerError(
        'INVALID_DATA',
        `label-noise: expected from 2 to ${MOST_LABELS} different labels, got ${count}; it is for classes, and for answers of a few forms`,
      );
    if (classes !== undefined) return;
    const longest = this.#labels.reduce((length, label) => Math.max(length, label.tokens), 0);
    const over = examples.find(({ promptLength }) => promptLength + longest > most);
    if (over === undefined) return;
    throw new CutlayerError(
      'INVALID_DATA',
      `${over.source}: label-noise may give it an answer that makes ${over.promptLength + longest} tokens; the most is ${most}; shorten it`,
    );
  }

  /** The label whose clock is first. @param key 32 bytes of the record's own */
  winner(own: string, key: Uint8Array): Label {
    const drawn = createCipheriv('aes-256-ecb', key, null).update(this.#blocks);
    let best = { time: Infinity, label: this.#labels[0]! };
    for (const [at, label] of this.#labels.entries()) {
      const uniform = (drawn.readUIntBE(at * BLOCK, 6) + 0.5) / 2 ** 48;
      // An exponential's logarithm: a clock that is faster by a factor is less by its logarithm.
      const time = Math.log(-Math.log(uniform)) - (label.key === own ? this.#epsilon * (1 - SLACK) : 0);
      if (time < best.time) best = { time, label };
    }
    return best.label;
  }

  note(): string {
    const count = this.#labels.length;
    const kept = 1 / (1 + (count - 1) * Math.exp(-this.#epsilon));
    return (
      `label-noise: (label, epsilon ${this.#epsilon}, delta 0) for all steps and runs under one secret: ` +
      `a label of ${count} is kept with probability ${kept.toFixed(3)}; losses and accuracies of training are those of the drawn labels`
    );
  }
}

/** What a record's draw depends on beside its label: the text before it. */
function askedOf({ tokenIds, promptLength }: Example, classes: number | undefined): readonly number[] {
  return [...(classes === undefined ? tokenIds.subarray(0, promptLength) : tokenIds)];
}

function labelOf(example: Example, classes: number | undefined): Label {
  const { tokenIds, labelMask, promptLength, source } = example;
  if (classes !== undefined) return classOf(example.classLabel ?? -1);
  if (promptLength < 1 || promptLength >= tokenIds.length || labelMask.subarray(0, promptLength).includes(1))
    throw new CutlayerError(
      'INVALID_DATA',
      `${source}: label-noise: expected a prompt and one answer, or a class; leave it out for such data`,
    );
  const [answer, mask] = [tokenIds.slice(promptLength), labelMask.slice(promptLength)];
  return {
    key: `${answer.join()};${mask.join()}`,
    tokens: answer.length,
    put: (other) => ({
      ...other,
      tokenIds: Int32Array.of(...other.tokenIds.subarray(0, other.promptLength), ...answer),
      labelMask: Uint8Array.of(...other.labelMask.subarray(0, other.promptLength), ...mask),
    }),
  };
}

const classOf = (label: number): Label => ({ key: `class ${label}`, tokens: 0, put: (other) => ({ ...other, classLabel: label }) });
