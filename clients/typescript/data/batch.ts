/**
 * A right-padded batch and the rows that carry its loss. Rows are numbered as in `split.proto`.
 * First come the rows that lead every sequence: a soft prompt's, then the shared text's, L in all.
 * Token s of sequence b has row L + b * S + s.
 */
import { CutlayerError } from '../../../src/errors.js';
import { type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { Example } from './examples.js';

/** Sequences that go through the model together. */
export interface Batch {
  /** int64 [batch, sequence], right-padded with 0; outputs of padded rows are never read. */
  readonly tokenIds: Tensor<'int64'>;
  /** Real tokens of each sequence, without the shared ones. */
  readonly lengths: readonly number[];
  /** Where filler follows them: tokens of each sequence before it. */
  readonly ends?: readonly number[];
  /** Of each sequence: which record it is, the same each time that the record is sent. */
  readonly records?: readonly (string | undefined)[];
  /** int64 [1, C]: tokens before each sequence, the same for all; `shareText` finds them. */
  readonly shared?: Tensor<'int64'>;
  readonly targets: readonly Target[];
  /** Class of each sequence, where the examples have one. */
  readonly classLabels?: readonly number[];
  /** The task of all sequences, where they have the same. */
  readonly task?: number;
}

/** One token that carries loss. */
export interface Target {
  readonly sequence: number;
  /** Index of the labelled token within its sequence: from -C for a shared one. */
  readonly token: number;
  readonly label: number;
}

/** Rows to ask the backbone for, and the target that each of them predicts. */
export interface LossRows {
  /** Strictly increasing row numbers. */
  readonly positions: readonly number[];
  /** Per target with a predicting row: its index into `positions`, its label and its sequence. */
  readonly rowOfTarget: Int32Array;
  readonly labels: BigInt64Array;
  readonly sequenceOfTarget: Int32Array;
}

/** The part of an example that a batch needs. */
export type BatchExample = Pick<Example, 'tokenIds' | 'labelMask' | 'classLabel' | 'task' | 'record'>;

/** A batch of sequences of token ids without labels. @throws CutlayerError as {@link makeBatch} */
export function unlabelledBatch(sequences: readonly (readonly number[])[]): Batch {
  return makeBatch(sequences.map((ids) => ({ tokenIds: Int32Array.from(ids), labelMask: new Uint8Array(ids.length) })));
}

/** Pads examples to a batch. @throws CutlayerError INVALID_ARGUMENT for an empty list or example */
export function makeBatch(examples: readonly BatchExample[]): Batch {
  if (examples.length === 0 || examples.some((example) => example.tokenIds.length === 0)) {
    throw new CutlayerError('INVALID_ARGUMENT', 'batch: expected at least one example, and at least one token in each');
  }
  const sequence = Math.max(...examples.map((example) => example.tokenIds.length));
  const ids = new BigInt64Array(examples.length * sequence);
  const targets: Target[] = [];
  examples.forEach(({ tokenIds, labelMask }, b) => {
    tokenIds.forEach((id, s) => {
      ids[b * sequence + s] = BigInt(id);
      if (labelMask[s] === 1) targets.push({ sequence: b, token: s, label: id });
    });
  });
  const task = examples.every((example) => example.task === examples[0]!.task) ? examples[0]!.task : undefined;
  const classLabels = examples.flatMap(({ classLabel }) => classLabel ?? []);
  return {
    tokenIds: tensor('int64', [examples.length, sequence], ids),
    lengths: examples.map((e) => e.tokenIds.length),
    targets,
    ...(examples.some(({ record }) => record !== undefined) && { records: examples.map(({ record }) => record) }),
    ...(classLabels.length === examples.length ? { classLabels } : {}),
    ...(task === undefined ? {} : { task }),
  };
}

/**
 * Indexes of examples by task, in the order of each task's first example: a batch has one task.
 * @param tasks The adapter's; without them the examples' tasks do not count: all are one group.
 */
export function tasksApart(
  examples: readonly Pick<Example, 'task'>[],
  tasks: readonly string[] | undefined,
): readonly (readonly number[])[] {
  if (tasks === undefined) return [examples.map((_, index) => index)];
  const groups = new Map<number | undefined, number[]>();
  examples.forEach(({ task }, index) => {
    const group = groups.get(task) ?? [];
    group.push(index);
    groups.set(task, group);
  });
  return [...groups.values()];
}

/** Rows that lead every sequence: P of a soft prompt and C of shared text. */
export function leadingRows({ shared }: Pick<Batch, 'shared'>, promptRows: number): number {
  return promptRows + (shared?.shape[1] ?? 0);
}

/**
 * The rows that predict the targets: row s - 1 for token s. A leading row, asked for once, predicts
 * a token of every sequence: so a soft prompt's last row predicts the first token (PEFT's
 * convention). With no row before it, a token carries no loss.
 * @param promptRows Rows of the soft prompt; 0 without one.
 */
export function lossRows(batch: Batch, promptRows: number): LossRows {
  const sequence = batch.tokenIds.shape[1]!;
  const lead = leadingRows(batch, promptRows);
  const used = batch.targets.filter(({ token }) => lead + token > 0);
  const rows = used.map((t) => lead + t.token - 1 + (t.token > 0 ? t.sequence * sequence : 0));
  const positions = [...new Set(rows)].sort((a, b) => a - b);
  const indexOf = new Map(positions.map((row, index) => [row, index]));
  return {
    positions,
    rowOfTarget: Int32Array.from(rows, (row) => indexOf.get(row)!),
    labels: BigInt64Array.from(used, (target) => BigInt(target.label)),
    sequenceOfTarget: Int32Array.from(used, (target) => target.sequence),
  };
}

/** The last real row of every sequence: it predicts what follows; a classifier reads it. */
export function lastRows(batch: Pick<Batch, 'tokenIds' | 'lengths' | 'ends' | 'shared'>, promptRows: number): Pick<LossRows, 'positions'> {
  const sequence = batch.tokenIds.shape[1]!;
  const lead = leadingRows(batch, promptRows);
  return { positions: (batch.ends ?? batch.lengths).map((length, b) => lead + b * sequence + length - 1) };
}

/** The rows of all real tokens of a batch without shared text, one sequence after another. */
export function tokenRowsOf(batch: Pick<Batch, 'tokenIds' | 'lengths' | 'ends'>, promptRows: number): Pick<LossRows, 'positions'> {
  const sequence = batch.tokenIds.shape[1]!;
  return {
    positions: (batch.ends ?? batch.lengths).flatMap((length, b) =>
      Array.from({ length }, (_, token) => promptRows + b * sequence + token),
    ),
  };
}

/** Rows of a classification head, classes as labels. @throws CutlayerError INVALID_DATA */
export function classRows(batch: Batch, promptRows: number, numClasses: number): LossRows {
  const { classLabels } = batch;
  if (classLabels === undefined) {
    throw new CutlayerError('INVALID_DATA', 'classification: every example needs a class; write {"text": …, "label": …} records');
  }
  const beyond = classLabels.find((label) => !(Number.isSafeInteger(label) && label >= 0 && label < numClasses));
  if (beyond !== undefined)
    throw new CutlayerError('INVALID_DATA', `classification: class ${beyond} is not one of the ${numClasses} of the head`);
  return {
    ...lastRows(batch, promptRows),
    rowOfTarget: Int32Array.from(classLabels, (_, row) => row),
    labels: BigInt64Array.from(classLabels, BigInt),
    sequenceOfTarget: Int32Array.from(classLabels, (_, row) => row),
  };
}
