/**
 * PEFT's SEQ_CLS: a head in another adapter's files. The config says `task_type: SEQ_CLS` and
 * `modules_to_save`; the tensor is `base_model.score.weight` beside prompts,
 * `base_model.model.score.weight` beside LoRA.
 * @see PEFT 0.21 `PeftModelForSequenceClassification`
 */
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { allFinite } from '../../../src/tensor/finite.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { Adapter, MethodName } from './adapter.js';
import { isScore, readAdapterConfig, readAdapterTensors, WEIGHTS_FILE, writeAdapterFiles } from './adapter-config.js';
import { ClassificationHead, headOf, SCORE } from './classification-head.js';
import type { AdapterModel, ModelIdentity } from './context.js';
import { writeSidecar } from './sidecar.js';

/** Name of the head's tensor beside each kind of adapter that PEFT's SEQ_CLS takes. */
const scoreNames: { readonly [M in MethodName]?: string } = {
  'prompt-tuning': `base_model.${SCORE}`,
  'p-tuning': `base_model.${SCORE}`,
  'prefix-tuning': `base_model.${SCORE}`,
  lora: `base_model.model.${SCORE}`,
};

/** An adapter and the head beside it. */
export interface ClassificationPair {
  readonly adapter: Adapter;
  readonly head: ClassificationHead;
  readonly scoreName: string;
}

/** The pair that PEFT has one directory for; undefined for every other combination. */
export function classificationPair(adapters: readonly Adapter[]): ClassificationPair | undefined {
  const head = adapters.find((adapter) => adapter instanceof ClassificationHead);
  const adapter = adapters.find((other) => other !== head);
  const scoreName = adapter === undefined || adapter.method === 'combined' ? undefined : scoreNames[adapter.method];
  if (adapters.length !== 2 || head === undefined || adapter === undefined || scoreName === undefined) return undefined;
  return { adapter, head, scoreName };
}

/** Writes both into one directory, as PEFT does. */
export async function saveClassificationPair(
  dir: string,
  { adapter, head, scoreName }: ClassificationPair,
  identity: ModelIdentity,
): Promise<void> {
  await adapter.save(dir);
  const config = { ...(await readAdapterConfig(dir)), modules_to_save: ['classifier', 'score'], task_type: 'SEQ_CLS' };
  const tensors = Object.fromEntries(await readAdapterTensors(dir));
  await writeAdapterFiles(dir, config, { ...tensors, [scoreName]: head.parameters[0].value });
  await writeSidecar(dir, 'combined', identity, { labels: head.labels });
}

/** Reads the head of such a directory. @throws CutlayerError INVALID_ADAPTER */
export async function loadClassifier(model: AdapterModel, dir: string): Promise<ClassificationHead> {
  const file = join(dir, WEIGHTS_FILE);
  const found = [...(await readTensors(file)).tensors].find(([name]) => isScore(name))?.[1];
  if (found?.dtype !== 'float32') {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${file}: task_type is SEQ_CLS, but there is no ${SCORE}; save the adapter with its classification head`,
    );
  }
  const score = found as Tensor<'float32'>;
  if (!allFinite(score.data)) throw new CutlayerError('INVALID_ADAPTER', `${file}: ${SCORE} holds NaN or infinity`);
  return headOf(model, dir, score);
}
