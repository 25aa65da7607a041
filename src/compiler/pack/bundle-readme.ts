/** The client bundle's README: its content, its use, and what it does not hide. */

import { exposure, exposureAt } from '../../artifacts/exposure.js';
import type { ClientBundleManifest } from '../../artifacts/manifest.js';
import { f16Fit, measuredText } from '../../artifacts/wire-range.js';

const number = (value: number): string => value.toLocaleString('en-US');

export function bundleReadme(manifest: Omit<ClientBundleManifest, 'files'>, backboneParameters: number): string {
  const { cut, dims } = manifest;
  const blocks = (first: number, end: number): string => (first === end ? 'none' : dims.numHeads === 0 ? 'all' : `${first}..${end - 1}`);
  // The inside of an imported graph is not known.
  const heads = dims.numHeads === 0 ? '' : ` ${dims.numHeads} heads, ${dims.numKvHeads} key/value heads of ${dims.headDim},`;
  const kind = dims.numHeads === 0 ? 'model whose backbone is an imported graph' : `${manifest.family} model of ${cut.numLayers} blocks`;
  return `# ${manifest.name}: client bundle

The client's part of a ${kind}. With it and a gateway that serves the backbone, a client trains adapters, and the blocks and the head in this bundle.

| part | blocks | held by | parameters |
|---|---|---|---|
| bottom: embedding and blocks | ${blocks(0, cut.bottom)} | client | |
| backbone | ${blocks(cut.bottom, cut.numLayers - cut.top)} | vendor | ${number(backboneParameters)} |
| top: blocks, final norm and LM head | ${blocks(cut.numLayers - cut.top, cut.numLayers)} | client | |
| bottom and top together | | client | ${number(manifest.parameters)} |

Hidden size ${dims.hiddenSize},${heads} at most ${number(dims.maxPositions)} positions, vocabulary ${number(manifest.vocabSize)}.
Backbone: sha256 \`${manifest.backboneDigest}\`.

\`manifest.json\` names every file with its sha256 and every graph with its inputs and outputs. The ONNX graphs hold no weights; they point into \`${manifest.weightsFile}\`.

${wireText(manifest)}
${exposure} Activations and gradients are sent. ${exposureAt(cut.bottom)}
`;
}

/** Which wire dtypes hold what crosses. */
function wireText({ wire }: Pick<ClientBundleManifest, 'wire'>): string {
  if (wire === undefined) return '';
  const verdict = { ok: 'ok', near: 'ok on these tokens, with less than a factor 4 to spare', overflows: 'overflows: do not use it' };
  return `| wire dtype (\`--wire\`) | range |
|---|---|
| f32, bf16, int8 | ok: that of float32 |
| f16 | ${verdict[f16Fit(wire)]}; ${measuredText(wire)} |

A measured value is no bound: other text, or an adapter, may give larger ones.
`;
}
