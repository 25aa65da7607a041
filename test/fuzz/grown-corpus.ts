/** Inputs that reached new code: kept in a folder from run to run, and bounded. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The oldest go when there are more. */
export interface CorpusBounds {
  readonly inputs: number;
  readonly bytes: number;
}

const BOUNDS: CorpusBounds = { inputs: 2048, bytes: 16 * 2 ** 20 };

/** The inputs of one target, the oldest first. */
export class GrownCorpus {
  readonly #dir: string;
  readonly #bounds: CorpusBounds;
  /** By name of the file, which the content gives. */
  readonly #inputs = new Map<string, Uint8Array>();
  #bytes = 0;
  #list: readonly Uint8Array[] | undefined;

  /** Opens the folder, and makes it where there is none. */
  constructor(dir: string, bounds: CorpusBounds = BOUNDS) {
    this.#dir = dir;
    this.#bounds = bounds;
    mkdirSync(dir, { recursive: true });
    const files = readdirSync(dir).map((name) => ({ name, at: statSync(join(dir, name)).mtimeMs }));
    for (const { name } of files.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1))) this.#keep(name, readFileSync(join(dir, name)));
  }

  get inputs(): readonly Uint8Array[] {
    this.#list ??= [...this.#inputs.values()];
    return this.#list;
  }

  /** Keeps an input, in the folder too. */
  add(input: Uint8Array): void {
    const name = createHash('sha256').update(input).digest('hex').slice(0, 16);
    if (this.#inputs.has(name)) return;
    writeFileSync(join(this.#dir, name), input);
    this.#keep(name, Uint8Array.from(input));
  }

  #keep(name: string, input: Uint8Array): void {
    this.#inputs.set(name, input);
    this.#bytes += input.length;
    this.#list = undefined;
    for (const [oldest, { length }] of this.#inputs) {
      if (this.#inputs.size <= this.#bounds.inputs && this.#bytes <= this.#bounds.bytes) return;
      this.#inputs.delete(oldest);
      this.#bytes -= length;
      rmSync(join(this.#dir, oldest), { force: true });
    }
  }
}
