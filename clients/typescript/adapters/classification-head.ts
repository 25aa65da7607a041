/**
 * A classification head in place of the LM head: `score` [classes, d] on the final norm's output,
 * as transformers has it. Neither head nor classes are sent. Alone it is saved as a partial
 * checkpoint; beside one PEFT adapter it lies in that adapter's files (SEQ_CLS).
 */
import { CutlayerError } from '../../../src/errors.js';
import { normalTensor, seeded } from '../../../src/tensor/random.js';
import { expectShape } from '../../../src/tensor/shape.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { Parameter, StepCotangents, StepParts } from './adapter.js';
import { expectFileShape } from './adapter-config.js';
import type { AdapterModel } from './context.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import { valuesOf, zeroGradients } from './parameters.js';
import { PARTIAL_FILE, readPartialCheckpoint, writePartialCheckpoint } from './partial-checkpoint.js';
import { readSidecar, SIDECAR_FILE } from './sidecar.js';

/** The tensor's name, transformers' and PEFT's. */
export const SCORE = 'score.weight';

/** Spread of the first values: transformers' initializer_range. */
const INITIAL_STD = 0.02;
const MAX_LABELS = 100_000;

export class ClassificationHead extends MethodAdapter<readonly [Parameter]> {
  readonly method = 'classification-head';
  override readonly labels: readonly string[];

  /** @param score [classes, hiddenSize]. @throws CutlayerError INVALID_ARGUMENT, INVALID_SHAPE */
  constructor(model: AdapterModel, labels: readonly string[], score: Tensor<'float32'>) {
    checkLabels(labels);
    expectShape('classification head', score.shape, [labels.length, model.dims.hiddenSize]);
    super(model, [{ name: SCORE, value: score }]);
    this.labels = labels;
  }

  /** A new head: normal with spread 0.02. @throws CutlayerError INVALID_ARGUMENT */
  static create(model: AdapterModel, labels: readonly string[], seed: number): ClassificationHead {
    checkLabels(labels);
    const score = normalTensor(seeded(seed, 0x4348), [labels.length, model.dims.hiddenSize], 0, INITIAL_STD);
    return new ClassificationHead(model, labels, score);
  }

  async parts(): Promise<StepParts> {
    return { classifier: this.parameters[0].value };
  }

  async pullBack({ classifier }: StepCotangents): Promise<readonly Float32Array[]> {
    return classifier === undefined ? zeroGradients(this.parameters) : [classifier.data];
  }

  protected write(dir: string): Promise<void> {
    return writePartialCheckpoint(dir, valuesOf(this.parameters), {
      title: 'Classification head',
      loading: `AutoModelForSequenceClassification.from_pretrained(BASE, num_labels=${this.labels.length}, dtype="float32")`,
    });
  }
}

export const classificationHead: Method = {
  ...methodTable['classification-head'],
  method: 'classification-head',
  peftType: null,
  fills: ['classifier'],
  create: async ({ bundle }, { labels, seed }) => ClassificationHead.create(bundle, labels, seed),
  load: async ({ bundle }, dir) => {
    const tensors = await readPartialCheckpoint(dir);
    const score = tensors.get(SCORE);
    if (score === undefined || tensors.size !== 1)
      throw new CutlayerError(
        'INVALID_ADAPTER',
        `${dir}/${PARTIAL_FILE}: expected ${SCORE} alone, got ${[...tensors.keys()].slice(0, 4).join(', ') || 'none'}`,
      );
    return headOf(bundle, dir, score);
  },
};

/** A directory's head: classes from the sidecar, else LABEL_0, LABEL_1, ... as in transformers. */
export async function headOf(model: AdapterModel, dir: string, score: Tensor<'float32'>): Promise<ClassificationHead> {
  expectFileShape(`${dir}: ${SCORE}`, score, ['*', model.dims.hiddenSize]);
  const labels = (await readSidecar(dir))?.labels ?? Array.from({ length: score.shape[0]! }, (_, id) => `LABEL_${id}`);
  if (labels.length !== score.shape[0])
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${dir}/${SIDECAR_FILE}: expected ${score.shape[0]} labels, one per row of ${SCORE}, got ${labels.length}`,
    );
  return new ClassificationHead(model, labels, score);
}

function checkLabels(labels: readonly string[]): void {
  const seen = new Set<string>();
  const twice = labels.find((label) => seen.size === seen.add(label).size);
  if (labels.length >= 2 && labels.length <= MAX_LABELS && twice === undefined) return;
  const got = twice === undefined ? `${labels.length}` : `${JSON.stringify(twice)} twice`;
  throw new CutlayerError('INVALID_ARGUMENT', `classification head: expected two or more distinct --labels (labels), got ${got}`);
}
