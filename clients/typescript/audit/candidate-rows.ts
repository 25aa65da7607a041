/**
 * Runs candidates for a record's next token through the blocks that the client holds, many at a
 * time. The tokens before them are the same for all: so they go through once, where a soft prompt
 * goes.
 */

import type { SpanKind } from '../../../src/artifacts/manifest.js';
import { concatRows } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, FloatFeeds, StepParts } from '../adapters/adapter.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { layersOf } from '../model/split-step.js';

type Floats = Tensor<'float32'>;

/** Candidates of one run; behind a prefix, which takes no rows, each has the tokens before it. */
const CANDIDATES = 512;
const CANDIDATES_OF_PREFIX = 64;

/** One record's. */
export class CandidateRows {
  readonly #bundle: ClientBundle;
  readonly #parts: StepParts;
  /** Rows before the next token: the soft prompt's, and those of chosen tokens. */
  #before: Floats | undefined;

  /** @param parts Virtual tokens before the text, and the blocks' trained weights, if known. */
  constructor(bundle: ClientBundle, parts: Pick<StepParts, 'softPrompt' | 'prefix' | 'blockWeights'>) {
    this.#bundle = bundle;
    this.#parts = parts;
    this.#before = parts.softPrompt;
  }

  /** Candidates of one run. */
  get width(): number {
    return this.#parts.prefix === undefined ? CANDIDATES : CANDIDATES_OF_PREFIX;
  }

  /** Each candidate's row behind the blocks, after the chosen tokens: [candidates, d]. */
  async run(candidates: readonly number[], signal?: AbortSignal): Promise<Floats> {
    const d = this.#bundle.dims.hiddenSize;
    const own = await this.#bundle.embed(candidates);
    const { prefix } = this.#parts;
    if (prefix !== undefined) return this.#behindPrefix(own, layersOf(prefix, 0, this.#bundle.dims.bottom), signal);
    const kind = this.#before === undefined ? 'none' : 'softPrompt';
    const feeds = { inputsEmbeds: f32([candidates.length, 1, d], own.data), ...(this.#before && { softPrompt: this.#before }) };
    const { hiddenStates } = await this.#forward(kind, feeds, signal);
    return f32([candidates.length, d], hiddenStates!.data);
  }

  /** Goes on behind a token. */
  async choose(token: number): Promise<void> {
    const row = await this.#bundle.embed([token]);
    this.#before = this.#before === undefined ? row : concatRows([this.#before, row]);
  }

  /** The same behind one more token. */
  async after(token: number): Promise<CandidateRows> {
    const next = new CandidateRows(this.#bundle, { ...this.#parts, ...(this.#before && { softPrompt: this.#before }) });
    await next.choose(token);
    return next;
  }

  async #forward(kind: SpanKind, feeds: Feeds, signal?: AbortSignal): Promise<FloatFeeds> {
    const { blockWeights } = this.#parts;
    const trained = this.#bundle.holdsSome('bottom', blockWeights);
    const weights = trained ? await this.#bundle.spanWeights('bottom', blockWeights!) : {};
    return this.#bundle.spanForward({ span: 'bottom', kind, trained }, { ...feeds, ...weights }, signal);
  }

  async #behindPrefix(own: Floats, prefix: Floats, signal?: AbortSignal): Promise<Floats> {
    const [count, d] = own.shape as [number, number];
    const before = this.#before?.data ?? new Float32Array(0);
    const size = before.length + d;
    const rows = new Float32Array(count * size);
    for (let at = 0; at < count; at++) {
      rows.set(before, at * size);
      rows.set(own.data.subarray(at * d, (at + 1) * d), at * size + before.length);
    }
    const { hiddenStates } = await this.#forward('prefix', { inputsEmbeds: f32([count, size / d, d], rows), prefix }, signal);
    const last = new Float32Array(count * d);
    for (let at = 0; at < count; at++) last.set(hiddenStates!.data.subarray((at + 1) * size - d, (at + 1) * size), at * d);
    return f32([count, d], last);
  }
}
