/**
 * A small model of the same tokenizer that runs whole in this process. It drafts tokens, which the
 * large one verifies; so what it says changes no token. It is what `cutlayer pack` writes of any
 * checkpoint that the client has: backbone and bundle of one directory.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { decodeGraphOf } from '../../../src/artifacts/decode-graph.js';
import { loadBackbone } from '../../../src/artifacts/store.js';
import { CutlayerError } from '../../../src/errors.js';
import { type Decoder, type Lane, openLaneDecoder } from '../../../src/runtime/decode/lane-decoder.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { ClientBundle } from './client-bundle.js';
import { tokenInputRows } from './decode-rows.js';

/** How to open one. */
export interface DraftModelOptions {
  /** Threads of an operator. Default: the machine's cores. */
  readonly threads?: number | undefined;
  /** False skips the digests of the weights files. Default true. */
  readonly verify?: boolean;
}

export class DraftModel {
  readonly #bundle: ClientBundle;
  readonly #decoder: Decoder;
  readonly #vocabSize: number;

  private constructor(bundle: ClientBundle, decoder: Decoder, vocabSize: number) {
    this.#bundle = bundle;
    this.#decoder = decoder;
    this.#vocabSize = vocabSize;
  }

  /**
   * @param dir what `cutlayer pack --out` wrote of the small checkpoint, at its default cut
   * @param target the bundle of the model that it drafts for
   * @throws CutlayerError INVALID_ARGUMENT (another tokenizer, or another cut), NOT_FOUND,
   *   INVALID_ARTIFACT, DIGEST_MISMATCH, UNIMPLEMENTED (no graph to decode with)
   */
  static async open(dir: string, target: ClientBundle, { threads, verify = true }: DraftModelOptions = {}): Promise<DraftModel> {
    const bundle = await ClientBundle.open(join(dir, 'client-bundle'), { threads, verify });
    try {
      requireFit(dir, bundle, target);
      const decoder = await openBackbone(join(dir, 'backbone'), bundle, threads ?? availableParallelism(), verify);
      // Models of one tokenizer round their vocabularies up differently.
      return new DraftModel(bundle, decoder, Math.min(bundle.vocabSize, target.vocabSize));
    } catch (error) {
      await bundle.close();
      throw error;
    }
  }

  /** Drafts for one text. @param maxTokens that it may have in the end */
  begin(maxTokens: number): DraftedSequence {
    return new DraftedSequence(this.#bundle, this.#decoder, {
      capacity: Math.min(maxTokens, this.#decoder.maxRows),
      vocabSize: this.#vocabSize,
    });
  }

  async close(): Promise<void> {
    await this.#decoder.close();
    await this.#bundle.close();
  }
}

/** One text in the keys and values of the small model. Its operations run one at a time. */
export class DraftedSequence {
  readonly #bundle: ClientBundle;
  readonly #decoder: Decoder;
  readonly #capacity: number;
  readonly #vocabSize: number;
  /** Tokens whose keys and values the lane has. */
  readonly #ids: number[] = [];
  #lane: Promise<Lane> | undefined;

  /** @param room tokens of the text, and ids that both models know */
  constructor(bundle: ClientBundle, decoder: Decoder, room: { readonly capacity: number; readonly vocabSize: number }) {
    this.#bundle = bundle;
    this.#decoder = decoder;
    this.#capacity = room.capacity;
    this.#vocabSize = room.vocabSize;
  }

  /**
   * The most probable tokens after a text, one after another; tokens that were drafted and did not
   * come are taken back.
   * @returns at most `most`: none where the text is longer than the small model reads, and none
   *   after a token that ends a text
   * @throws CutlayerError OUT_OF_MEMORY, WORKER_CRASHED, UNAVAILABLE
   */
  async draft(ids: readonly number[], most: number): Promise<readonly number[]> {
    const drafted: number[] = [];
    if (ids.some((id) => id >= this.#vocabSize)) return drafted;
    while (drafted.length < most && ids.length + drafted.length <= this.#capacity) {
      const id = await this.#next([...ids, ...drafted]);
      if (this.#bundle.tokenizer.stopTokenIds.has(id)) break;
      drafted.push(id);
    }
    return drafted;
  }

  /** Gives the memory back. */
  close(): void {
    // A lane of a thread that has ended is gone already.
    this.#lane?.then((lane) => this.#decoder.release(lane)).catch(() => undefined);
    this.#lane = undefined;
  }

  /** The most probable token after these. */
  async #next(ids: readonly number[]): Promise<number> {
    this.#lane ??= this.#decoder.allocate(this.#capacity);
    const lane = await this.#lane;
    const other = this.#ids.findIndex((id, at) => id !== ids[at]);
    // The last token runs again where nothing else is new: its row is wanted.
    const from = Math.min(other === -1 ? this.#ids.length : other, ids.length - 1);
    this.#ids.length = from;
    const rows = await tokenInputRows(this.#bundle, {}, { ids: ids.slice(from), position: from });
    const [output] = await this.#decoder.append([{ lane, from, rows }]);
    for (const id of ids.slice(from)) this.#ids.push(id);
    const { hiddenSize } = this.#bundle.dims;
    const { data } = await this.#bundle.logits(f32([1, hiddenSize], output!.data.subarray(-hiddenSize)));
    const known = data.subarray(0, this.#vocabSize);
    return known.indexOf(known.reduce((a, b) => Math.max(a, b)));
  }
}

async function openBackbone(dir: string, bundle: ClientBundle, threads: number, verify: boolean): Promise<Decoder> {
  const { manifest, digest } = await loadBackbone(dir, { verify });
  if (digest !== bundle.identity.backboneDigest)
    throw new CutlayerError('INVALID_ARGUMENT', `draft model: ${dir} and the client-bundle beside it were not packed together`);
  const { file, ...layout } = decodeGraphOf(manifest);
  const { hiddenSize, numLayers, numHeads, numKvHeads, headDim } = manifest.dims;
  const weights = manifest.files.find(({ path }) => path === manifest.weightsFile);
  const blocks = { layers: numLayers, hiddenSize, group: numHeads / numKvHeads, numKvHeads, headDim };
  return openLaneDecoder({ dir, weights, graph: file, threads, ...layout, ...blocks });
}

function requireFit(dir: string, { manifest, identity }: ClientBundle, target: ClientBundle): void {
  if (manifest.cut.bottom + manifest.cut.top > 0)
    throw new CutlayerError('INVALID_ARGUMENT', `draft model: ${dir}: expected one packed without --bottom and --top; pack it again`);
  if (identity.tokenizerDigest !== undefined && identity.tokenizerDigest === target.identity.tokenizerDigest) return;
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    `draft model: ${manifest.name} (${dir}) has another tokenizer than ${target.manifest.name} (${target.dir}): ` +
      'their tokenizer.json differ; expected a small model of the same family',
  );
}
