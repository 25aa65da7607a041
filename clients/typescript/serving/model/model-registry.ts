/**
 * The models of an endpoint by name: the base model, and each adapter. An adapter's directory is
 * looked at when the adapter is asked for; one that has changed is read again. Requests under way
 * keep what they began with.
 */
import { CutlayerError } from '../../../../src/errors.js';
import type { Adapter } from '../../adapters/adapter.js';
import { loadAdapter } from '../../adapters/load.js';
import { checkAdapter } from '../../connection/served-model.js';
import { adapterDirectory } from '../../inspect/adapter-report.js';
import type { SplitModel } from '../../model/split-model.js';
import { adaptersIn, fingerprintOf, type NamedAdapter } from './adapter-folder.js';
import { SplitTextModel } from './split-text-model.js';
import type { ModelCard, TextModel, TextModels } from './text-model.js';

/** Where models come from. */
export interface RegistryOptions {
  readonly model: SplitModel;
  /** The base model's name; by default the one that the vendor gave it. */
  readonly baseName?: string | undefined;
  readonly adapters: readonly NamedAdapter[];
  /** A directory of adapters, looked at with each request. */
  readonly folder?: string | undefined;
  /** Told of each adapter that has been read, before it answers. */
  readonly onRead?: ((name: string, dir: string) => Promise<void>) | undefined;
  /** Told of a changed adapter: read again, or broken while an earlier state is served. */
  readonly onChange?: ((name: string, failure?: CutlayerError) => void) | undefined;
}

interface Loaded {
  readonly fingerprint: string;
  readonly model: TextModel;
}

/** Most adapters in memory; the one that was asked for longest ago is read again when needed. */
const MOST_LOADED = 32;
/** How often an adapter is read that changes while it is read. */
const MOST_READS = 3;

export class ModelRegistry implements TextModels {
  readonly #options: RegistryOptions;
  readonly #base: TextModel;
  readonly #loaded = new Map<string, Loaded>();
  /** Reads under way, so that two requests read once. */
  readonly #reading = new Map<string, Promise<TextModel>>();
  /** Fingerprints of states that could not be read, and were told of. */
  readonly #broken = new Map<string, string>();

  /** @throws CutlayerError INVALID_OPTION (a name that is there twice) */
  constructor(options: RegistryOptions) {
    const { model, adapters } = options;
    this.#options = options;
    const { manifest } = model.bundle;
    const id = options.baseName ?? manifest.name;
    this.#base = new SplitTextModel(model, undefined, { ...this.#card(id), parent: undefined, method: undefined });
    const names = [id, ...adapters.map(({ name }) => name)];
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) throw new CutlayerError('INVALID_OPTION', `--adapter: the name ${twice} is there twice; choose another`);
  }

  async list(): Promise<readonly ModelCard[]> {
    const adapters = await this.#named();
    const cards = adapters.map(({ name }) => this.#loaded.get(name)?.model.card ?? this.#card(name));
    return [this.#base.card, ...cards];
  }

  async find(name: string): Promise<TextModel> {
    if (name === this.#base.card.id) return this.#base;
    const adapters = await this.#named();
    const found = adapters.find((adapter) => adapter.name === name);
    if (found === undefined) {
      const names = [this.#base.card.id, ...adapters.map((adapter) => adapter.name)];
      throw new CutlayerError('NOT_FOUND', `model: expected one of ${names.join(', ')}, got ${name.slice(0, 128)}`, {
        details: { param: 'model', code: 'model_not_found' },
      });
    }
    const reading = this.#reading.get(name) ?? this.#current(found).finally(() => this.#reading.delete(name));
    this.#reading.set(name, reading);
    return reading;
  }

  /** Those of flags, then those of the folder that have no such name. */
  async #named(): Promise<readonly NamedAdapter[]> {
    const { adapters, folder } = this.#options;
    const names = new Set([this.#base.card.id, ...adapters.map(({ name }) => name)]);
    const others = folder === undefined ? [] : await adaptersIn(folder);
    return [...adapters, ...others.filter(({ name }) => !names.has(name))];
  }

  async #current({ name, path }: NamedAdapter): Promise<TextModel> {
    const known = this.#loaded.get(name);
    let state = 'gone';
    try {
      const dir = await adapterDirectory(path);
      state = `${dir}\n${await fingerprintOf(dir)}`;
      if (known !== undefined && (known.fingerprint === state || this.#broken.get(name) === state)) {
        this.#keep(name, known);
        return known.model;
      }
      const model = await this.#read(name, dir);
      if (known !== undefined) this.#options.onChange?.(name);
      return model;
    } catch (caught) {
      const failure = CutlayerError.from(caught);
      if (known === undefined) throw failure;
      // The last state that could be read goes on serving.
      if (this.#broken.get(name) !== state) this.#options.onChange?.(name, failure);
      this.#broken.set(name, state);
      return known.model;
    }
  }

  async #read(name: string, dir: string): Promise<TextModel> {
    const { model } = this.#options;
    for (let reads = 1; ; reads++) {
      const before = await fingerprintOf(dir);
      const adapter = await loadAdapter(dir, { bundle: model.bundle });
      checkAdapter(model.remote.connection.card, adapter);
      if ((await fingerprintOf(dir)) !== before && reads < MOST_READS) continue;
      await this.#options.onRead?.(name, dir);
      const loaded = new SplitTextModel(model, adapter, { ...this.#card(name), method: methodOf(adapter) });
      this.#keep(name, { fingerprint: `${dir}\n${before}`, model: loaded });
      this.#broken.delete(name);
      return loaded;
    }
  }

  #keep(name: string, loaded: Loaded): void {
    this.#loaded.delete(name);
    this.#loaded.set(name, loaded);
    const [oldest] = this.#loaded.keys();
    if (this.#loaded.size > MOST_LOADED) this.#loaded.delete(oldest!);
  }

  #card(id: string): ModelCard {
    const { bundle, remote } = this.#options.model;
    return {
      id,
      created: STARTED,
      parent: this.#options.baseName ?? bundle.manifest.name,
      backboneDigest: bundle.manifest.backboneDigest,
      shutdownDate: remote.connection.card.shutdownDate,
      method: undefined,
    };
  }
}

/** Seconds since 1970. */
const STARTED = Math.floor(Date.now() / 1000);

function methodOf({ method, tasks }: Adapter): string {
  return tasks === undefined ? method : `${method} (tasks: ${tasks.join(', ')})`;
}
