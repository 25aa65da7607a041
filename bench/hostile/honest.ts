/** The honest client beside hostile connections: steps compared with the same steps alone. */

import { createAdapter } from '../../clients/typescript/adapters/registry.js';
import type { Connection } from '../../clients/typescript/connection/connect.js';
import type { Example } from '../../clients/typescript/data/examples.js';
import type { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { TrainingClient } from '../../clients/typescript/training/training-client.js';
import { sha256Hex } from '../../src/artifacts/digest.js';

/** Steps of a run; the next run starts anew from the same parameters. */
const RUN_STEPS = 10;

/** Trains the same run again and again. */
export class HonestClient {
  readonly #bundle: ClientBundle;
  readonly #connection: Connection;
  readonly #examples: readonly Example[];
  /** Digests of the parameters after each step of the first run. */
  readonly #first: string[] = [];
  #client: TrainingClient | undefined;
  #at = 0;

  constructor(bundle: ClientBundle, connection: Connection, examples: readonly Example[]) {
    this.#bundle = bundle;
    this.#connection = connection;
    this.#examples = examples;
  }

  /** Trains the first run, with which all later ones are compared. */
  async first(): Promise<void> {
    for (let at = 0; at < RUN_STEPS; at++) {
      await this.#step();
      this.#first.push(this.#digest());
    }
  }

  /** Trains one step; gives its milliseconds. @throws when its parameters are not as alone */
  async step(): Promise<number> {
    const began = performance.now();
    await this.#step();
    const ms = performance.now() - began;
    const [got, wanted] = [this.#digest(), this.#first[this.#at - 1]];
    if (got !== wanted) throw new Error(`hostile: step ${this.#at} gave other parameters than alone: ${got}, expected ${wanted}`);
    return ms;
  }

  async #step(): Promise<void> {
    if (this.#client === undefined || this.#at === RUN_STEPS) {
      const adapter = await createAdapter({ bundle: this.#bundle }, 'prompt-tuning', { virtualTokens: 8, seed: 1 });
      this.#client = new TrainingClient(this.#bundle, this.#connection, adapter, { learningRate: 1e-2 });
      this.#at = 0;
    }
    await this.#client.forwardBackward(this.#examples);
    await this.#client.optimStep();
    this.#at++;
  }

  #digest(): string {
    const values = this.#client!.adapter.parameters.map(({ value }) => value.data);
    return sha256Hex(Buffer.concat(values.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength))));
  }
}
