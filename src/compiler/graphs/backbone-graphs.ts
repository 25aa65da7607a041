/** The backbone's graphs: for each adapter kind a forward that also yields residuals, the vjp that takes them, and the forward without them. */
import type { AdapterKind, Cut } from '../../artifacts/manifest.js';
import { type Partition, partition } from '../autodiff/partition.js';
import { vjp } from '../autodiff/vjp.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import type { ModelDescription } from '../models/registry.js';
import { GraphBuilder } from '../onnx/builder.js';
import { spansOf } from './cut.js';
import { buildSpan, dims } from './span.js';

/**
 * The backbone under one adapter kind. Inputs: `hiddenStates` [B,S,d]; `softPrompt` [P,d] or `prefix` [layers,2,P,numKvHeads,headDim];
 * `positions` int64 [N]. Forward gives `output` [N,d] and the residuals, infer only `output`. The vjp takes `cotangent` [N,d] and gives `hiddenStatesCotangent` and
 * `softPromptCotangent` or `prefixCotangent`, of the shapes of what they belong to.
 */
export function compileBackbone(model: ModelDescription, cut: Cut, kind: AdapterKind): Partition {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights);
  const span = buildSpan(decoder, {
    span: spansOf(cut).backbone,
    kind,
    addPositions: false,
    wantedOnly: true,
    inputNames: { hiddenStates: 'hiddenStates', softPrompt: 'softPrompt' },
  });
  const output = span.rows;
  const cotangent = g.input('cotangent', 'float32', [dims.N, model.spec.hiddenSize]);
  const wrt = span.adapter === undefined ? [span.hiddenStates] : [span.hiddenStates, span.adapter];
  const [hiddenStatesCotangent, adapterCotangent] = vjp(g, { outputs: [output], cotangents: [cotangent], wrt });
  return partition(g, {
    outputs: { output },
    cotangents: [cotangent],
    cotangentOutputs: {
      hiddenStatesCotangent: hiddenStatesCotangent!,
      ...(adapterCotangent !== undefined && { [`${kind}Cotangent`]: adapterCotangent }),
    },
  });
}
