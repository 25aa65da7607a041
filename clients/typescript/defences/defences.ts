/** The defences of a model, and how they act on a batch and on a text that grows. */
import { randomUUID } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { LearnedMap } from '../adapters/learned-map.js';
import type { Batch } from '../data/batch.js';
import type { Example } from '../data/examples.js';
import type { Defence } from './defence.js';
import type { LabelNoise, LabelSpace, NoisedLabels } from './label-noise.js';
import { LearnedPass } from './learned-pass.js';
import { type PadLengths, padBatch } from './pad-lengths.js';
import type { Redaction, Redactor } from './redaction.js';
import type { PullBack, RowPlace, RowStage, TextRows } from './row-stage.js';

/** The vjp of what was done to a batch's rows: their cotangent, changed in place. */
export type BatchPullBack = (cotangent: Tensor<'float32'>) => void;

/** The part of a batch that says which text each row belongs to. */
type Texts = Pick<Batch, 'tokenIds' | 'lengths' | 'shared' | 'records'>;

export class Defences {
  readonly #rows: readonly RowStage[];
  readonly #pad: PadLengths | undefined;
  readonly #redactor: Redactor | undefined;
  readonly #labels: LabelNoise | undefined;
  readonly #redactions = new WeakMap<readonly number[], Redaction>();
  /** All of them, in the order in which they act. */
  readonly all: readonly Defence[];

  /** @throws CutlayerError INVALID_ARGUMENT for other noise beside a learned transform */
  constructor(rows: readonly RowStage[] = [], pad?: PadLengths, redactor?: Redactor, labels?: LabelNoise) {
    const beside = rows.find(({ trained }) => trained === undefined);
    if (beside !== undefined && rows.length > 1 && rows.some(({ trained }) => trained !== undefined))
      throw new CutlayerError('INVALID_ARGUMENT', `learned-noise: it has noise of its own; leave --${beside.name} out`);
    this.#rows = rows;
    this.#pad = pad;
    this.#redactor = redactor;
    this.#labels = labels;
    this.all = [redactor, labels, pad, ...rows].filter((defence) => defence !== undefined);
  }

  /** Whether texts get filler, so that each of their messages has all rows of a text. */
  get pads(): boolean {
    return this.#pad !== undefined;
  }

  /** Whether entities are taken out of texts. */
  get redacts(): boolean {
    return this.#redactor !== undefined;
  }

  /** The weight of what a learned transform is trained for; undefined: there is none. */
  get learnedStrength(): number | undefined {
    return this.#rows.find(({ trained }) => trained !== undefined)?.trained?.strength;
  }

  /**
   * An adapter's transform for the rows of one step, where that stage is on.
   * @param targets Of the step's loss; undefined: nothing is trained.
   */
  learnedPass(map: LearnedMap | undefined, targets?: number): LearnedPass | undefined {
    const strength = this.learnedStrength;
    if (strength === undefined) return undefined;
    return LearnedPass.of(map, targets === undefined ? undefined : { strength, weight: targets });
  }

  /** How the texts of one record of a file are changed before they are tokenized. */
  readonly redaction = (): ((text: string) => string) => this.#redactor?.begin().redact ?? ((text) => text);

  /** Training records with the labels that are sent. @throws CutlayerError INVALID_DATA */
  relabelled(examples: readonly Example[], space: LabelSpace): NoisedLabels {
    return this.#labels?.noised(examples, space) ?? { examples, notes: [] };
  }

  /** The ids of a prompt, whose answers {@link restoring} knows by these very ids. */
  promptIds(text: string, encode: (text: string) => readonly number[]): readonly number[] {
    if (this.#redactor === undefined) return encode(text);
    const redaction = this.#redactor.begin();
    const ids = encode(redaction.redact(text));
    this.#redactions.set(ids, redaction);
    return ids;
  }

  /** Puts entities back into a prompt's answer; undefined where none were taken out. */
  restoring(promptIds: readonly number[]): ReturnType<Redaction['restoring']> | undefined {
    return this.#redactions.get(promptIds)?.restoring();
  }

  /** Rows of a text of so many tokens. @param most that the model has positions for */
  paddedLength(length: number, most: number): number {
    return this.#pad?.padded(length, most) ?? length;
  }

  /** A batch with filler after its sequences, where that is on. */
  pad(batch: Batch, most: number): Batch {
    return this.#pad === undefined ? batch : padBatch(batch, this.#pad, most);
  }

  /** Whether equal beginnings of texts are sent with noise of their own, and so not shared. */
  get apart(): boolean {
    return this.#rows.some(({ perRecord }) => perRecord);
  }

  /** Which record a new text is. */
  newRecord(): string {
    return this.apart ? randomUUID() : '';
  }

  /**
   * Changes the rows of a batch's sequences in place.
   * @param rows [batch, sequence, hiddenSize]; those beyond a sequence's length stay as they are
   * @param learned Of the step, at the cut.
   */
  defendBatch(
    place: RowPlace,
    rows: Tensor<'float32'>,
    { tokenIds, lengths, shared, records }: Texts,
    learned?: LearnedPass,
  ): BatchPullBack {
    if (!this.#rows.some((stage) => stage.place === place)) return () => undefined;
    const [, sequence, hiddenSize] = rows.shape as [number, number, number];
    const before = shared === undefined ? [] : Array.from(shared.data, Number);
    const pullBacks = lengths.map((length, b) => {
      const tokens = [...before, ...Array.from(tokenIds.data.subarray(b * sequence, b * sequence + length), Number)];
      const start = b * sequence * hiddenSize;
      const part = (values: Float32Array) => values.subarray(start, start + length * hiddenSize);
      const record = records?.[b] ?? this.newRecord();
      const pullBack = this.defendText(place, part(rows.data), { hiddenSize, tokens, record, learned });
      return (cotangent: Float32Array) => pullBack(part(cotangent));
    });
    return ({ data }) => {
      for (const pullBack of pullBacks) pullBack(data);
    };
  }

  /** Changes the last rows of one text in place. @param rows [rows, hiddenSize] */
  defendText(place: RowPlace, rows: Float32Array, text: Omit<TextRows, 'rows'>): PullBack {
    const pullBacks: PullBack[] = [];
    for (const stage of this.#rows) {
      if (stage.place !== place) continue;
      const pullBack = stage.apply({ ...text, rows });
      if (pullBack !== undefined) pullBacks.unshift(pullBack);
    }
    return (cotangent) => {
      for (const pullBack of pullBacks) pullBack(cotangent);
    };
  }
}

/** None. */
export const noDefences = new Defences();
