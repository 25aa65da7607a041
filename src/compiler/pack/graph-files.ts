/** Writes graphs as ONNX files, with their weights in one safetensors file, and lists the files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../artifacts/digest.js';
import type { ArtifactFile, GraphEntry, SpanGraphs, SpanKind, StepGraphs } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import type { SafetensorsLayout } from '../../safetensors/layout.js';
import type { Partition } from '../autodiff/partition.js';
import type { GraphPair } from '../graphs/graph-pair.js';
import { encodeModel } from '../onnx/encoder.js';
import type { Graph } from '../onnx/graph.js';

export class GraphFiles {
  private readonly files: ArtifactFile[];

  constructor(
    private readonly dir: string,
    private readonly layout: SafetensorsLayout,
    private readonly weightsFile: ArtifactFile,
  ) {
    this.files = [weightsFile];
  }

  /** The weights file and every graph written so far. */
  get written(): readonly ArtifactFile[] {
    return this.files;
  }

  /**
   * Writes one graph; its initializers point into the weights file.
   * @throws CutlayerError INVALID_GRAPH when it uses a weight of the other side.
   */
  write(file: string, graph: Graph): GraphEntry {
    const location = this.weightsFile.path;
    const externalData = (name: string): { location: string; offset: number; length: number } => {
      const info = this.layout.tensors.get(name);
      if (info === undefined) throw new CutlayerError('INVALID_GRAPH', `${file}: uses ${name}, which ${location} does not hold`);
      return { location, offset: info.offset, length: info.bytes };
    };
    const bytes = encodeModel(graph, { externalData, name: file.replace(/\.onnx$/, '') });
    this.files.push(this.writeBytes(file, bytes));
    return { file, inputs: graph.inputs.map(({ name }) => name), outputs: graph.outputs.map(({ name }) => name) };
  }

  /** Writes the pairs of all adapter kinds: `<name>-<kind>.onnx` and `<name>-<kind>-vjp.onnx`. */
  writeSpans(name: string, compile: (kind: SpanKind) => GraphPair): Record<SpanKind, SpanGraphs> {
    const pair = (kind: SpanKind): SpanGraphs => this.writePair(`${name}-${kind}`, compile(kind));
    return { none: pair('none'), softPrompt: pair('softPrompt'), prefix: pair('prefix') };
  }

  /** Writes a function and its vjp: `<name>.onnx` and `<name>-vjp.onnx`. */
  writePair(name: string, { forward, vjp }: GraphPair): SpanGraphs {
    return { forward: this.write(`${name}.onnx`, forward), vjp: this.write(`${name}-vjp.onnx`, vjp) };
  }

  /** Writes a step's graphs: `forward-<kind>.onnx`, `infer-<kind>.onnx` and `vjp-<kind>.onnx`. */
  writeStep(kind: SpanKind, { forward, infer, vjp, residuals }: Partition): StepGraphs {
    return {
      forward: this.write(`forward-${kind}.onnx`, forward),
      infer: this.write(`infer-${kind}.onnx`, infer),
      vjp: this.write(`vjp-${kind}.onnx`, vjp),
      residuals: residuals.map(({ name }) => name),
    };
  }

  /** Writes a small file, synchronously: asynchronous writes would wait for the thread pool. */
  writeBytes(path: string, bytes: Uint8Array): ArtifactFile {
    writeFileSync(join(this.dir, path), bytes, { flag: 'wx' });
    return { path, bytes: bytes.length, sha256: sha256Hex(bytes) };
  }
}
