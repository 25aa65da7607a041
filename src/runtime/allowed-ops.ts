/**
 * The ops that a graph of an artifact may have: those that pack writes. Graphs come from the other
 * side, and a Loop, Scan or If, a function or an op of a foreign domain may never end.
 */

/** Ops by domain; a test compares them with the compiler's table. */
export const allowedOps: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(
    (
      'Add Sub Mul Div Pow Neg Abs Max Min Clip Sqrt Reciprocal Exp Log Sin Cos Tanh Erf Sigmoid Relu Gelu Identity Cast Where Equal ' +
      'Less LessOrEqual And Or Not IsNaN MatMul Gemm ReduceSum ReduceMean ReduceMax ArgMax CumSum Softmax LogSoftmax LayerNormalization ' +
      'SimplifiedLayerNormalization Transpose Reshape Squeeze Unsqueeze Expand Concat Split Slice Pad Trilu Gather GatherElements ' +
      'GatherND ScatterElements ScatterND Shape Range ConstantOfShape'
    ).split(' '),
  ),
  'com.microsoft': new Set(['QuickGelu', 'FusedMatMul', 'GroupQueryAttention']),
};

/** @param domain `ai.onnx` is the empty one. */
export function isAllowed(op: string, domain: string): boolean {
  const known = domain === 'ai.onnx' ? '' : domain;
  return Object.hasOwn(allowedOps, known) && allowedOps[known]!.has(op);
}
