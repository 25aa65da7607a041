/**
 * Multitask prompt tuning: a shared prompt times, element by element, a low-rank matrix per task.
 * The shared prompt begins as in prompt tuning, a task's matrix at one, with noise to tell ranks
 * apart. PEFT begins it at noise of 0.02 alone, which leaves prompt and gradient nearly zero.
 * @see arXiv:2303.02861 sec. 3.1; PEFT 0.21 `tuners/multitask_prompt_tuning/model.py`
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { normalTensor, seeded } from '../../../src/tensor/random.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, Parameter, StepCotangents, StepParts } from './adapter.js';
import { expectFileShape, parseConfig, readAdapterTensors, WEIGHTS_FILE, writeAdapterFiles } from './adapter-config.js';
import type { AdapterModel } from './context.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import { checkParameters, EMBEDDING, type ParameterShape, scaled, zeroGradients } from './parameters.js';
import { promptTuningConfig } from './peft.js';
import { readSidecar } from './sidecar.js';
import { initialPrompt, promptInit } from './soft-prompt.js';
import { taskOf } from './task.js';

/** PEFT's spread of a task's factors. */
const FACTOR_STD = 0.02;

const COLS = 'prefix_task_cols';
const ROWS = 'prefix_task_rows';

/** The parameters by PEFT's names. @param tasks their number */
export function multitaskParameters(d: number, numVirtualTokens: number, tasks: number, rank: number): readonly ParameterShape[] {
  return [
    { name: EMBEDDING, shape: [numVirtualTokens, d] },
    { name: COLS, shape: [tasks, numVirtualTokens, rank] },
    { name: ROWS, shape: [tasks, rank, d] },
  ];
}

/** A soft prompt for each of several tasks. */
export class MultitaskPrompt extends MethodAdapter<readonly [Parameter, Parameter, Parameter]> {
  readonly method = 'multitask-prompt-tuning';
  override readonly spanKind = 'softPrompt';
  override readonly tasks: readonly string[];

  /**
   * @param tasks their names, by id.
   * @param parameters those of {@link multitaskParameters}, in PEFT's space: before promptScale.
   * @throws CutlayerError INVALID_ARGUMENT, INVALID_SHAPE
   */
  constructor(model: AdapterModel, tasks: readonly string[], parameters: readonly Parameter[]) {
    const shapeOf = (name: string): readonly number[] => parameters.find((parameter) => parameter.name === name)?.value.shape ?? [];
    const twice = tasks.find((name, at) => tasks.indexOf(name) !== at);
    if (twice !== undefined) throw new CutlayerError('INVALID_ARGUMENT', `multitask-prompt-tuning: task ${twice} is named twice`);
    const wanted = multitaskParameters(model.dims.hiddenSize, shapeOf(EMBEDDING)[0] ?? 0, tasks.length, shapeOf(ROWS)[1] ?? 0);
    const [shared, cols, rows] = checkParameters('multitask-prompt-tuning', wanted, parameters) as [Parameter, Parameter, Parameter];
    super(model, [shared, cols, rows]);
    this.tasks = tasks;
  }

  /** Makes a new one. @param shared [P, hiddenSize], first values of what all tasks share. */
  static create(model: AdapterModel, tasks: readonly string[], rank: number, shared: Tensor<'float32'>, seed: number): MultitaskPrompt {
    const [, cols, rows] = multitaskParameters(model.dims.hiddenSize, shared.shape[0]!, tasks.length, rank);
    const random = seeded(seed, 0x504d);
    return new MultitaskPrompt(model, tasks, [
      { name: EMBEDDING, value: shared },
      { name: COLS, value: normalTensor(random, cols!.shape, 1 / rank, FACTOR_STD / rank) },
      { name: ROWS, value: normalTensor(random, rows!.shape, 1, FACTOR_STD) },
    ]);
  }

  async parts(task?: number): Promise<StepParts> {
    const { prompt } = await this.model.runMethod('multitaskPrompt', this.#feeds(taskOf(this, task)!));
    return { softPrompt: scaled(prompt!, this.model.promptScale) };
  }

  async pullBack({ softPrompt }: StepCotangents, task?: number): Promise<readonly Float32Array[]> {
    const whole = zeroGradients(this.parameters);
    const id = taskOf(this, task)!; // an adapter with tasks has one of them, or the call throws
    if (softPrompt === undefined) return whole;
    const promptCotangent = scaled(softPrompt, this.model.promptScale);
    const cotangents = await this.model.runMethodVjp('multitaskPrompt', { ...this.#feeds(id), promptCotangent });
    const parts = [cotangents[`${EMBEDDING}Cotangent`]!, cotangents.taskColsCotangent!, cotangents.taskRowsCotangent!];
    parts.forEach(({ data }, at) => {
      whole[at]!.set(data, at === 0 ? 0 : id * data.length);
    });
    return whole;
  }

  protected write(dir: string): Promise<void> {
    const [shared, cols, rows] = this.parameters;
    return writeAdapterFiles(
      dir,
      {
        ...promptTuningConfig(this.numVirtualTokens, this.model.dims),
        num_ranks: rows.value.shape[1]!,
        num_tasks: this.tasks.length,
        peft_type: 'MULTITASK_PROMPT_TUNING',
        prompt_tuning_init_state_dict_path: null,
        prompt_tuning_init_task: 0,
      },
      { prompt_embeddings: shared.value, [COLS]: cols.value, [ROWS]: rows.value },
    );
  }

  #feeds(task: number): Feeds {
    const [shared, cols, rows] = this.parameters;
    return { [EMBEDDING]: shared.value, taskCols: slice(cols.value, task), taskRows: slice(rows.value, task) };
  }
}

/** A view of one task's matrix: [tasks, m, n] -> [m, n]. */
function slice({ shape, data }: Tensor<'float32'>, task: number): Tensor<'float32'> {
  const size = data.length / shape[0]!;
  return f32(shape.slice(1), data.subarray(task * size, (task + 1) * size));
}

const configFields = z.looseObject({
  num_virtual_tokens: z.int().min(1),
  num_transformer_submodules: z.literal(1).nullish(),
  num_tasks: z.int().min(1),
  num_ranks: z.int().min(1),
});

export const multitaskPromptTuning: Method = {
  ...methodTable['multitask-prompt-tuning'],
  method: 'multitask-prompt-tuning',
  peftType: 'MULTITASK_PROMPT_TUNING',
  fills: ['softPrompt'],
  async create({ bundle }, { virtualTokens, init = 'SAMPLE_VOCAB', initText, tasks, taskRank, seed }) {
    if (tasks.length === 0)
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        'multitask-prompt-tuning: name the tasks with --tasks (tasks), as the examples name them',
      );
    const shared = await initialPrompt(bundle, virtualTokens, promptInit(init, initText, seed));
    return MultitaskPrompt.create(bundle, tasks, taskRank, shared, seed);
  },
  async load({ bundle }, dir, config) {
    const { num_virtual_tokens: P, num_tasks: count, num_ranks: rank } = parseConfig(dir, configFields, config);
    const tensors = await readAdapterTensors(dir);
    const names = { [EMBEDDING]: 'prompt_embeddings', [COLS]: COLS, [ROWS]: ROWS };
    const parameters = multitaskParameters(bundle.dims.hiddenSize, P, count, rank).map(({ name, shape }) => {
      const key = names[name as keyof typeof names];
      const value = tensors.get(key);
      const where = `${join(dir, WEIGHTS_FILE)}: ${key}`;
      if (value === undefined) throw new CutlayerError('INVALID_ADAPTER', `${where}: expected [${shape.join(', ')}], got no such tensor`);
      expectFileShape(where, value, shape);
      return { name, value };
    });
    const tasks = (await readSidecar(dir))?.tasks ?? Array.from({ length: count }, (_, task) => String(task));
    if (tasks.length !== count)
      throw new CutlayerError('INVALID_ADAPTER', `${dir}: names ${tasks.length} tasks, but holds ${count}; copy the adapter again`);
    return new MultitaskPrompt(bundle, tasks, parameters);
  },
};
