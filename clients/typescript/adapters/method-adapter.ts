/** What the adapters of one method share: the model, the parameters, and how they are saved. */
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import type { Adapter, MethodName, Parameter, StepCotangents, StepParts } from './adapter.js';
import type { AdapterModel } from './context.js';
import { writeSidecar } from './sidecar.js';

export abstract class MethodAdapter<P extends readonly Parameter[] = readonly Parameter[]> implements Adapter {
  abstract readonly method: MethodName;
  readonly spanKind: SpanKind = 'none';
  readonly parameters: P;
  readonly tasks?: readonly string[];
  readonly labels?: readonly string[];
  protected readonly model: AdapterModel;

  constructor(model: AdapterModel, parameters: P) {
    this.model = model;
    this.parameters = parameters;
  }

  /** The rows of the first parameter, where the method puts something before the text. */
  get numVirtualTokens(): number {
    return this.spanKind === 'none' ? 0 : this.parameters[0]!.value.shape[0]!;
  }

  abstract parts(task?: number): Promise<StepParts>;
  abstract pullBack(cotangents: StepCotangents, task?: number): Promise<readonly Float32Array[]>;

  async save(dir: string): Promise<void> {
    await this.write(dir);
    const { tasks, labels } = this;
    await writeSidecar(dir, this.method, this.model.identity, { ...(tasks && { tasks }), ...(labels && { labels }) });
  }

  /** Writes the files of the method's own format. */
  protected abstract write(dir: string): Promise<void>;
}
