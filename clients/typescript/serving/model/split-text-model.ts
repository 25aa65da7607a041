/** The vendor's model through the gateway, bare or with an adapter, as the endpoints need it. */
import { CutlayerError } from '../../../../src/errors.js';
import type { Adapter, StepParts } from '../../adapters/adapter.js';
import { taskOf } from '../../adapters/task.js';
import { unlabelledBatch } from '../../data/batch.js';
import type { Conversation } from '../../data/messages.js';
import { evaluationBatches } from '../../data/order.js';
import { batchLimits } from '../../inference/batch-limits.js';
import type { ContinuationOptions, ScoredToken } from '../../inference/continuation.js';
import { continueAll, type NumberedPiece, promptIds } from '../../inference/generate.js';
import { Guide } from '../../inference/grammar/guide.js';
import { logprobsOf, topLogprobs } from '../../inference/sampling/logprobs.js';
import type { SplitModel } from '../../model/split-model.js';
import { fromGateway } from './gateway-failure.js';
import type { ContinuedPrompt, ModelCall, ModelCard, TextModel } from './text-model.js';

export class SplitTextModel implements TextModel {
  readonly card: ModelCard;
  readonly #model: SplitModel;
  readonly #adapter: Adapter | undefined;

  constructor(model: SplitModel, adapter: Adapter | undefined, card: ModelCard) {
    this.#model = model;
    this.#adapter = adapter;
    this.card = card;
  }

  get maxLength(): number {
    return this.#model.maxLength(this.virtualTokens);
  }

  get virtualTokens(): number {
    return this.#adapter?.numVirtualTokens ?? 0;
  }

  get vocabSize(): number {
    return this.#model.bundle.vocabSize;
  }

  async checkConstraint({ constraint, stopTokenIds }: ContinuationOptions): Promise<void> {
    if (constraint !== undefined) (await Guide.start(this.#tokenizer, constraint, stopTokenIds)).close();
  }

  promptIds(text: string): readonly number[] {
    return promptIds(this.#tokenizer, text, this.#model.defences);
  }

  encode(text: string): readonly number[] {
    return this.#model.defences.promptIds(text, (redacted) => [...this.#tokenizer.encode(redacted)]);
  }

  render(conversation: Conversation): string {
    return this.#tokenizer.renderConversation(conversation, true);
  }

  templateOf(conversation: Omit<Conversation, 'messages'>): string {
    return this.#tokenizer.templateOf(conversation);
  }

  bytesOf(ids: readonly number[]): readonly Uint8Array[] {
    return this.#tokenizer.bytesOf(ids);
  }

  async *continueAll(prompts: readonly ContinuedPrompt[], { task, signal }: ModelCall): AsyncGenerator<NumberedPiece> {
    try {
      yield* continueAll(this.#model, this.#adapter, prompts, { task, signal, batchSize: prompts.length });
    } catch (caught) {
      throw fromGateway(caught);
    }
  }

  async scorePrompt(ids: readonly number[], top: number, { task, signal }: ModelCall): Promise<readonly (ScoredToken | undefined)[]> {
    const parts = await this.#parts(task);
    try {
      const rows = await this.#model.hiddenStates(unlabelledBatch([ids]), parts, 'all', signal);
      const scores: (ScoredToken | undefined)[] = [undefined];
      for await (const logits of this.#model.logitsOf(rows, parts, signal)) {
        const id = ids[scores.length];
        if (id === undefined) break;
        const of = logprobsOf(logits);
        scores.push({ id, logprob: of(id), top: topLogprobs(logits, top, of) });
      }
      return scores;
    } catch (caught) {
      throw fromGateway(caught);
    }
  }

  async embed(
    sequences: readonly (readonly number[])[],
    pooling: 'mean' | 'last',
    { task, signal }: ModelCall,
  ): Promise<readonly Float32Array[]> {
    const parts = await this.#parts(task);
    const lengths = sequences.map(({ length }) => length);
    const vectors: Float32Array[] = [];
    try {
      for (const group of evaluationBatches(lengths, batchLimits(this.#model, this.#adapter, {}))) {
        const batch = unlabelledBatch(group.map((index) => sequences[index]!));
        const { data, shape } = await this.#model.hiddenStates(batch, parts, pooling === 'last' ? 'last' : 'all', signal);
        let row = 0;
        for (const index of group) {
          const rows = pooling === 'last' ? 1 : lengths[index]!;
          vectors[index] = unitMean(data.subarray(row * shape[1]!, (row + rows) * shape[1]!), shape[1]!);
          row += rows;
        }
      }
    } catch (caught) {
      throw fromGateway(caught);
    }
    return vectors;
  }

  get #tokenizer() {
    return this.#model.bundle.tokenizer;
  }

  async #parts(task: string | undefined): Promise<StepParts> {
    if (this.#adapter?.labels !== undefined)
      throw new CutlayerError('INVALID_ARGUMENT', `model: ${this.card.id} is a classification head; use cutlayer client classify`);
    return (await this.#adapter?.parts(taskOf(this.#adapter, task))) ?? {};
  }
}

/** The mean of rows [rows, size], of length 1: a product of two is the cosine of their angle. */
function unitMean(rows: Float32Array, size: number): Float32Array {
  const sum = new Float64Array(size);
  rows.forEach((value, at) => {
    sum[at % size]! += value;
  });
  const length = Math.hypot(...sum) || 1;
  return Float32Array.from(sum, (value) => value / length);
}
