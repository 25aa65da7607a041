/** Activation functions and their derivatives against transformers' ACT2FN in float64 (transformers 5.18, torch 2.13). */
import assert from 'node:assert/strict';
import { vjp } from '../../../src/compiler/autodiff/vjp.js';
import { activationOf } from '../../../src/compiler/models/config.js';
import { activate } from '../../../src/compiler/models/mlp.js';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { run } from '../../support/session.js';

const points = [-3, -1, -0.25, 0.5, 1.5, 4];

const geluTanh = {
  y: [-0.00363739208, -0.158808009, -0.100324649, 0.34571401, 1.39957158, 3.99992975],
  dy: [-0.0115841666, -0.0829640838, 0.304645905, 0.867369904, 1.12771079, 1.00033512],
};
const silu = {
  y: [-0.14227762, -0.268941421, -0.109455875, 0.311229666, 1.22636171, 3.92805516],
  dy: [-0.088104106, 0.0723294881, 0.376289978, 0.739961187, 1.04129415, 1.05266461],
};

/** By the name in config.json. */
const expected = {
  gelu: {
    y: [-0.00404969409, -0.158655254, -0.100323419, 0.345731231, 1.3997892, 3.99987332],
    dy: [-0.0119456472, -0.0833154706, 0.304626645, 0.867495125, 1.12746919, 1.00050365],
  },
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_fast: geluTanh,
  quick_gelu: {
    y: [-0.0180713097, -0.154204234, -0.0988003501, 0.350388437, 1.3916622, 3.99558528],
    dy: [-0.0245483239, -0.0677796066, 0.293499559, 0.879221912, 1.09884806, 1.00640189],
  },
  silu,
  swish: silu,
  relu: { y: [0, 0, 0, 0.5, 1.5, 4], dy: [0, 0, 0, 1, 1, 1] },
};

for (const [name, { y, dy }] of Object.entries(expected)) {
  it(`models: ${name} and its derivative are transformers'`, async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [points.length]);
    const ct = g.input('ct', 'float32', [points.length]);
    const value = activate[activationOf('hidden_act', name)](g, x);
    const [derivative] = vjp(g, { outputs: [value], cotangents: [ct], wrt: [x] });
    const out = await run(g.build({ outputs: { value, derivative: derivative! } }), {
      x: f32([points.length], points),
      ct: f32([points.length], new Float32Array(points.length).fill(1)),
    });
    y.forEach((wanted, i) => {
      assert.ok(Math.abs(Number(out.value!.data[i]) - wanted) < 1e-6, `${name}(${points[i]}): ${out.value!.data[i]} is not ${wanted}`);
      assert.ok(
        Math.abs(Number(out.derivative!.data[i]) - dy[i]!) < 2e-6,
        `${name}'(${points[i]}): ${out.derivative!.data[i]} is not ${dy[i]}`,
      );
    });
  });
}
