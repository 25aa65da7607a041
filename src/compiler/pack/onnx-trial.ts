/** Runs an imported backbone's graphs before packing: they must run, be finite and causal. */
import type { BackboneManifest } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import { allFinite } from '../../tensor/finite.js';
import { elementCount, f32, type Tensor, tensor } from '../../tensor/tensor.js';
import { checkCausality } from './causality.js';

/** The graphs of one directory, opened in a runtime. */
interface RunningGraphs {
  run(graph: string, feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
}

/** Opens the graphs of a directory in the caller's runtime. */
export type GraphOpener = (source: {
  readonly dir: string;
  readonly weightsFile: string;
  readonly graphs: readonly string[];
}) => Promise<RunningGraphs>;

export interface BackboneTrial {
  readonly dir: string;
  readonly manifest: BackboneManifest;
  /** The imported model, for messages. */
  readonly label: string;
  readonly openGraphs: GraphOpener;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs every graph once, then tests the forward without adapter for causality.
 * @throws CutlayerError INVALID_ONNX (does not run, not finite), NOT_CAUSAL; AbortError when the
 *   signal fires
 */
export async function tryBackbone({ dir, manifest, label, openGraphs, signal }: BackboneTrial): Promise<void> {
  const { weightsFile, dims } = manifest;
  const { hiddenSize, maxPositions } = dims;
  const { none, softPrompt } = manifest.graphs;
  const entries = [none, softPrompt].flatMap(({ forward, infer, vjp }) => [forward.file, infer.file, vjp.file]);
  const opened = await running(label, 'every graph', () => openGraphs({ dir, weightsFile, graphs: entries }));
  const run = (file: string, feeds: Readonly<Record<string, Tensor>>, what = file) => running(label, what, () => opened.run(file, feeds));
  try {
    await checkCausality({
      hiddenSize,
      maxPositions,
      signal,
      run: async (hiddenStates) => {
        const [batch = 0, length = 0] = hiddenStates.shape;
        const feeds = { hiddenStates, positions: rowIndexes(batch * length) };
        const { output } = await run(none.infer.file, feeds, `forward on [${hiddenStates.shape.join(', ')}]`);
        return output as Tensor<'float32'>; // the graph was compiled to give float32
      },
    });
    for (const { forward, infer, vjp, prompt } of [
      { ...none, prompt: 0 },
      { ...softPrompt, prompt: 2 },
    ]) {
      const length = Math.max(1, Math.min(3, maxPositions - prompt));
      const rows = prompt + 2 * length;
      const feeds: Readonly<Record<string, Tensor>> = {
        hiddenStates: filled([2, length, hiddenSize]),
        softPrompt: filled([prompt, hiddenSize]),
        positions: rowIndexes(rows),
        cotangent: filled([rows, hiddenSize]),
      };
      await run(infer.file, pick(feeds, infer.inputs));
      const values = await run(forward.file, pick(feeds, forward.inputs));
      const cotangents = await run(vjp.file, pick({ ...feeds, ...values }, vjp.inputs));
      for (const [name, { data }] of Object.entries(cotangents)) {
        if (!allFinite(data as Float32Array))
          // the graph was compiled to give float32
          throw new CutlayerError('INVALID_ONNX', `backbone: ${name} on random hidden states is not finite`);
      }
    }
  } finally {
    await opened.close();
  }
}

/** An error of the runtime here is the graph's fault. */
async function running<T>(label: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (caught) {
    const error = CutlayerError.from(caught);
    if (error.code === 'CANCELLED') throw caught;
    throw new CutlayerError('INVALID_ONNX', `${label}: ONNX Runtime cannot run ${what}: ${error.message.slice(0, 500)}`, {
      cause: caught,
    });
  }
}

const rowIndexes = (count: number): Tensor<'int64'> => tensor('int64', [count], BigInt64Array.from(Array(count).keys(), BigInt));

/** Numbers of a moderate size; neighbours differ. */
function filled(shape: readonly number[]): Tensor<'float32'> {
  const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.sin(1.7 * at + 0.3));
  return f32(shape, data);
}

const pick = (tensors: Readonly<Record<string, Tensor>>, names: readonly string[]): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(names.map((name) => [name, tensors[name]!]));
