/** The feed-forward sublayer. */
import type { GraphBuilder } from '../onnx/builder.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';
import type { Activation } from './spec.js';

/** The activation functions, each a formula of ops that have VJP rules. */
export const activate: { readonly [A in Activation]: (g: GraphBuilder, x: Value) => Value } = {
  gelu: (g, x) => g.gelu(x, 'none'),
  geluTanh: (g, x) => g.gelu(x, 'tanh'),
  quickGelu: (g, x) => g.quickGelu(x, 1.702),
  silu: (g, x) => g.quickGelu(x, 1), // x sigmoid(x)
  relu: (g, x) => g.relu(x),
};

/**
 * `down(act(up x))` or `down(act(gate x) * up x)`.
 * @param x [rows, hiddenSize]
 * @returns [rows, hiddenSize]
 */
export function mlp(decoder: DecoderGraph, layer: number, x: Value): Value {
  const { g } = decoder;
  const { kind, projections, intermediateSize, activation, bias } = decoder.spec.mlp;
  const linear = (role: 'mlpGate' | 'mlpUp' | 'mlpGateUp'): Value => decoder.linear(x, layer, role, bias);
  const act = (inner: Value): Value => activate[activation](g, inner);
  const down = (inner: Value): Value => decoder.linear(inner, layer, 'mlpDown', bias);
  if (kind === 'plain') return down(act(linear('mlpUp')));
  const parts =
    projections === 'fused' ? g.split(linear('mlpGateUp'), [intermediateSize, intermediateSize], 1) : [linear('mlpGate'), linear('mlpUp')];
  const [gate, up] = parts as readonly [Value, Value];
  return down(g.mul(act(gate), up));
}
