/** The graphs of methods that compute something of their own: one row a graph, its weights all inputs, so that it fits any bundle. */
import type { MethodGraphName } from '../../artifacts/manifest.js';
import { vjp } from '../autodiff/vjp.js';
import type { ModelDescription } from '../models/registry.js';
import { GraphBuilder } from '../onnx/builder.js';
import { symbol } from '../onnx/dim.js';
import type { GraphPair } from './client-graphs.js';
import { promptMethodGraphs } from './prompt-method-graphs.js';

/** The closed table of {@link MethodGraphName}. */
export const methodGraphs: { readonly [Name in MethodGraphName]: (model: ModelDescription) => GraphPair } = {
  loraMerge: compileLoraMerge,
  ...promptMethodGraphs,
};

/**
 * LoRA merged into a linear weight: `weight` in the model's linear layout, `loraA` [r,in], `loraB` [out,r], `loraScale` [] -> `merged` =
 * weight + loraScale (loraB loraA), or plus its transpose. The vjp takes also `mergedCotangent` and gives `loraACotangent`, `loraBCotangent`.
 * @see arXiv:2106.09685 sec. 4.1
 */
export function compileLoraMerge({ spec }: ModelDescription): GraphPair {
  const g = new GraphBuilder();
  const [r, inputs, outputs] = [symbol('R'), symbol('I'), symbol('O')];
  const weight = g.input('weight', 'float32', spec.linearLayout === 'outIn' ? [outputs, inputs] : [inputs, outputs]);
  const loraA = g.input('loraA', 'float32', [r, inputs]);
  const loraB = g.input('loraB', 'float32', [outputs, r]);
  const scaled = g.mul(loraA, g.input('loraScale', 'float32', []));
  const merged =
    spec.linearLayout === 'outIn'
      ? g.gemm({ A: loraB, B: scaled, C: weight })
      : g.gemm({ A: scaled, B: loraB, C: weight }, { transA: 1, transB: 1 });
  const mergedCotangent = g.input('mergedCotangent', 'float32', merged.shape);
  const [loraACotangent, loraBCotangent] = vjp(g, { outputs: [merged], cotangents: [mergedCotangent], wrt: [loraA, loraB] });
  return {
    forward: g.build({ outputs: { merged } }),
    vjp: g.build({ outputs: { loraACotangent: loraACotangent!, loraBCotangent: loraBCotangent! } }),
  };
}
