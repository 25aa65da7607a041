/**
 * Sends records through the client as a training step does, one record a step. What the vendor sees
 * of each is kept in a file of its own. So memory is bounded, and an interrupted audit goes on.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { Adapter, StepParts } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import type { Connection } from '../connection/connect.js';
import { makeBatch } from '../data/batch.js';
import type { Example } from '../data/examples.js';
import type { Defences } from '../defences/defences.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { RemoteModel } from '../model/remote-model.js';
import { SplitModel } from '../model/split-model.js';
import type { SeenRecord } from './seen.js';
import { type Tap, tapped } from './tap.js';

type Floats = Tensor<'float32'>;

const values = ['rows', 'prompt', 'outputs', 'cotangents', 'promptCotangent'] as const;

/** Traces in a directory, by the records' numbers. */
export class Trace {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  has(record: number): boolean {
    return existsSync(this.#file(record));
  }

  /** @throws CutlayerError IO_ERROR */
  async write(record: number, seen: SeenRecord): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const { length, leading, virtualTokens, positions, lossMs } = seen;
    const tensors = Object.fromEntries(values.flatMap((name) => (seen[name] === undefined ? [] : [[name, seen[name]] as const])));
    await writeTensors(this.#file(record), tensors, { seen: JSON.stringify({ length, leading, virtualTokens, positions, lossMs }) });
  }

  /** @throws CutlayerError NOT_FOUND, INVALID_SAFETENSORS */
  async read(record: number): Promise<SeenRecord> {
    const { tensors, metadata } = await readTensors(this.#file(record));
    const numbers = JSON.parse(metadata.get('seen') ?? '{}') as SeenRecord; // without tensors
    const found = Object.fromEntries(values.flatMap((name) => (tensors.has(name) ? [[name, tensors.get(name) as Floats]] : [])));
    return { ...numbers, ...found } as SeenRecord; // as `write` has written it
  }

  #file(record: number): string {
    return join(this.#dir, `record-${String(record + 1).padStart(6, '0')}.safetensors`);
  }
}

/** What is sent, and through which client. */
export interface TraceOptions {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  /** False: no gateway answers. */
  readonly answered: boolean;
  /** Undefined: the bare model. */
  readonly adapter: Adapter | undefined;
  /** Parts that a step without an adapter has all the same. */
  readonly bare?: StepParts | undefined;
  readonly defences: Defences;
  readonly examples: readonly Example[];
  readonly trace: Trace;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Traces the records that have no trace. @throws CutlayerError of the steps' calls; CANCELLED */
export async function takeTrace(options: TraceOptions): Promise<void> {
  const { bundle, connection, answered, adapter, bare = {}, defences, examples, trace, signal, onProgress } = options;
  const listening = new Listening({ bundle, connection, answered, defences });
  for (const [at, example] of examples.entries()) {
    if (!trace.has(at)) {
      signal?.throwIfAborted();
      await trace.write(at, await listening.step(example, adapter === undefined ? bare : await partsFor(adapter, example), signal));
    }
    onProgress?.(at + 1, examples.length);
  }
}

/** A client whose steps are listened to. */
export class Listening {
  readonly #answered: boolean;
  readonly #tap: Tap;
  readonly #model: SplitModel;

  constructor({ bundle, connection, answered, defences }: Pick<TraceOptions, 'bundle' | 'connection' | 'answered' | 'defences'>) {
    this.#answered = answered;
    this.#tap = tapped(connection, { answered });
    this.#model = new SplitModel(bundle, new RemoteModel(this.#tap.connection), undefined, defences);
  }

  /** A step of training with one record: what crosses. @throws CutlayerError of its calls */
  async step(example: Example, parts: StepParts, signal?: AbortSignal): Promise<SeenRecord> {
    await this.#model.gradient(makeBatch([example]), parts, signal).catch((caught: unknown) => {
      const error = CutlayerError.from(caught);
      if (this.#answered || error.code !== 'CANCELLED' || signal?.aborted) throw error;
    });
    return this.#tap.seen();
  }
}

/** What an adapter puts into a record's step. */
export async function partsFor(adapter: Adapter, { task }: Example): Promise<StepParts> {
  return adapter.parts(taskOf(adapter, task));
}
