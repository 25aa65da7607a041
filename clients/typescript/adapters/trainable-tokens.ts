/**
 * Trainable tokens: trained rows replace some of the embedding table, and of a head tied to it.
 * Only the client holds the table, so the vendor sees no difference.
 * @see PEFT `tuners/trainable_tokens`
 */
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { expectShape } from '../../../src/tensor/shape.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Parameter, StepCotangents, StepParts } from './adapter.js';
import { type AdapterConfig, expectFileShape, parseConfig, peftNames, readModuleTensors, writeAdapterFiles } from './adapter-config.js';
import type { AdapterModel } from './context.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import { scaled, zeroGradients } from './parameters.js';

const DELTA = 'trainable_tokens_delta';

/** Rows of the embedding table, trained. PEFT calls them a delta; they are the rows themselves. */
export class TrainableTokens extends MethodAdapter<readonly [Parameter]> {
  readonly method = 'trainable-tokens';
  /** Strictly increasing. */
  readonly tokenIds: readonly number[];

  /** @param rows [T, d], before embedScale @throws CutlayerError INVALID_ARGUMENT, INVALID_SHAPE */
  constructor(model: AdapterModel, tokenIds: readonly number[], rows: Tensor<'float32'>) {
    checkIds(model, tokenIds);
    const { hiddenSize } = model.dims;
    expectShape('trainable tokens', rows.shape, [tokenIds.length, hiddenSize]);
    const order = tokenIds.map((id, row) => ({ id, row })).sort((a, b) => a.id - b.id);
    const sorted = new Float32Array(rows.data.length);
    order.forEach(({ row }, at) => {
      sorted.set(rows.data.subarray(row * hiddenSize, (row + 1) * hiddenSize), at * hiddenSize);
    });
    super(model, [{ name: DELTA, value: f32(rows.shape, sorted) }]);
    this.tokenIds = order.map(({ id }) => id);
  }

  /** Begins with the checkpoint's rows. @throws CutlayerError INVALID_ARGUMENT */
  static async create(model: AdapterModel, tokenIds: readonly number[]): Promise<TrainableTokens> {
    checkIds(model, tokenIds);
    return new TrainableTokens(model, tokenIds, scaled(await model.embed(tokenIds), 1 / model.embedScale));
  }

  async parts(): Promise<StepParts> {
    return { tokenRows: { tokenIds: this.tokenIds, rows: this.parameters[0].value } };
  }

  async pullBack({ tokenRows }: StepCotangents): Promise<readonly Float32Array[]> {
    return tokenRows === undefined ? zeroGradients(this.parameters) : [tokenRows.data];
  }

  protected async write(dir: string): Promise<void> {
    const { modules, tiedHead } = this.model;
    const config = {
      init_weights: true,
      peft_type: 'TRAINABLE_TOKENS',
      target_modules: modules.embedTokens,
      token_indices: this.tokenIds,
    };
    // PEFT writes the rows once more for a head that is tied to the table.
    const owners = tiedHead ? [modules.head, modules.embedTokens] : [modules.embedTokens];
    const rows = Object.fromEntries(owners.map((module) => [`${module}.${DELTA}`, this.parameters[0].value]));
    await writeAdapterFiles(dir, config, peftNames(rows));
  }
}

export const trainableTokens: Method = {
  ...methodTable['trainable-tokens'],
  method: 'trainable-tokens',
  peftType: 'TRAINABLE_TOKENS',
  fills: ['tokenRows'],
  create: ({ bundle }, { tokens }) => TrainableTokens.create(bundle, tokenIdsOf(bundle, tokens)),
  load: ({ bundle }, dir, config) => load(bundle, dir, config),
};

/** Each text's id. @throws CutlayerError INVALID_ARGUMENT for no text, or not one token each */
export function tokenIdsOf(model: Pick<AdapterModel, 'encode'>, texts: readonly string[]): readonly number[] {
  if (texts.length === 0) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'trainable tokens: name at least one with --tokens (tokens), each a text of exactly one token',
    );
  }
  return texts.map((text) => {
    const ids = model.encode(text);
    if (ids.length === 1) return ids[0]!;
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `tokens: ${JSON.stringify(text)} is ${ids.length} tokens of this tokenizer, expected 1; give its tokens one by one ` +
        '(many words are one token only with a space before them)',
    );
  });
}

function checkIds({ vocabSize }: AdapterModel, tokenIds: readonly number[]): void {
  const wrong = tokenIds.find((id, at) => !Number.isSafeInteger(id) || id < 0 || id >= vocabSize || tokenIds.indexOf(id) !== at);
  if (tokenIds.length > 0 && wrong === undefined) return;
  const got = wrong === undefined ? 'none' : `${wrong}${tokenIds.filter((id) => id === wrong).length > 1 ? ' twice' : ''}`;
  throw new CutlayerError('INVALID_ARGUMENT', `trainable tokens: expected distinct token ids below ${vocabSize}, got ${got}`);
}

const fields = z.looseObject({
  token_indices: z.array(z.int().min(0)).min(1).max(1_000_000),
  target_modules: z
    .union([
      z.string(),
      z
        .array(z.string())
        .length(1)
        .transform(([module]) => module!),
    ])
    .nullish(),
});

async function load(model: AdapterModel, dir: string, config: AdapterConfig): Promise<TrainableTokens> {
  const { token_indices: ids, target_modules: target } = parseConfig(dir, fields, config);
  const { modules, vocabSize, dims, tiedHead } = model;
  if (target != null && target !== modules.embedTokens && !modules.embedTokens.endsWith(`.${target}`)) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${dir}: target_modules: expected ${modules.embedTokens}, this model's embedding, got ${target}`,
    );
  }
  const beyond = ids.find((id, at) => id >= vocabSize || ids.indexOf(id) !== at);
  if (beyond !== undefined) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${dir}: token_indices: expected distinct ids below this model's vocabulary of ${vocabSize}, got ${beyond}; a vocabulary that was extended must be packed`,
    );
  }
  const tensors = await readModuleTensors(dir);
  const rows = tensors.get(`${modules.embedTokens}.${DELTA}`);
  const allowed = [modules.embedTokens, ...(tiedHead ? [modules.head] : [])].map((module) => `${module}.${DELTA}`);
  const other = [...tensors.keys()].find((name) => !allowed.includes(name));
  if (rows === undefined || other !== undefined) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${dir}: expected the tensor ${allowed[0]} alone, got ${other ?? 'none'}; this model has no place for it`,
    );
  }
  expectFileShape(`${dir}: ${allowed[0]}`, rows, [ids.length, dims.hiddenSize]);
  return new TrainableTokens(model, ids, rows);
}
