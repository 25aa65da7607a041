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
  const { kind, activation, bias } = decoder.spec.mlp;
  const up = decoder.linear(x, layer, 'mlpUp', bias ? 'mlpUpBias' : undefined);
  const act = activate[activation];
  const inner = kind === 'plain' ? act(g, up) : g.mul(act(g, decoder.linear(x, layer, 'mlpGate', bias ? 'mlpGateBias' : undefined)), up);
  return decoder.linear(inner, layer, 'mlpDown', bias ? 'mlpDownBias' : undefined);
}
