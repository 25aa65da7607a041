/**
 * Opens one graph of an artifact's directory, after a check of its ops and of its weights' place.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { CutlayerError } from '../errors.js';
import { checkGraph } from './check-graph.js';
import type { WorkerSettings } from './protocol.js';
import { pruneGraph } from './prune-graph.js';

/** Hides native warnings (a graph's unused constant, say); errors come as exceptions. */
const LOG_FATAL = 4;

/**
 * How a graph's weights are held. `shared`: mmapped pages of the weights file, for all that use it.
 * `packed`: a private copy in the order of the products. A row then has the same bits among any
 * number of rows, on any number of threads; products of few rows are faster.
 */
export type WeightsInMemory = 'shared' | 'packed';

/**
 * How every graph is opened, and why:
 * - no arena, no memory patterns: each would hold the peak memory of every graph and shape;
 * - spinning stops with the run: the two graphs of a step have own threads on the same cores.
 */
function sessionOptions(threads: number, weights: WeightsInMemory): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: LOG_FATAL,
    extra: { session: { disable_prepacking: weights === 'shared' ? '1' : '0', force_spinning_stop: '1' } },
  };
}

/** What is opened of a graph. */
export interface OpenedAs {
  readonly weights: WeightsInMemory;
  /** The outputs that it computes. Default: all. */
  readonly outputs?: readonly string[] | undefined;
}

/**
 * Opens a graph.
 * @throws CutlayerError INVALID_ARTIFACT when the file is missing or is not a graph that can run,
 *   or its weights lie elsewhere; UNSUPPORTED_OP
 */
export async function openSession(
  settings: Pick<WorkerSettings, 'dir' | 'weights' | 'threads'>,
  graph: string,
  { weights, outputs }: OpenedAs,
): Promise<InferenceSession> {
  const path = join(settings.dir, graph);
  if (!existsSync(path)) {
    throw new CutlayerError('INVALID_ARTIFACT', `${graph}: the graph's file is missing; pack the checkpoint again`);
  }
  const model = await readFile(path);
  checkGraph(model, graph, settings.weights);
  const options = sessionOptions(settings.threads, weights);
  const opening =
    outputs === undefined ? InferenceSession.create(path, options) : fromMemory(pruneGraph(model, graph, outputs), settings.dir, options);
  return opening.catch((cause: unknown) => {
    throw new CutlayerError('INVALID_ARTIFACT', `${graph}: the graph or its weights cannot be opened; pack the checkpoint again`, {
      cause,
    });
  });
}

/** @param dir where the model's weights lie */
function fromMemory(model: Uint8Array, dir: string, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  const session = { ...(options.extra?.session as object), model_external_initializers_file_folder_path: dir };
  return InferenceSession.create(model, { ...options, extra: { session } });
}
