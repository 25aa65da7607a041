/** A backbone's manifest of a small model without files, for parsers that ask a backbone for its dims and graphs. */
import type { BackboneManifest, StepGraphs } from '../../src/artifacts/manifest.js';
import type { BackboneArtifact } from '../../src/artifacts/store.js';

const graph = (inputs: readonly string[], outputs: readonly string[]) => ({
  file: 'step.onnx',
  inputs: [...inputs],
  outputs: [...outputs],
});

const step = (adapter: readonly string[]): StepGraphs => ({
  forward: graph(['hiddenStates', 'positions', ...adapter], ['output', 'residual.0']),
  infer: graph(['hiddenStates', 'positions', ...adapter], ['output']),
  vjp: graph(['cotangent', 'positions', 'residual.0'], ['hiddenStatesCotangent']),
  residuals: ['residual.0'],
});

/** Two blocks of width 4 with two heads. */
export const smallManifest: BackboneManifest = {
  format: 'cutlayer-backbone',
  formatVersion: 2,
  name: 'small',
  family: 'llama',
  dtype: 'float32',
  positions: 'promptRowsFirst',
  cut: { bottom: 0, top: 0, numLayers: 2 },
  dims: { hiddenSize: 4, numLayers: 2, numHeads: 2, numKvHeads: 2, headDim: 2, maxPositions: 32 },
  parameters: 100,
  weightsFile: 'weights.safetensors',
  graphs: { none: step([]), softPrompt: step(['softPrompt']), prefix: step(['prefix']), keyValues: graph(['hiddenStates'], ['keyValues']) },
  files: ['step.onnx', 'weights.safetensors'].map((path) => ({ path, bytes: 8, sha256: 'ab'.repeat(32) })),
};

/** It, as a loaded artifact. */
export const smallBackbone: BackboneArtifact = { dir: '/nowhere', manifest: smallManifest, digest: 'cd'.repeat(32) };
