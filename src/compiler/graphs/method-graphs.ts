/** The graphs of methods with a computation of their own. All their weights are inputs. */
import type { MethodGraphName } from '../../artifacts/manifest.js';
import type { ModelDescription } from '../models/registry.js';
import { symbol } from '../onnx/dim.js';
import { functionPair, type GraphPair } from './graph-pair.js';
import { promptMethodGraphs } from './prompt-method-graphs.js';

/** The closed table of {@link MethodGraphName}. */
export const methodGraphs: { readonly [Name in MethodGraphName]: (model: ModelDescription) => GraphPair } = {
  loraMerge: compileLoraMerge,
  ...promptMethodGraphs,
};

/**
 * LoRA merged into a linear weight: `merged` = weight + loraScale (loraB loraA), or plus its
 * transpose. Inputs: `weight` in the model's linear layout, `loraA` [r,in], `loraB` [out,r],
 * `loraScale` []. The vjp takes also `mergedCotangent` and gives `loraACotangent`,
 * `loraBCotangent`.
 * @see arXiv:2106.09685 sec. 4.1
 */
export function compileLoraMerge({ spec }: ModelDescription): GraphPair {
  const [r, inputs, outputs] = [symbol('R'), symbol('I'), symbol('O')];
  const outIn = spec.linearLayout === 'outIn';
  return functionPair((input, g) => {
    const weight = input('weight', outIn ? [outputs, inputs] : [inputs, outputs], 'frozen');
    const loraA = input('loraA', [r, inputs]);
    const loraB = input('loraB', [outputs, r]);
    const scaled = g.mul(loraA, input('loraScale', [], 'frozen'));
    const product = outIn ? { A: loraB, B: scaled, C: weight } : { A: scaled, B: loraB, C: weight };
    return { merged: g.gemm(product, outIn ? {} : { transA: 1, transB: 1 }) };
  });
}
