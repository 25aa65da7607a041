/**
 * The decoders of the blocks that a client holds. Worker threads have the keys and values of its
 * bottom and its top; they start with the first session.
 */
import { availableParallelism } from 'node:os';
import type { ClientBundleArtifact } from '../../../src/artifacts/store.js';
import { CutlayerError } from '../../../src/errors.js';
import { type Decoder, openLaneDecoder } from '../../../src/runtime/decode/lane-decoder.js';

/** The two spans that the client holds. */
export type ClientSpan = 'bottom' | 'top';

const spans: readonly ClientSpan[] = ['bottom', 'top'];

/** One decoder for each span, and another where its weights are inputs. */
export class BlockDecoders {
  readonly #artifact: ClientBundleArtifact;
  readonly #threads: number;
  readonly #open = new Map<string, Promise<Decoder>>();
  #closed = false;

  /** @param threads of one operator. Default: the machine's cores */
  constructor(artifact: ClientBundleArtifact, threads = availableParallelism()) {
    this.#artifact = artifact;
    this.#threads = threads;
  }

  /** Whether every span that has blocks has graphs to decode with; older bundles have none. */
  get complete(): boolean {
    const { cut, graphs } = this.#artifact.manifest;
    return spans.every((span) => cut[span] === 0 || graphs.decode?.[span] !== undefined);
  }

  /** Whether every span that has blocks can decode with the rope of long sequences. */
  get haveLongRope(): boolean {
    const { cut, graphs } = this.#artifact.manifest;
    return spans.every((span) => cut[span] === 0 || graphs.decode?.[span]?.frozen.longRows !== undefined);
  }

  /** Whether the rope of a held block depends on the length of a sequence. */
  get ropeByLength(): boolean {
    const { cut, graphs } = this.#artifact.manifest;
    return spans.some((span) => cut[span] > 0 && graphs.decode?.[span]?.frozen.longRows !== undefined);
  }

  /**
   * Opens a span's decoder, or gives the open one.
   * @param weights `trained`: each lane is given its weights
   * @throws CutlayerError INVALID_ARTIFACT, UNSUPPORTED_OP, UNAVAILABLE
   */
  decoder(span: ClientSpan, weights: 'frozen' | 'trained'): Promise<Decoder> {
    const key = `${span} ${weights}`;
    const known = this.#open.get(key) ?? this.#start(span, weights);
    this.#open.set(key, known);
    // One that has not started is tried again the next time.
    known.catch(() => this.#open.delete(key));
    return known;
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    this.#closed = true;
    const started = await Promise.allSettled(this.#open.values());
    await Promise.all(started.map((found) => (found.status === 'fulfilled' ? found.value.close() : undefined)));
  }

  async #start(span: ClientSpan, weights: 'frozen' | 'trained'): Promise<Decoder> {
    if (this.#closed) throw new CutlayerError('UNAVAILABLE', 'decode: the bundle has been closed');
    const { dir, manifest } = this.#artifact;
    const { file, ...layout } = manifest.graphs.decode![span]![weights]; // its caller has looked
    const { hiddenSize, numHeads, numKvHeads, headDim } = manifest.dims;
    const held = manifest.files.find(({ path }) => path === manifest.weightsFile);
    const blocks = { layers: manifest.cut[span], hiddenSize, group: numHeads / numKvHeads, numKvHeads, headDim };
    return openLaneDecoder({ dir, weights: held, graph: file, threads: this.#threads, ...layout, ...blocks });
  }
}
