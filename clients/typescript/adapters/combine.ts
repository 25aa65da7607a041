/** Several adapters as one: each fills its places of a step and gets their cotangents. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter, StepCotangents, StepParts } from './adapter.js';
import type { AdapterContext } from './context.js';
import { classificationPair, saveClassificationPair } from './sequence-classification.js';
import { writeSidecar } from './sidecar.js';

/**
 * One adapter of two or more.
 * @throws CutlayerError INVALID_ARGUMENT when two put virtual tokens before the text, have tasks or
 *   have labels; from `parts`, when two fill the same place
 */
export function combine(context: AdapterContext, adapters: readonly Adapter[]): Adapter {
  const flat = adapters.flatMap((adapter) => (adapter instanceof Combined ? adapter.adapters : [adapter]));
  if (flat.length < 2) throw new CutlayerError('INVALID_ARGUMENT', `combine: expected at least two adapters, got ${flat.length}`);
  return new Combined(context, flat);
}

export class Combined implements Adapter {
  readonly method = 'combined';
  readonly spanKind: SpanKind;
  readonly numVirtualTokens: number;
  readonly parameters: Adapter['parameters'];
  readonly tasks?: readonly string[];
  readonly labels?: readonly string[];
  readonly adapters: readonly Adapter[];
  readonly #context: AdapterContext;

  /** Use {@link combine}. */
  constructor(context: AdapterContext, adapters: readonly Adapter[]) {
    this.#context = context;
    this.adapters = adapters;
    const twice = adapters.find(({ method }, at) => adapters.findIndex((other) => other.method === method) !== at);
    if (twice !== undefined) throw new CutlayerError('INVALID_ARGUMENT', `combine: ${twice.method} is there twice; once is enough`);
    const spans = adapters.filter((adapter) => adapter.spanKind !== 'none');
    if (spans.length > 1) {
      const names = spans.map(({ method }) => method).join(' and ');
      throw new CutlayerError('INVALID_ARGUMENT', `combine: ${names} both put virtual tokens before the text; choose one of them`);
    }
    this.spanKind = spans[0]?.spanKind ?? 'none';
    this.numVirtualTokens = spans[0]?.numVirtualTokens ?? 0;
    // Distinct even where two methods use the same name: `lora/...`, `prompt-tuning/...`.
    this.parameters = adapters.flatMap(({ method, parameters }) =>
      parameters.map(({ name, value }) => ({ name: `${method}/${name}`, value })),
    );
    const tasks = adapters.find((adapter) => adapter.tasks !== undefined)?.tasks;
    if (tasks !== undefined) this.tasks = tasks;
    const labels = adapters.find((adapter) => adapter.labels !== undefined)?.labels;
    if (labels !== undefined) this.labels = labels;
  }

  async parts(task?: number): Promise<StepParts> {
    const owners = new Map<string, string>();
    const claim = (place: string, method: string) => {
      const owner = owners.get(place);
      if (owner !== undefined)
        throw new CutlayerError('INVALID_ARGUMENT', `combine: ${owner} and ${method} both fill ${place}; choose one of them`);
      owners.set(place, method);
    };
    let whole: StepParts = {};
    for (const adapter of this.adapters) {
      const { blockWeights, ...parts } = await adapter.parts(task);
      for (const place of Object.keys(parts)) claim(place, adapter.method);
      for (const name of Object.keys(blockWeights ?? {})) claim(`weight ${name}`, adapter.method);
      whole = { ...whole, ...parts, ...(blockWeights === undefined ? {} : { blockWeights: { ...whole.blockWeights, ...blockWeights } }) };
    }
    const { headLora, classifier } = whole;
    if (headLora !== undefined && classifier !== undefined) {
      const names = `${owners.get('headLora')} and ${owners.get('classifier')}`;
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `combine: ${names} both change the head; a classifier stands in its place: leave lm_head out of --targets`,
      );
    }
    return whole;
  }

  async pullBack(cotangents: StepCotangents, task?: number): Promise<readonly Float32Array[]> {
    const gradients: Float32Array[] = [];
    for (const adapter of this.adapters) gradients.push(...(await adapter.pullBack(cotangents, task)));
    return gradients;
  }

  /** Each adapter in a subdirectory named by its method; a pair that SEQ_CLS covers in one. */
  async save(dir: string): Promise<void> {
    const pair = classificationPair(this.adapters);
    if (pair !== undefined) return saveClassificationPair(dir, pair, this.#context.bundle.identity);
    for (const adapter of this.adapters) {
      const part = join(dir, adapter.method);
      await mkdir(part, { recursive: true });
      await adapter.save(part);
    }
    const parts = this.adapters.map(({ method }) => method);
    await writeSidecar(dir, this.method, this.#context.bundle.identity, { parts });
  }
}
